"""What a caller may give as ``fields``, checked."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from .fields import Categorical, Datetime, Declaration, History, MultiLabel, Numeric, Precomputed

__all__ = ["SIDES", "Declared", "check_names", "declared", "fields_from_json", "fields_to_json", "has_history"]

SIDES = ("user", "context", "item")
KINDS: dict[str, type[Declaration]] = {
    kind.__name__: kind for kind in (Categorical, MultiLabel, Numeric, Precomputed, History, Datetime)
}

Declared = dict[str, list[Declaration]]


def declared(fields: Any) -> Declared:
    """Return the declarations of every side; a column's name alone is a `Categorical`.

    Raises
    ------
    DataError
        If `fields` is not a dict of lists by side, or a list holds something else.
    """
    if fields is None:
        fields = {}
    if not isinstance(fields, Mapping) or not set(fields) <= set(SIDES):
        given = f"the keys {', '.join(map(repr, fields))}" if isinstance(fields, Mapping) else repr(fields)
        raise DataError(f"fields must be 'auto' or a dict of lists by 'user', 'item' and 'context', got {given}")
    return {side: [_declaration(side, entry) for entry in _entries(side, fields.get(side))] for side in SIDES}


def _entries(side: str, entries: Any) -> Sequence[Any]:
    if entries is None:
        return ()
    if isinstance(entries, str) or not isinstance(entries, Sequence):
        raise DataError(f"fields[{side!r}] must be a list of fields, got {entries!r}")
    return entries


def _declaration(side: str, entry: Any) -> Declaration:
    if isinstance(entry, History):
        if side == "context":
            raise DataError("a History is a field of the user or of the item, not of the context")
        return entry if entry.name is not None else History(name=f"{side}_history")
    if isinstance(entry, Declaration):
        return entry
    if isinstance(entry, type) or not isinstance(entry, Hashable):
        raise DataError(f"fields[{side!r}] holds {entry!r}, which is neither a field nor the name of a column")
    return Categorical(entry)


def has_history(fields: Any) -> bool:
    """Whether a `History` is among what a caller gave as ``fields``; what else is wrong with these is not looked at."""
    sides = fields.values() if isinstance(fields, Mapping) else ()
    return any(isinstance(field, History) for side in sides if isinstance(side, Sequence) for field in side)


def check_names(user: Any, item: Any, fields: Declared) -> None:
    """Refuse names that stand for two things: id columns, fields, and the blocks of contexts."""
    names = [str(user), *(field.field_name for side in SIDES for field in fields[side]), str(item)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(
            f"user, item and fields must have different names, and {twice!r} is there twice; give a field another name="
        )
    for field in fields["context"]:
        if field.field_name in ("user", "item"):
            raise DataError(f"a context cannot be named {field.field_name!r}; give the field another name=")


def fields_to_json(fields: Any) -> Any:
    """Return what was given as ``fields`` (or a side of it) in a form that JSON can hold.

    Parameters
    ----------
    fields : dict of str to list, "auto" or None

    Returns
    -------
    dict, "auto" or None
        A declaration is ``{"kind": …, "parameters": {…}}``; a column's name stays as it is. Of a transformer only
        the name of its class is kept: enough to say what is missing, not to fit again.

    Examples
    --------
    >>> from factorec.encoding import Numeric, fields_from_json, fields_to_json
    >>> as_json = fields_to_json({"user": ["gender", Numeric("age", bins=5)]})
    >>> fields_from_json(as_json)
    {'user': ['gender', Numeric(bins=5, column='age')]}
    """
    if not isinstance(fields, Mapping):
        return fields
    return {side: [_entry_to_json(entry) for entry in entries] for side, entries in fields.items()}


def fields_from_json(fields: Any) -> Any:
    """Return what `fields_to_json` was given.

    Parameters
    ----------
    fields : dict of str to list, "auto" or None

    Returns
    -------
    dict, "auto" or None

    Raises
    ------
    DataError
        If a kind or a parameter is none that there is.

    Examples
    --------
    >>> from factorec.encoding import fields_from_json
    >>> fields_from_json({"item": [{"kind": "Categorical", "parameters": {"column": "maker"}}]})
    {'item': [Categorical(column='maker')]}
    """
    if not isinstance(fields, Mapping):
        return fields
    return {side: [_entry_from_json(entry) for entry in entries] for side, entries in fields.items()}


def _entry_to_json(entry: Any) -> Any:
    if not isinstance(entry, Declaration):
        return entry
    parameters = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in entry.get_params(False).items()
    }
    if isinstance(entry, Precomputed):  # nothing executable, and the rows stand with the entities
        if entry.transformer is not None and not isinstance(entry.transformer, str):
            parameters["transformer"] = type(entry.transformer).__name__
        if entry.rows is not None:
            parameters |= {"rows": "not saved", "ids": "not saved"}
    return {"kind": type(entry).__name__, "parameters": parameters}


def _entry_from_json(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    kind = KINDS.get(str(entry.get("kind")))
    parameters = entry.get("parameters")
    if kind is None or not isinstance(parameters, Mapping) or not set(parameters) <= set(kind._get_param_names()):
        raise DataError(f"{entry!r:.200} describes no field")
    return kind(**parameters)
