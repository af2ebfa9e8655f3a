"""Fields inferred from tables: which columns look like features, and of what kind."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError
from ._columns import read_categories, read_numbers
from ._ids import factorize, is_missing, kind_of
from ._labels import read_labels
from ._values import values_of
from .catalogue import named
from .fields import Categorical, Declaration, MultiLabel, Numeric
from .tables import column_names, n_rows, series

__all__ = ["infer_fields"]

SEPARATORS = ("|", ";")
FEW_NUMBERS = 12  # integers with at most this many different values are categories


@dataclass(frozen=True)
class Choice:
    """What becomes of a column, and why."""

    side: str
    column: Hashable
    field: Declaration | None
    why: str


def infer_fields(tables: Mapping[str, Any], names: Mapping[str, Hashable]) -> dict[str, list[Declaration]]:
    """Choose fields for the columns of the catalogues, and print what was chosen.

    Parameters
    ----------
    tables : dict
        The catalogues of ``"user"`` and ``"item"``; None for one that is not there.
    names : dict
        The columns of their ids.

    Returns
    -------
    dict of str to list of Declaration
        Columns of lists and of strings with ``|`` or ``;`` become `MultiLabel`; strings, booleans and integers of few
        different values `Categorical`; other numbers `Numeric`. Columns with nearly as many different
        values as rows (ids, names, texts), with one value only, of dates, or of anything else are left out, and so
        is the context.
    """
    for side, table in tables.items():
        if table is not None:
            with named(f"{side}s"):
                series(table, names[side])
    choices = [
        _choose(side, table, column)
        for side, table in tables.items()
        if table is not None
        for column in column_names(table)
        if column != names[side]
    ]
    print(_as_text(choices))
    return {side: [choice.field for choice in choices if choice.side == side and choice.field] for side in tables}


def _as_text(choices: list[Choice]) -> str:
    lines = [("side", "column", "field", "why")]
    lines += [(c.side, str(c.column), repr(c.field) if c.field else "left out", c.why) for c in choices]
    widths = [max(map(len, column)) for column in list(zip(*lines, strict=True))[:3]]
    rows = ["  ".join([text.ljust(w) for text, w in zip(line, widths, strict=False)] + [line[3]]) for line in lines]
    if not choices:
        rows = ["no table of users or items is given, so there is nothing to choose from"]
    return "\n".join(
        [
            "fields='auto' chose:",
            *(f"  {row}" for row in rows),
            "  context: none; declare it in fields={'context': […]}",
        ]
    )


def _choose(side: str, table: Any, column: Hashable) -> Choice:
    try:
        field, why = _field(table, column)
    except DataError as error:
        field, why = None, str(error)
    return Choice(side, column, field, why)


def _field(table: Any, column: Hashable) -> tuple[Declaration | None, str]:
    values = values_of_any(table, column)
    present = [value for value in values if not _is_none(value)] if values.dtype.kind == "O" else values
    if len(present) and values.dtype.kind == "O" and not isinstance(present[0], str | bool | int | float):
        return _labels(table, column)
    if values.dtype.kind in "mM":
        return None, "dates: declare Datetime(column, part=…), or Precomputed(column, transformer) for numbers"
    if values.dtype.kind == "f":
        numbers = read_numbers(table, column)
        numbers = numbers[~np.isnan(numbers)]
        n_distinct = len(np.unique(numbers))
        if n_distinct < 2:
            return None, "one value only" if n_distinct else "no value"
        return Numeric(column), f"numbers, {n_distinct:,} different"
    found = read_categories(table, column)
    distinct, codes = factorize(found.ids)
    n_distinct, n = len(distinct), len(codes)
    if n_distinct < 2:
        return None, "one value only" if n_distinct else "no value"
    if kind_of(found.ids) == "strings":
        for separator in SEPARATORS:
            several = sum(separator in text for text in distinct.tolist())
            if several * 10 >= n_distinct:
                labels = read_labels(table, column, separator)
                if len(factorize(labels.ids)[0]) <= _most(n):
                    return MultiLabel(column, separator=separator), f"strings with {separator!r}"
    elif n_distinct > FEW_NUMBERS:
        if n_distinct == n:
            return None, "a different integer in every row: ids?"
        return Numeric(column), f"integers, {n_distinct:,} different"
    if n_distinct > _most(n):
        return None, f"{n_distinct:,} different values in {n:,} rows: ids, names or texts?"
    return Categorical(column), f"{n_distinct:,} different values"


def _labels(table: Any, column: Hashable) -> tuple[Declaration | None, str]:
    labels = read_labels(table, column, None)
    n_distinct = len(factorize(labels.ids)[0])
    if not n_distinct:
        return None, "no label"
    if n_distinct > _most(labels.n_rows):
        return None, f"{n_distinct:,} different labels in {labels.n_rows:,} rows: too many to learn each"
    return MultiLabel(column), f"lists, {n_distinct:,} different labels"


def _most(n: int) -> int:
    """How many different values a column of n may have so that there are some rows for each."""
    return min(n // 2, max(20, n // 5))


def _is_none(value: object) -> bool:
    return not isinstance(value, list | tuple | set | frozenset | np.ndarray) and is_missing(value)


def values_of_any(table: Any, column: Hashable) -> Any:
    """Read a column whose type is not known, lists included."""
    try:
        return values_of(table, column)
    except (DataError, ValueError):
        if not n_rows(table):
            raise
        return np.array([None], dtype=object)
