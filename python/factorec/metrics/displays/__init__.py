"""Pictures of predictions against what was observed, as Display objects in scikit-learn's manner."""

from __future__ import annotations

from .calibration import CalibrationDisplay
from .threshold import ThresholdDisplay

__all__ = ["CalibrationDisplay", "ThresholdDisplay"]
