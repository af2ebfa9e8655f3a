"""Files that hold models."""

from . import model_file

__all__ = ["model_file"]
