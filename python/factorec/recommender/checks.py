"""Parameters of a recommender that contradict each other."""

from __future__ import annotations

import math
import numbers
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from ..fm import BaseFM
from .estimators import learns, unfitted
from .interactions import Columns

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["check_columns"]

_LARGEST = float(np.finfo(np.float32).max)
_CHOICES = {
    "duplicates": ("raise", "first", "last"),
    "uncatalogued": ("ignore", "raise"),
    "search_with": ("samples", "mean"),
}


def check_columns(rec: Recommender) -> Columns:
    """Refuse parameters that contradict each other; what remains says how to read a table."""
    estimator = unfitted(rec)
    if not isinstance(estimator, BaseFM):
        is_class = isinstance(estimator, type)
        raise DataError(
            "estimator must be an FMRanker, FMClassifier, FMRegressor or FMOrdinal, or None for an FMRanker, "
            f"got {f'the class {estimator.__name__}: call it' if is_class else type(estimator).__name__}"
        )
    for name in ("user", "item", "target", "weight", "time", "title"):
        if not isinstance(getattr(rec, name), Hashable):
            raise DataError(f"{name} must be the name of one column, got {getattr(rec, name)!r}")
    for name, allowed in _CHOICES.items():
        if getattr(rec, name) not in allowed:
            raise DataError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {getattr(rec, name)!r}")
    if rec.like_threshold is not None and not _is_number(rec.like_threshold):
        raise DataError(f"like_threshold must be a finite number or None, got {rec.like_threshold!r}")
    _check_negatives(rec.negatives)
    _check_soft_positives(rec.soft_positives)
    what = learns(estimator)
    {"likes": _check_likes, "ratings": _check_ratings, "lists": _check_lists}[what](rec)
    return Columns(rec.user, rec.item, rec.target, rec.weight, rec.like_threshold, rec.soft_positives, what)


def _check_likes(rec: Recommender) -> None:
    _refuse_soft_positives(rec)
    if rec.target is None and not rec.negatives:
        raise DataError(
            "with target=None every row is a like, and there is nothing to tell likes from; use FMRanker, "
            "or set negatives (8, say)"
        )


def _check_ratings(rec: Recommender) -> None:
    _refuse_soft_positives(rec)
    name = type(rec.estimator).__name__
    if rec.negatives:
        raise DataError(
            f"negatives are for FMClassifier: an item not rated is no rating of 0, which {name} could learn; "
            "to rank, use FMRanker"
        )
    if rec.target is None:
        raise DataError(f"{name} learns ratings and needs a target column; for clicks or purchases use FMRanker")


def _check_lists(rec: Recommender) -> None:
    if rec.negatives:
        raise DataError(
            "negatives are for FMClassifier; FMRanker draws its own: leave negatives at 0 and set "
            f"FMRanker(n_negatives={rec.negatives})"
        )
    if rec.target is None and rec.like_threshold is not None:
        raise DataError("like_threshold needs a target column; with target=None every row counts in full")
    if rec.target is None and rec.soft_positives is not None:
        raise DataError("soft_positives needs a target column; with target=None every row counts in full")


def _refuse_soft_positives(rec: Recommender) -> None:
    if rec.soft_positives is not None:
        name = type(rec.estimator).__name__
        raise DataError(f"soft_positives are for FMRanker: {name} learns every target as it is; leave them out")


def _check_negatives(m: Any) -> None:
    if isinstance(m, bool) or not isinstance(m, numbers.Integral) or int(m) < 0:
        raise DataError(f"negatives must be an integer of at least 0, got {m!r}")
    if int(m) >= 2**31:
        raise DataError(f"negatives must be less than 2**31 (8 is a good number), got {m}")


def _check_soft_positives(soft: Any) -> None:
    if soft is None:
        return
    grades = soft if isinstance(soft, Mapping) else {0.0: soft}
    for value, grade in grades.items():
        if not _is_number(value):
            raise DataError(f"soft_positives must be a dict of grades by target, got the target {value!r}")
        if not _is_number(grade) or not 0 <= float(grade) <= _LARGEST:
            of = f" of target {value!r}" if isinstance(soft, Mapping) else ""
            raise DataError(f"soft_positives: a grade{of} must be a number of at least 0, got {grade!r}")


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, numbers.Real) and math.isfinite(value)
