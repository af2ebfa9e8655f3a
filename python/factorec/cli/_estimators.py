"""From what a command was told to learn to an estimator."""

from __future__ import annotations

from typing import Any

from ..errors import DataError
from ..fm import BaseFM, FMClassifier, FMOrdinal, FMRanker, FMRegressor

__all__ = ["make_estimator"]

_TASKS: dict[str, Any] = {"lists": FMRanker, "likes": FMClassifier, "ratings": FMRegressor, "levels": FMOrdinal}


def make_estimator(task: str | None, settings: dict[str, Any], *, negatives: int) -> BaseFM:
    """The estimator of a task, with those settings that are not None.

    Raises
    ------
    DataError
        If the estimator has no such setting.
    """
    task = task or ("likes" if negatives else "lists")
    kind = _TASKS[task]
    known = kind._get_param_names()
    given = {name: value for name, value in settings.items() if value is not None}
    for name in given:
        if name not in known:
            raise DataError(f"--{name.replace('_', '-')} is not for --task {task} ({kind.__name__})")
    estimator: BaseFM = kind(**given)
    return estimator
