"""A drop-in for the managed service's factorization machines and k-nearest neighbours.

Everything that imitates the managed service is here and in `factorec.formats`, `factorec.service`: names,
hyperparameters, formats, the order of neighbours. Nothing below knows of it.
"""

from __future__ import annotations

import importlib as _importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .batch_transform import transform
    from .fm import ManagedFMClassifier, ManagedFMRegressor, estimator, load_artifact
    from .hyperparameters import FMHyperparameters, KNNHyperparameters
    from .invocation import invoke
    from .knn import KNN
    from .model import load_model

__all__ = [
    "KNN",
    "FMHyperparameters",
    "KNNHyperparameters",
    "ManagedFMClassifier",
    "ManagedFMRegressor",
    "estimator",
    "invoke",
    "load_artifact",
    "load_model",
    "transform",
]

# Name -> module that has it; imported on first use, so that one part does not wait for what another needs.
_HOMES: dict[str, str] = {
    "FMHyperparameters": "hyperparameters",
    "KNN": "knn",
    "KNNHyperparameters": "hyperparameters",
    "ManagedFMClassifier": "fm",
    "ManagedFMRegressor": "fm",
    "estimator": "fm",
    "invoke": "invocation",
    "load_artifact": "fm",
    "load_model": "model",
    "transform": "batch_transform",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        value: object = getattr(_importlib.import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
