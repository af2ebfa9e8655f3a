"""How good predictions and rankings are."""

from . import displays, point, ranking
from .displays import CalibrationDisplay, ThresholdDisplay
from .point import classification_metrics, regression_metrics
from .ranking import ranking_metrics

__all__ = [
    "CalibrationDisplay",
    "ThresholdDisplay",
    "classification_metrics",
    "displays",
    "point",
    "ranking",
    "ranking_metrics",
    "regression_metrics",
]
