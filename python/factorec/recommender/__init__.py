"""The whole way: a table of interactions in, recommendations and their reasons out."""

from __future__ import annotations

from .evaluation import Evaluation
from .model_file import load
from .recommendations import Recommendations
from .recommender import Recommender

__all__ = ["Evaluation", "Recommendations", "Recommender", "load"]
