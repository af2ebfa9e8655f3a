"""Checks of constructor parameters and row weights."""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ._averaging import averaged_epochs

__all__ = [
    "check_fields",
    "check_finite",
    "check_integer",
    "check_l2",
    "check_real",
    "check_settings",
    "row_weights",
]


def check_integer(name: str, value: Any, *, low: int) -> int:
    """An integer of at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
        raise DataError(f"{name} must be an integer of at least {low}, got {value!r}")
    return int(value)


def check_real(name: str, value: Any, *, low: float, above: bool = False) -> float:
    """A finite number of at least ``low``, or above it."""
    bad = isinstance(value, bool) or not isinstance(value, numbers.Real) or not np.isfinite(float(value))
    if bad or value < low or (above and value == low):
        bound = f" {'above' if above else 'of at least'} {low}" if np.isfinite(low) else ""
        raise DataError(f"{name} must be a finite number{bound}, got {value!r}")
    return float(value)


def check_l2(estimator: Any) -> None:
    """The parameters ``l2_linear`` and ``l2_factors``."""
    for name in ("l2_linear", "l2_factors"):
        value = getattr(estimator, name)
        if value is None:
            continue
        for key, one in value.items() if isinstance(value, Mapping) else [(None, value)]:
            check_real(name if key is None else f"{name}[{key!r}]", one, low=0)


def check_settings(estimator: Any) -> None:
    """The constructor parameters of an estimator."""
    for name in ("n_factors", "n_iter_no_change"):
        check_integer(name, getattr(estimator, name), low=1)
    if estimator.n_epochs is not None:
        check_integer("n_epochs", estimator.n_epochs, low=1)
    _check_solver(estimator)
    if estimator.batch_size is not None:
        check_integer("batch_size", estimator.batch_size, low=1)
    for name in ("init_scale", "l2_bias", "l2_count_power"):
        if name != "l2_count_power" or estimator.l2_count_power is not None:
            check_real(name, getattr(estimator, name), low=0)
    if not isinstance(estimator.verbose, numbers.Integral | np.bool_):
        raise DataError(f"verbose must be an integer or a bool, got {estimator.verbose!r}")
    check_real("validation_fraction", estimator.validation_fraction, low=0, above=True)
    check_l2(estimator)
    check_integer("n_seeds", estimator.n_seeds, low=1)
    averaged_epochs(estimator.average, 1)
    if estimator.clip_gradient is not None:
        check_real("clip_gradient", estimator.clip_gradient, low=0, above=True)


def _check_solver(estimator: Any) -> None:
    """The solver, and the settings that only some solvers have."""
    *others, last = map(repr, sorted(estimator._default_epochs))
    solver = estimator.solver
    if not isinstance(solver, str) or solver not in estimator._default_epochs:
        why = ""
        if solver == "als":
            why = ": least squares is FMRegressor's; 'gibbs' starts from it"
        raise DataError(f"solver must be {', '.join(others)} or {last}, got {solver!r}{why}")
    interactions = getattr(estimator, "interactions", "all")
    if interactions not in ("all", "bipartite"):
        raise DataError(f"interactions must be 'all' or 'bipartite', got {interactions!r}")
    if interactions == "bipartite" and solver not in ("als", "gibbs"):
        raise DataError(f"interactions='bipartite' needs solver 'gibbs' or 'als', got {solver!r}")
    if solver == "gibbs":
        check_integer("n_samples", estimator.n_samples, low=1)
        if estimator.burn_in is not None:
            check_integer("burn_in", estimator.burn_in, low=0)
        if not isinstance(estimator.row_noise, bool | np.bool_):
            raise DataError(f"row_noise must be a bool, got {estimator.row_noise!r}")


def check_fields(ranges: Any, n_features: int, name: str) -> dict[str, tuple[int, int]]:
    """Field name -> (start, stop): pairs of integers inside the columns, none overlapping another."""
    if not isinstance(ranges, Mapping):
        raise DataError(f"{name} must map field names to (start, stop), got {type(ranges).__name__}")
    fields = {}
    for field, span in ranges.items():
        if (
            not isinstance(span, tuple | list)
            or len(span) != 2
            or not all(isinstance(c, numbers.Integral) for c in span)
        ):
            raise DataError(f"{name}[{field!r}] must be a pair of integers (start, stop), got {span!r}")
        start, stop = int(span[0]), int(span[1])
        if not 0 <= start <= stop <= n_features:
            raise DataError(f"{name}[{field!r}] is ({start}, {stop}), outside 0..{n_features}")
        fields[field] = (start, stop)
    rising = sorted((span, field) for field, span in fields.items() if span[0] < span[1])
    for (one, field), (other, next_field) in itertools.pairwise(rising):
        if other[0] < one[1]:
            raise DataError(f"{name}: {field!r} {one} and {next_field!r} {other} overlap")
    return fields


def check_finite(name: str, target: npt.NDArray[Any]) -> None:
    """Refuse NaN and infinity, naming the first row."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(target.sum()):
            return
    bad = np.flatnonzero(~np.isfinite(target))  # a sum may also overflow
    if len(bad):
        raise DataError(f"{name}[{bad[0]}] is {target[bad[0]]}: targets are finite numbers")


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
    with np.errstate(over="ignore", under="ignore"):
        narrow = weight.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(narrow) | (narrow < 0))
    if len(bad):
        raise DataError(f"{name}[{bad[0]}] is {weight[bad[0]]}: weights are finite (in float32) and not negative")
    if not narrow.any():
        raise DataError(f"{name} is zero in every row (all weights are zero): nothing to train on")
    return narrow
