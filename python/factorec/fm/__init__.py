"""Rows to parameters: factorization machines and their training."""

from __future__ import annotations

from ._base import BaseFM
from ._progress import StopTraining
from .classifier import FMClassifier
from .ordinal import FMOrdinal
from .parameters import FMParameters
from .penalties import Penalties, Prior
from .posterior import Posterior
from .ranker import FMRanker
from .regressor import FMRegressor
from .sampling import NegativeSampling
from .training_set import Block, TrainingSet

__all__ = [
    "BaseFM",
    "Block",
    "FMClassifier",
    "FMOrdinal",
    "FMParameters",
    "FMRanker",
    "FMRegressor",
    "NegativeSampling",
    "Penalties",
    "Posterior",
    "Prior",
    "StopTraining",
    "TrainingSet",
]
