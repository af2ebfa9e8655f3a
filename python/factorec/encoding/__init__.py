"""Tables to the rows of a factorization machine: ids to positions, and back."""

from __future__ import annotations

from .encoder import EncodedBlock, EncodedTable, Encoder
from .vocabulary import Vocabulary

__all__ = ["EncodedBlock", "EncodedTable", "Encoder", "Vocabulary"]
