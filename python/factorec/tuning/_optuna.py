"""Optuna, imported when it is needed."""

from __future__ import annotations

from typing import Any

__all__ = ["optuna"]


def optuna() -> Any:
    """The module; an error that says how to get it where it is missing."""
    try:
        import optuna
    except ImportError as error:
        raise ImportError("tuning needs Optuna: pip install 'factorec[tune]'") from error
    return optuna
