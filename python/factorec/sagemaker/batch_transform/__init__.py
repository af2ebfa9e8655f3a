"""Batch transform: files of a folder or of S3 through a model."""

from .errors import TransformError
from .job import TransformResult, transform

__all__ = ["TransformError", "TransformResult", "transform"]
