"""Rows to parameters: factorization machines and their training."""

from __future__ import annotations

from ._progress import StopTraining
from .estimators import BaseFM, FMClassifier, FMRegressor
from .parameters import FMParameters, Penalties
from .sampling import NegativeSampling
from .training_set import Block, TrainingSet

__all__ = [
    "BaseFM",
    "Block",
    "FMClassifier",
    "FMParameters",
    "FMRegressor",
    "NegativeSampling",
    "Penalties",
    "StopTraining",
    "TrainingSet",
]
