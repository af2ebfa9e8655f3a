"""What the parameters of splitters may be."""

from __future__ import annotations

import numbers
from math import ceil
from typing import Any

from ..errors import DataError

__all__ = ["is_number", "n_held_out", "whole"]


def n_held_out(size: Any, n: int, what: str) -> int:
    """How many of n `what` a test_size means: a number, or a share rounded up."""
    if not is_number(size) or not (isinstance(size, numbers.Integral) or 0 < size < 1) or size < 1e-300:
        raise DataError(f"test_size must be a share between 0 and 1, or a number of {what}, got {size!r}")
    n_test = int(size) if isinstance(size, numbers.Integral) else ceil(size * n - 1e-9)
    if n_test >= n:
        raise DataError(f"test_size={size!r} of {n:,} {what} leaves none to train on")
    return n_test


def whole(value: Any, name: str, least: int = 1) -> int:
    """An integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise DataError(f"{name} must be an integer of at least {least}, got {value!r}")
    return int(value)


def is_number(value: Any) -> bool:
    """Whether it is a real number, and not True or False."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
