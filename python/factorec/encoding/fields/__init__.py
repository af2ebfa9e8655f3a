"""Fields: what a caller declares about columns of features, and what is fitted from it."""

from __future__ import annotations

from .base import Declaration, Field
from .by_id import RowsById
from .categorical import Categorical
from .datetimes import Datetime, DatetimeField
from .history import History, HistoryField
from .ids import IdField
from .multilabel import MultiLabel
from .numeric import Numeric
from .precomputed import Precomputed

__all__ = [
    "Categorical",
    "Datetime",
    "DatetimeField",
    "Declaration",
    "Field",
    "History",
    "HistoryField",
    "IdField",
    "MultiLabel",
    "Numeric",
    "Precomputed",
    "RowsById",
]
