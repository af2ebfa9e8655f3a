"""JSON instances as rows, by the standard library's parser: what the core's reader is compared with."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

LARGEST = float(np.finfo(np.float32).max)


def reference_rows(body: bytes, n_features: int, *, lines: bool) -> list[tuple[list[int], list[np.float32]]]:
    """(columns, values) of each row; ValueError for what must be refused."""
    text = body.decode("utf-8-sig")
    if lines:
        instances = [parse(line) for line in text.split("\n") if line.strip(" \t\r\n")]
    else:
        document = parse(text)
        if not isinstance(document, Pairs):
            raise ValueError("no object")
        instances = document.only("instances")
        if not isinstance(instances, list):
            raise ValueError("instances is no array")
    return [row(instance, n_features) for instance in instances]


class Pairs(list):
    """The members of an object, in order, names given twice included."""

    def only(self, name: str) -> Any:
        found = [value for key, value in self if key == name]
        if len(found) != 1:
            raise ValueError(f"{name} is there {len(found)} times")
        return found[0]

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self)


def parse(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        return json.loads(text, object_pairs_hook=Pairs, parse_constant=refuse)
    except RecursionError:
        raise ValueError("deep") from None


def row(instance: Any, n_features: int) -> tuple[list[int], list[np.float32]]:
    if not isinstance(instance, Pairs) or ("features" in instance) == ("data" in instance):
        raise ValueError("neither or both")
    if "features" in instance:
        return dense(instance.only("features"), n_features)
    data = instance.only("data")
    features = data.only("features") if isinstance(data, Pairs) else None
    if not isinstance(features, Pairs) or {key for key, _ in features} - {"keys", "shape", "values"}:
        raise ValueError("no features")
    values = features.only("values")
    if "shape" in features:
        shape = features.only("shape")
        if not isinstance(shape, list) or [type(size) for size in shape] != [int] or shape != [n_features]:
            raise ValueError("shape")
    if "keys" not in features:
        return ([], []) if "shape" in features and values == [] else dense(values, n_features)
    keys, numbers = features.only("keys"), as_numbers(values)
    if "shape" not in features or not isinstance(keys, list) or len(keys) != len(numbers):
        raise ValueError("keys")
    if any(type(key) is not int or not 0 <= key < n_features for key in keys):
        raise ValueError("keys")
    return keys, numbers


def dense(values: Any, n_features: int) -> tuple[list[int], list[np.float32]]:
    numbers = as_numbers(values)
    if len(numbers) != n_features:
        raise ValueError("length")
    columns = [column for column, number in enumerate(numbers) if number != 0]
    return columns, [numbers[column] for column in columns]


def as_numbers(values: Any) -> list[np.float32]:
    if isinstance(values, Pairs) or not isinstance(values, list):
        raise ValueError("no array")
    if any(type(value) not in (int, float) or abs(value) > LARGEST for value in values):
        raise ValueError("no number")
    return [np.float32(float(value)) for value in values]
