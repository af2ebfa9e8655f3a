"""Hyperparameters by search, on Optuna. Needs the extra: ``pip install "factorec[tune]"``."""

from __future__ import annotations

from .result import TuningResult
from .space import search_space
from .tune import tune

__all__ = ["TuningResult", "search_space", "tune"]
