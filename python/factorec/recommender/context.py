"""What `context=` says: for each query, rows over the features of the context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..encoding.tables import column_names, n_rows
from ..errors import DataError
from .interactions import read_column

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["context_columns", "query_columns", "read_context"]


def context_columns(rec: Recommender) -> list[Any]:
    """The columns that the context fields of a fitted recommender read."""
    fields = rec.encoder_.declared_fields_["context"]
    return list(dict.fromkeys(name for field in fields for name in field.columns_read))


def query_columns(rec: Recommender, table: Any) -> dict[Any, NDArray[Any]]:
    """The context columns of a table of queries."""
    return {name: read_column(table, name, "table") for name in context_columns(rec)}


def read_context(rec: Recommender, context: Any, n_queries: int) -> csr_matrix | None:
    """Resolve `context=`.

    Parameters
    ----------
    rec : Recommender
        Fitted.
    context : dict, table or None
        By column: one value for all queries, or one for each.
    n_queries : int

    Returns
    -------
    csr_matrix of shape (n_queries, n_features) or (1, n_features), or None
        One row if it is the same for all; None if the model has no context fields or none is given.

    Raises
    ------
    DataError
        If the model has context fields and `context` is None, a name is not one of theirs, a column has another
        length, or a value cannot be used.
    """
    names = context_columns(rec)
    if not names:
        if context is not None and len(column_names(context)):
            raise DataError("context: the model has no context fields; leave it out")
        return None
    shown = ", ".join(map(repr, names))
    if context is None:
        example = f"{{{names[0]!r}: …}}"
        raise DataError(
            f"the model has context fields (columns {shown}): give context={example}, one value or one for each "
            "user; context={} ranks without any context"
        )
    try:
        table = _as_table(context, names, n_queries)
        return _rows(rec, table)
    except DataError as error:
        raise DataError(f"context: {error}") from None


def _as_table(context: Any, names: list[Any], n_queries: int) -> dict[Any, Any]:
    """The columns that are there, all of length `n_queries`, or all of length 1 if each value stands for all."""
    if not isinstance(context, Mapping):
        given = {name: read_column(context, name, "") for name in column_names(context) if name in names}
        if n_rows(context) != n_queries:
            raise DataError(f"the table has {n_rows(context):,} rows for {n_queries:,} users; give one row for each")
        return given
    for name in context:
        if name not in names:
            raise DataError(f"there is no context column {name!r}, only {', '.join(map(repr, names))}")
    one_for_all = {name: _is_one_value(value) for name, value in context.items()}
    if all(one_for_all.values()):
        return {name: _repeated(value, 1) for name, value in context.items()}
    table = {}
    for name, value in context.items():
        table[name] = _repeated(value, n_queries) if one_for_all[name] else value
        if len(table[name]) != n_queries:
            raise DataError(f"column {name!r} has {len(table[name]):,} values for {n_queries:,} users")
    return table


def _is_one_value(value: Any) -> bool:
    return value is None or isinstance(value, str | bytes) or np.ndim(value) == 0


def _repeated(value: Any, n: int) -> NDArray[Any]:
    if value is None or isinstance(value, str | bytes):
        return np.full(n, value, dtype=object)
    return np.full(n, value)


def _rows(rec: Recommender, table: Mapping[Any, Any]) -> csr_matrix | None:
    total = None
    for field in rec.encoder_.declared_fields_["context"]:
        needed = field.columns_read
        absent = [name for name in needed if name not in table]
        if len(absent) == len(needed):
            continue  # a field that is left out adds nothing
        if absent:
            raise DataError(f"field {field.field_name!r} also needs the column {absent[0]!r}")
        rows = rec.encoder_.rows_of(field.field_name, {name: table[name] for name in needed})
        total = rows if total is None else total + rows
    return None if total is None else csr_matrix(total)
