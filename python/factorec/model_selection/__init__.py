"""Which rows to learn from and which to judge by: splits of tables, and scorers for scikit-learn's searches."""

from __future__ import annotations

from .scoring import make_scorer
from .split import train_given_test_split, train_test_split
from .splitters import LeaveLastN, RandomSplit, TemporalSplit, UserSplit

__all__ = [
    "LeaveLastN",
    "RandomSplit",
    "TemporalSplit",
    "UserSplit",
    "make_scorer",
    "train_given_test_split",
    "train_test_split",
]
