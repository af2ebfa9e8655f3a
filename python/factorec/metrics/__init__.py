"""How good predictions and rankings are."""

from . import point, ranking
from .point import classification_metrics, regression_metrics
from .ranking import ranking_metrics

__all__ = ["classification_metrics", "point", "ranking", "ranking_metrics", "regression_metrics"]
