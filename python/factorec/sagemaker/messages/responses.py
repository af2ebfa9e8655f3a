"""Predictions as the bytes of a response (contract 3.2 and 5.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .content_types import JSON_LINES, RECORDIO
from .errors import PayloadError

__all__ = ["Predictions", "encode_predictions"]

# Column -> one value for each row, shape (n,), or a list of them, shape (n, m); in the order of the output.
Predictions = Mapping[str, npt.NDArray[Any]]

# Guesses, all here (contract 10: not verified). White space in JSON: none. The end of jsonlines: a newline. Numbers
# are float32 widened to double, and labels are floats, 1.0: that is what a real endpoint printed; the documentation
# shows the label as 1.
_SEPARATORS = (",", ":")


def encode_predictions(predictions: Predictions, content_type: str) -> bytes:
    r"""Encode predictions as a response of a type.

    Parameters
    ----------
    predictions : mapping of str to ndarray, shape (n,) or (n, m)
        Column to values, in the order of the output.
    content_type : str
        JSON, JSON lines or recordio-protobuf.

    Returns
    -------
    bytes

    Raises
    ------
    PayloadError
        If a value is not finite: the row's features are too large.

    Examples
    --------
    >>> columns = {"score": np.float32([0.4]), "predicted_label": np.float32([0])}
    >>> encode_predictions(columns, "application/json")
    b'{"predictions":[{"score":0.4000000059604645,"predicted_label":0.0}]}'
    >>> encode_predictions(columns, "application/jsonlines")
    b'{"score":0.4000000059604645,"predicted_label":0.0}\n'
    """
    columns = {name: np.asarray(values, np.float32) for name, values in predictions.items()}
    for name, values in columns.items():
        finite = np.isfinite(values)
        if not finite.all():
            row = int(np.argwhere(~finite)[0, 0])
            raise PayloadError(f"the {name} of row {row} (counted from 0) overflows: its feature values are too large")
    if content_type == RECORDIO:
        from ...formats.recordio import encode_labels

        return encode_labels(columns)
    rows = _rows_as_text(columns)
    if content_type == JSON_LINES:
        return "".join(f"{row}\n" for row in rows).encode()
    return f'{{"predictions":[{",".join(rows)}]}}'.encode()


def _rows_as_text(columns: Mapping[str, npt.NDArray[np.float32]]) -> list[str]:
    """Each row as a JSON object. repr of a float is what JSON says, and the shortest that reads back equal."""
    parts = []
    for name, values in columns.items():
        key = json.dumps(name)
        numbers = values.tolist()  # Python's floats: float32 widened to double
        if values.ndim == 1:
            parts.append([f"{key}:{number!r}" for number in numbers])
        else:
            parts.append([f"{key}:{json.dumps(row, separators=_SEPARATORS)}" for row in numbers])
    return [f"{{{','.join(row)}}}" for row in zip(*parts, strict=True)]
