"""Tables to the rows of a factorization machine: ids to positions, and back."""

from __future__ import annotations

from .encoded import EncodedBlock, EncodedTable
from .encoder import Encoder
from .vocabulary import Vocabulary

__all__ = ["EncodedBlock", "EncodedTable", "Encoder", "Vocabulary"]
