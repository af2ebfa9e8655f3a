"""The body of a request as rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .content_types import JSON, JSON_LINES, ContentType
from .json_rows import read_json, read_json_lines

__all__ = ["read_rows"]


def read_rows(body: bytes, content_type: ContentType, n_features: int) -> Any:
    """Read the rows of a request.

    Parameters
    ----------
    body : bytes
    content_type : ContentType
        One of those that the model takes.
    n_features : int
        The width that every row must have.

    Returns
    -------
    csr_array of float32, shape (n_rows, n_features)

    Raises
    ------
    PayloadError
        If the body is anything else; the message names the instance and the field.
    """
    readers: dict[str, Callable[[bytes, int], Any]] = {JSON: read_json, JSON_LINES: read_json_lines}
    return readers[content_type.name](body, n_features)
