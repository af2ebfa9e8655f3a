"""What solvers go on from, in a model file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..fm._adam import AdamMoments
from ..fm._fitting import SolverState
from ..formats.schema import TensorSpec

__all__ = ["SOLVER_SCHEMA", "pack_solver_state", "unpack_solver_state"]

_SCALARS = ("bias_accumulator", "n_epochs", "seed", "target_mean", "target_scale")
_ARRAYS = ("linear_accumulator", "factors_accumulator")
_CUTS = ("cuts", "cut_accumulator")
_ADAM_SCALARS = ("bias_mean", "bias_square", "n_steps")
_ADAM_ARRAYS = ("linear_mean", "linear_square", "factors_mean", "factors_square")

SOLVER_SCHEMA = {
    **{f"solver.{name}": TensorSpec("float32", ("n_features",)) for name in _ARRAYS},
    **{f"solver.{name}": TensorSpec("float64", ("n_cuts",), optional=True) for name in _CUTS},
    **{
        f"solver.adam.{name}": TensorSpec(
            "float32", ("n_features", "n_moments") if name.startswith("factors") else ("n_features",), optional=True
        )
        for name in _ADAM_ARRAYS
    },
}


def pack_solver_state(state: SolverState) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays of the file, and its metadata. Without Adam's moments and cuts both are what the first files have."""
    tensors: dict[str, NDArray[Any]] = {f"solver.{name}": getattr(state, name) for name in _ARRAYS}
    metadata: dict[str, Any] = {"solver_state": {name: getattr(state, name) for name in _SCALARS}}
    cuts = {name: getattr(state, name) for name in _CUTS}
    tensors |= {f"solver.{name}": array for name, array in cuts.items() if array is not None}
    if state.adam is not None:
        tensors |= {f"solver.adam.{name}": getattr(state.adam, name) for name in _ADAM_ARRAYS}
        metadata["adam"] = {name: getattr(state.adam, name) for name in _ADAM_SCALARS}
    return tensors, metadata


def unpack_solver_state(tensors: dict[str, NDArray[Any]], metadata: dict[str, Any]) -> SolverState:
    """The state that `pack_solver_state` took apart."""
    state = _numbers("the solver's state", metadata["solver_state"], _SCALARS, counts=("n_epochs", "seed"))
    if state["target_scale"] <= 0:
        raise FormatError(f"the solver's state is {state!r:.200}, which no training leaves")
    state |= {name: tensors[f"solver.{name}"] for name in _ARRAYS}
    cuts = {name: tensors[f"solver.{name}"] for name in _CUTS if f"solver.{name}" in tensors}
    if "cut_accumulator" in cuts and "cuts" not in cuts:  # samplers have cuts, and nothing that accumulates
        raise FormatError("there is an array 'solver.cut_accumulator', but no 'solver.cuts'")
    if (np.diff(cuts.get("cuts", ())) <= 0).any() or (cuts.get("cut_accumulator", np.ones(1)) <= 0).any():
        raise FormatError("the solver's cuts and their accumulators are what no training leaves")
    state |= cuts
    return SolverState(**state, adam=_adam(tensors, metadata))


def _adam(tensors: dict[str, NDArray[Any]], metadata: dict[str, Any]) -> AdamMoments | None:
    present = [name for name in _ADAM_ARRAYS if f"solver.adam.{name}" in tensors]
    if not present and "adam" not in metadata:
        return None
    if len(present) < len(_ADAM_ARRAYS) or "adam" not in metadata:
        raise FormatError(f"Adam's moments are not complete: {', '.join(present) or 'no arrays'}")
    scalars = _numbers("Adam's state", metadata["adam"], _ADAM_SCALARS, counts=("n_steps",))
    arrays = {name: tensors[f"solver.adam.{name}"] for name in _ADAM_ARRAYS}
    for name in ("linear_square", "factors_square"):
        if (arrays[name] < 0).any():
            raise FormatError(f"array 'solver.adam.{name}' holds a negative square")
    if scalars["bias_square"] < 0:
        raise FormatError(f"Adam's state is {scalars!r:.200}, which no training leaves")
    return AdamMoments(**(scalars | arrays))


def _numbers(what: str, given: Any, names: tuple[str, ...], *, counts: tuple[str, ...]) -> dict[str, Any]:
    """Exactly these numbers: integers that the core can count on, floats that it can compute with."""
    if set(given) != set(names) or not all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in given.values()
    ):
        raise FormatError(f"{what} is {given!r:.200}, expected numbers {', '.join(names)}")
    if not all(isinstance(given[count], int) and 0 <= given[count] < 2**62 for count in counts) or not all(
        abs(value) <= 1e300 for value in given.values()
    ):
        raise FormatError(f"{what} is {given!r:.200}, which no training leaves")
    return {name: value if name in counts else float(value) for name, value in given.items()}
