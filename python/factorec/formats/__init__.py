"""Files that hold models, and files that hold rows."""

from . import model_file, recordio

__all__ = ["model_file", "recordio"]
