"""Tables to the rows of a factorization machine: ids to positions and back, and the features of users and items."""

from __future__ import annotations

from .declared import fields_from_json, fields_to_json
from .encoded import EncodedBlock, EncodedTable
from .encoder import Encoder
from .entities import Entities
from .fields import Categorical, Datetime, History, MultiLabel, Numeric, Precomputed
from .state import STATE_SCHEMA
from .vocabulary import Vocabulary

__all__ = [
    "STATE_SCHEMA",
    "Categorical",
    "Datetime",
    "EncodedBlock",
    "EncodedTable",
    "Encoder",
    "Entities",
    "History",
    "MultiLabel",
    "Numeric",
    "Precomputed",
    "Vocabulary",
    "fields_from_json",
    "fields_to_json",
]
