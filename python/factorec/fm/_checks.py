"""Checks of constructor parameters and row weights."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError

__all__ = ["check_integer", "check_real", "learning_rates", "row_weights"]


def check_integer(name: str, value: Any, *, low: int) -> int:
    """An integer of at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
        raise DataError(f"{name} must be an integer of at least {low}, got {value!r}")
    return int(value)


def check_real(name: str, value: Any, *, low: float, above: bool = False) -> float:
    """A finite number of at least ``low``, or above it."""
    bad = isinstance(value, bool) or not isinstance(value, numbers.Real) or not np.isfinite(float(value))
    if bad or value < low or (above and value == low):
        raise DataError(f"{name} must be a finite number {'above' if above else 'of at least'} {low}, got {value!r}")
    return float(value)


def learning_rates(value: Any) -> dict[str, float]:
    """The rates of bias, linear weights and factors from a number or a dict of them."""
    blocks = ("bias", "linear", "factors")
    if isinstance(value, Mapping):
        if set(value) != set(blocks):
            raise DataError(f"learning_rate must name exactly {', '.join(blocks)}, got {sorted(value)}")
        return {block: check_real(f"learning_rate[{block!r}]", value[block], low=0) for block in blocks}
    return dict.fromkeys(blocks, check_real("learning_rate", value, low=0, above=True))


def row_weights(sample_weight: Any, n_rows: int, name: str = "sample_weight") -> npt.NDArray[np.float32] | None:
    """Row weights as float32, or None where there are none."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, numbers.Real):
        weight = np.full(n_rows, sample_weight, np.float64)
    else:
        weight = np.asarray(sample_weight, np.float64)
    if weight.shape != (n_rows,):
        raise DataError(f"{name} has shape {weight.shape}, expected ({n_rows},)")
    bad = np.flatnonzero(~np.isfinite(weight) | (weight < 0))
    if len(bad):
        raise DataError(f"{name}[{bad[0]}] is {weight[bad[0]]}: weights are finite and not negative")
    if not weight.any():
        raise DataError(f"{name} is zero in every row (all weights are zero): nothing to train on")
    return weight.astype(np.float32)
