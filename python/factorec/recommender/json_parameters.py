"""Constructor parameters in a model file."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..encoding import fields_from_json, fields_to_json
from ..errors import DataError, FormatError

__all__ = ["construct", "to_json"]

# Parameters that earlier files do not have, and what was so without them.
_LATER: dict[str, Any] = {
    "duplicates": "raise",
    "uncatalogued": "ignore",
    "soft_positives": None,
    "search_with": "samples",
    "average": False,
    "n_seeds": 1,
    "n_samples": 64,
    "burn_in": None,
    "row_noise": True,
    "interactions": "all",
}


def construct(kind: type[Any], parameters: Any, **more: Any) -> Any:
    """An object of a class from the allow-list, with exactly the parameters that its constructor has."""
    values = {
        name: fields_from_json(value) if name == "fields" else from_json(value) for name, value in parameters.items()
    }
    expected = set(kind._get_param_names()) - set(more)
    for name in (set(_LATER) & expected) - set(values):
        values[name] = _LATER[name]
    if set(values) != expected:
        odd = ", ".join(sorted(set(values) ^ expected))[:200]
        raise FormatError(f"parameters of {kind.__name__} that are unknown or missing: {odd}")
    return kind(**values, **more)


def to_json(name: str, value: Any) -> Any:
    """A constructor parameter as JSON; dicts as pairs, since JSON has only strings as keys; arrays as lists."""
    if name == "random_state" and not isinstance(value, (int, np.integer)):
        return None  # a generator is used up by fit; the seed drawn from it is in the solver's state
    if name == "fields":
        return fields_to_json(value)
    if isinstance(value, dict):
        return {"pairs": [[to_json("", key), to_json("", item)] for key, item in value.items()]}
    if isinstance(value, list | tuple | np.ndarray):
        return [to_json("", item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise DataError(f"parameter {name!r} cannot be saved: {value!r:.80} is no number, text, or dict or list of these")


def from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict):
        return {from_json(key): from_json(item) for key, item in value["pairs"]}
    return value
