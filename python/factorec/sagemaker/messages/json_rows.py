"""JSON and JSON lines requests (contract 3.1)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .errors import PayloadError
from .rows import RowBuilder

__all__ = ["read_json", "read_json_lines"]

_FIELDS = {"keys", "shape", "values"}


def read_json(body: bytes, n_features: int) -> Any:
    """Read ``{"instances": [...]}``; other entries, such as ``configuration``, are ignored.

    Each instance is ``{"features": [...]}``, ``{"data": {"features": {"values": [...]}}}`` or
    ``{"data": {"features": {"keys": [...], "shape": [N], "values": [...]}}}``, in any mixture.

    Parameters
    ----------
    body : bytes
    n_features : int

    Returns
    -------
    csr_array of float32, shape (n_rows, n_features)

    Raises
    ------
    PayloadError

    Examples
    --------
    >>> rows = read_json(b'{"instances": [{"features": [0, 2]}, {"data": {"features": {"values": [1, 0]}}}]}', 2)
    >>> rows.toarray()
    array([[0., 2.],
           [1., 0.]], dtype=float32)
    """
    document = _parse(_text(body), "")
    if not isinstance(document, dict) or not isinstance(document.get("instances"), list):
        raise PayloadError('the body must be a JSON object with an array "instances"')
    rows = RowBuilder(n_features, lambda row: f"instances[{row}]", may_hold_bools=_may_hold_bools(body))
    for instance in document["instances"]:
        _add(rows, instance, lambda: f"instances[{len(rows)}]")
    return rows.build()


def read_json_lines(body: bytes, n_features: int) -> Any:
    r"""Read one instance, as in `read_json`, from each line; empty lines are skipped.

    Parameters
    ----------
    body : bytes
    n_features : int

    Returns
    -------
    csr_array of float32, shape (n_rows, n_features)

    Raises
    ------
    PayloadError

    Examples
    --------
    >>> read_json_lines(b'{"features": [0, 2]}\n{"features": [1, 0]}\n', 2).shape
    (2, 2)
    """
    numbers: list[int] = []  # of the lines with an instance, from 1
    rows = RowBuilder(n_features, lambda row: f"line {numbers[row]}", may_hold_bools=_may_hold_bools(body))
    for number, line in enumerate(_text(body).split("\n"), start=1):
        if not line or line.isspace():
            continue
        numbers.append(number)
        _add(rows, _parse(line, f"line {number}"), lambda: f"line {numbers[-1]}")
    return rows.build()


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")  # a byte order mark at the start is no part of the text
    except UnicodeDecodeError as error:
        raise PayloadError(f"byte {error.start} is not UTF-8") from None


def _may_hold_bools(body: bytes) -> bool:
    return b"true" in body or b"false" in body


def _parse(text: str, where: str) -> Any:
    at = f"{where}: " if where else ""
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise PayloadError(f"{at}not JSON: {error.msg} at character {error.pos}") from None
    except ValueError as error:  # integers of thousands of digits, and NaN
        raise PayloadError(f"{at}not JSON: {str(error)[:100]}") from None
    except RecursionError:
        raise PayloadError(f"{at}nested too deeply") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _add(rows: RowBuilder, instance: Any, where: Callable[[], str]) -> None:
    if not isinstance(instance, dict) or ("features" in instance) == ("data" in instance):
        raise PayloadError(f'{where()} must be an object with either "features" or "data"')
    if "features" in instance:
        values = instance["features"]
        if not isinstance(values, list):
            raise PayloadError(f"{where()}: features must be an array of numbers")
        rows.add_dense(values, "features")
        return
    data = instance["data"]
    features = data.get("features") if isinstance(data, dict) else None
    if not isinstance(features, dict):
        raise PayloadError(f'{where()}.data must be an object with an object "features"')
    at = "data.features"
    if not features.keys() <= _FIELDS:
        unknown = sorted(features.keys() - _FIELDS)[0]
        raise PayloadError(f"{where()}: {at} has an unknown entry {unknown[:40]!r}; it may have keys, shape and values")
    values, keys, shape = features.get("values"), features.get("keys"), features.get("shape")
    if not isinstance(values, list):
        raise PayloadError(f"{where()}: {at}.values must be an array of numbers")
    if "shape" in features and (
        not isinstance(shape, list) or len(shape) != 1 or isinstance(shape[0], bool) or shape[0] != rows.n_features
    ):
        raise PayloadError(f"{where()}: {at}.shape is not [{rows.n_features}], the number of features of the model")
    if "keys" in features:
        if not isinstance(keys, list):
            raise PayloadError(f"{where()}: {at}.keys must be an array of integers")
        if "shape" not in features:
            raise PayloadError(f"{where()}: {at} has keys and no shape; add shape: [{rows.n_features}]")
        rows.add_sparse(keys, values, at)
    elif "shape" in features and not values:
        rows.add_sparse([], [], at)  # as in recordio-protobuf: a shape and nothing else is a row of zeros
    else:
        rows.add_dense(values, f"{at}.values")
