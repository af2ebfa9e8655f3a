"""Settings by field: what the caller gave, and the tuned defaults where nothing was given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..errors import DataError
from ._rows import RowArrays

__all__ = ["Tuned", "by_field", "tuned_by_field"]

# Stands for the columns that are in no field.
NO_FIELD = ""


class Tuned(NamedTuple):
    """What a parameter is worth where it is None or names no value for a field."""

    learning_rate: float
    l2_linear: float
    l2_factors: float


def tuned_by_field(rows: RowArrays, ids: Tuned, side: Tuned) -> dict[str, Tuned]:
    """Field -> defaults: ``ids`` for the two fields of the grid, ``side`` for every other.

    Rows without a grid, or without names of fields, have no ids that one could tell from other fields: all take
    ``ids``.
    """
    grid = rows.grid if ids != side and rows.field_ranges else []
    other = side if grid else ids
    return {
        NO_FIELD: other,
        **{name: ids if span in grid else other for name, span in rows.field_ranges.items()},
    }


def by_field(
    parameter: str, value: Any, tuned: Mapping[str, float], *, besides: Iterable[str] = ()
) -> dict[str, float]:
    """Field -> value: one number for all, or those that a mapping names and the tuned ones for the rest.

    ``besides``: keys of the mapping that are no fields.
    """
    if value is None:
        return dict(tuned)
    if not isinstance(value, Mapping):
        return dict.fromkeys(tuned, float(value))
    fields = {name for name in tuned if name != NO_FIELD}
    unknown = sorted(map(str, set(value) - fields - set(besides)))
    if unknown:
        known = ", ".join(sorted(fields)) or "none (pass field_ranges)"
        raise DataError(f"{parameter} names no field {unknown[0]!r}; the fields are: {known}")
    return {name: float(value.get(name, default)) for name, default in tuned.items()}
