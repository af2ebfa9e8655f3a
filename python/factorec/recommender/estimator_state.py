"""A fitted estimator in a model file: what it was made with, what it learned, what it goes on from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..encoding import Encoder
from ..errors import DataError, FormatError
from ..fm import BaseFM, FMClassifier, FMOrdinal, FMParameters, FMRanker, FMRegressor
from ..fm._checks import check_real
from ..formats.schema import TensorSpec
from .estimators import learns
from .json_parameters import construct, to_json
from .parameter_state import pack_parameters, parameters_schema, unpack_parameters
from .solver_state import SOLVER_SCHEMA, pack_solver_state, unpack_solver_state

__all__ = ["estimator_schema", "make_estimator", "pack_estimator", "unpack_estimator"]

Tensors = dict[str, NDArray[Any]]

_ESTIMATORS: dict[str, type[BaseFM]] = {
    kind.__name__: kind for kind in (FMClassifier, FMOrdinal, FMRanker, FMRegressor)
}


def estimator_schema(metadata: dict[str, Any]) -> dict[str, TensorSpec]:
    """Which tensors an estimator may have."""
    schema = parameters_schema(metadata) | SOLVER_SCHEMA
    schema["metrics"] = TensorSpec("float64", ("n_metrics", "n_epochs"), finite=False)  # AUC of one class is NaN
    if metadata.get("estimator") == "FMOrdinal":
        schema["levels"] = TensorSpec("float64", ("n_cuts+1",))
        schema["cuts"] = TensorSpec("float64", ("n_cuts",))
    return schema


def pack_estimator(estimator: BaseFM) -> tuple[Tensors, dict[str, Any]]:
    """Arrays of the file, and its metadata."""
    if type(estimator) not in _ESTIMATORS.values():
        raise DataError(
            f"a recommender with a {type(estimator).__name__} cannot be saved, only with {' or '.join(_ESTIMATORS)}"
        )
    tensors, of_parameters = pack_parameters(estimator.parameters_)
    solver_tensors, of_solver = pack_solver_state(estimator.solver_state_)
    records = [(part, metric, values) for part, of in estimator.history_.items() for metric, values in of.items()]
    tensors |= solver_tensors
    tensors["metrics"] = np.array([values for *_, values in records], dtype=np.float64).reshape(len(records), -1)
    metadata = {
        "estimator": type(estimator).__name__,
        "estimator_parameters": {name: to_json(name, value) for name, value in estimator.get_params().items()},
        **of_parameters,
        **of_solver,
        "metrics": [[part, metric] for part, metric, _ in records],
        "target_range": list(estimator.target_range_) if isinstance(estimator, FMRegressor) else None,
    }
    if isinstance(estimator, FMRanker) and estimator.solver == "ials":
        metadata["unobserved_weight"] = float(estimator.unobserved_weight_)
    if isinstance(estimator, FMOrdinal):
        tensors |= {"levels": estimator.levels_, "cuts": estimator.cuts_}
    return tensors, metadata


def make_estimator(metadata: dict[str, Any]) -> BaseFM:
    """The estimator before it was fitted."""
    kind = metadata["estimator"]
    if kind not in _ESTIMATORS:
        raise FormatError(f"the estimator is {kind!r:.80}, expected one of {', '.join(_ESTIMATORS)}")
    estimator: BaseFM = construct(_ESTIMATORS[kind], metadata["estimator_parameters"])
    estimator._check_settings()
    return estimator


def unpack_estimator(tensors: Tensors, metadata: dict[str, Any], encoder: Encoder) -> Any:
    """The fitted estimator that `pack_estimator` took apart."""
    estimator: Any = make_estimator(metadata)
    estimator.solver_state_ = unpack_solver_state(tensors, metadata)
    estimator.parameters_ = unpack_parameters(tensors, metadata, encoder.n_query_features_)
    _check_sizes(estimator, estimator.parameters_)
    if len(metadata["metrics"]) != len(tensors["metrics"]):
        raise FormatError(f"{len(tensors['metrics'])} recorded metrics, {len(metadata['metrics'])} names for them")
    estimator.history_ = {}
    for (part, metric), values in zip(metadata["metrics"], tensors["metrics"], strict=True):
        estimator.history_.setdefault(str(part), {})[str(metric)] = values
    estimator.n_features_in_ = encoder.n_features_
    if learns(estimator) == "likes":
        estimator.classes_ = np.array([0, 1])
    if isinstance(estimator, FMRegressor):
        low, high = metadata["target_range"]
        estimator.target_range_ = (float(low), float(high))
    if isinstance(estimator, FMRanker) and estimator.solver == "ials":
        estimator.unobserved_weight_ = check_real("unobserved_weight", metadata["unobserved_weight"], low=0)
    if isinstance(estimator, FMOrdinal):
        estimator.levels_, estimator.cuts_ = tensors["levels"], tensors["cuts"]
        for name in ("levels", "cuts"):
            if (np.diff(tensors[name]) <= 0).any():
                raise FormatError(f"array {name!r} does not rise")
    return estimator


def _check_sizes(estimator: Any, p: FMParameters) -> None:
    """One machine, or the folded ones of several seeds, of which training may have been stopped before the last."""
    k, n_folded = estimator.n_factors, getattr(estimator, "n_seeds", 1)
    n_models, rest = divmod(p.mean().n_factors, k)
    if rest or not 1 <= n_models <= n_folded:
        of = "" if n_folded == 1 else f" and n_seeds={n_folded}"
        raise FormatError(f"{p.mean().n_factors} factors, but n_factors={k}{of}")
    adam = estimator.solver_state_.adam
    if adam is not None and adam.factors_mean.shape[1] != k:
        raise FormatError(f"Adam's moments are of {adam.factors_mean.shape[1]} factors, but n_factors={k}")
    if (p.posterior is not None) != (estimator.solver == "gibbs"):
        has = "no samples" if p.posterior is None else "samples"
        raise FormatError(f"there are {has} of a posterior, but the solver is {estimator.solver!r}")
