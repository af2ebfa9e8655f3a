"""Methods that only solvers have that go from row to row."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import MethodType
from typing import Any, cast

from ..errors import DataError

__all__ = ["SWEEPING", "by_steps"]

# Solvers that go from feature to feature, over all rows of each: they have no step over some rows alone.
SWEEPING = ("als", "gibbs", "ials")


class _NoSuchMethodError(DataError, AttributeError):
    """So that ``hasattr`` says no, as scikit-learn asks whether an estimator learns in steps."""


class by_steps:
    """A method that estimators with a sweeping solver do not have."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method = method
        functools.update_wrapper(cast(Any, self), method)

    def __get__(self, estimator: Any, owner: Any = None) -> Any:
        if estimator is None:
            return self.method
        if estimator.solver in SWEEPING:
            raise _NoSuchMethodError(
                f'solver="{estimator.solver}" has no {self.method.__name__}: fold in what is new, or fit all rows with '
                "warm_start=True"
            )
        return MethodType(self.method, estimator)
