"""The body of a request as rows."""

from __future__ import annotations

from typing import Any

from .content_types import CSV, JSON, JSON_LINES, ContentType
from .csv_rows import read_csv
from .errors import PayloadError
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
    csr_array or ndarray of float32, shape (n_rows, n_features)

    Raises
    ------
    PayloadError
        If the body is anything else; the message names the instance and the field.
    """
    if not body or body.isspace():
        raise PayloadError("the body is empty")
    if content_type.name == JSON:
        return read_json(body, n_features)
    if content_type.name == JSON_LINES:
        return read_json_lines(body, n_features)
    if content_type.name == CSV:
        return read_csv(body, n_features, label_size=_label_size(content_type))
    from .recordio_rows import read_recordio_rows

    return read_recordio_rows(body, n_features)


def _label_size(content_type: ContentType) -> int:
    text = content_type.parameters.get("label_size", "0")
    if text not in ("0", "1"):
        raise PayloadError(f"label_size={text[:20]} of the content type must be 0, or 1 to leave out the first column")
    return int(text)
