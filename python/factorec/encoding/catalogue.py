"""Catalogues: the table of users or of items, one row each, and what fields make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from ..errors import DataError
from ._sparse import empty_rows, one_hot, side_by_side, take_rows
from .fields import Declaration, Field, History, HistoryField, IdField, Precomputed, RowsById
from .layout import Side
from .tables import check_lengths, column_names, n_rows, series
from .vocabulary import Vocabulary

__all__ = ["features_of", "fit_side", "named", "read_catalogue", "refuse_uncatalogued", "side_rows"]

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Catalogue:
    """A table with a row per entity.

    Attributes
    ----------
    name : str
        ``"users"`` or ``"items"``, for messages.
    table : table
    ids : Vocabulary
        Its distinct ids, ascending.
    row : ndarray of shape (n_ids,), int64
        The row of the table that counts for each id.
    """

    name: str
    table: Any
    ids: Vocabulary
    row: Positions

    def rows_of(self, entities: Vocabulary) -> Positions:
        """Return the row of each entity, -1 where there is none."""
        return np.append(self.row, -1)[self.ids.index(entities.ids)]


def read_catalogue(name: str, table: Any, column: Any, duplicates: str) -> Catalogue:
    """Read the ids of a catalogue.

    Raises
    ------
    DataError
        If an id is missing, no id, or in more than one row while `duplicates` is ``"raise"``.
    """
    with named(name):
        check_lengths(table, column_names(table))
        ids, index = Vocabulary.from_values(series(table, column), name=column)
        if len(ids) < len(index) and duplicates == "raise":
            twice = int(np.argmax(np.bincount(index) > 1))
            rows = np.flatnonzero(index == twice)[:2]
            raise DataError(
                f"id {ids.ids[[twice]].tolist()[0]!r} of {column!r} stands in rows {rows[0]} and {rows[1]} (counting "
                f"from 0); drop one of them, or let the encoder take the 'first' or 'last' with duplicates="
            )
    row = np.full(len(ids), -1)
    order = np.arange(len(index))
    # Of positions written twice the last one stays.
    row[index[::-1] if duplicates == "first" else index] = order[::-1] if duplicates == "first" else order
    return Catalogue(name, table, ids, row)


def fit_side(
    trained: Vocabulary,
    declarations: Sequence[Declaration],
    table: Any,
    *,
    side: str,
    column: Any,
    duplicates: str,
    uncatalogued: str,
    met: tuple[Vocabulary, csr_matrix],
) -> Side:
    """Learn a side's fields from its catalogue, and encode everyone in it.

    Fields learn from rows of trained ids: nothing could be learnt about what only others have. `met` holds the
    trained ids of the other side, and the histories of this side's trained ids over them.
    """
    ids = IdField(str(column), trained, column)
    if not declarations:
        return Side(ids, (), trained, empty_rows(len(trained), 0))
    name = f"{side}s"
    reading = [f.field_name for f in declarations if f.reads_table]
    if reading and table is None:
        raise DataError(
            f"fields of the {side} ({', '.join(map(repr, reading))}) read the table {name}=, which is not given"
        )
    catalogue = learn = None
    if reading:
        catalogue = read_catalogue(name, table, column, duplicates)
        with named(name):
            trained.index(catalogue.ids.ids)  # refuses ids of another kind
        learn = catalogue.rows_of(trained)
        learn = learn[learn >= 0]
        if not len(learn):
            raise DataError(
                f"{name}: no row is that of an id in the training rows; the fields have nothing to learn from"
            )
        refuse_uncatalogued(catalogue, trained, uncatalogued)
    fields: list[Field] = []
    found = [] if catalogue is None else [catalogue.ids.ids]
    with named(name):
        for declaration in declarations:
            if isinstance(declaration, History):
                fields.append(declaration.fit_ids(met[0]))
            elif isinstance(declaration, Precomputed) and declaration.by_id:
                field = declaration.fit_rows(trained)
                assert field.ids is not None
                found.append(field.ids.ids)
                fields.append(field)
            else:
                fields.append(declaration.fit_field(table, learn))
    entities = trained.extend(np.concatenate(found)) if found else trained
    of_entities = np.where(np.arange(len(entities)) < len(trained), np.arange(len(entities)), -1)
    return Side(ids, tuple(fields), entities, side_rows(fields, catalogue, entities, take_rows(met[1], of_entities)))


def side_rows(
    fields: Sequence[Field], catalogue: Catalogue | None, entities: Vocabulary, met: csr_matrix | None = None
) -> csr_matrix:
    """Return the features of entities over the columns of the fields; none for those not in the catalogue.

    `met` holds their histories; None: they are empty.
    """
    row = np.full(len(entities), -1) if catalogue is None else catalogue.rows_of(entities)
    parts = []
    with named("" if catalogue is None else catalogue.name):
        for field in fields:
            if isinstance(field, RowsById):
                parts.append(field.rows_of(entities))
            elif isinstance(field, HistoryField):
                parts.append(empty_rows(len(entities), field.n_columns) if met is None else met)
            elif catalogue is None:
                parts.append(empty_rows(len(entities), field.n_columns))
            else:
                parts.append(take_rows(field.rows(catalogue.table), row))
    return side_by_side(parts)


def refuse_uncatalogued(catalogue: Catalogue, wanted: Vocabulary, uncatalogued: str) -> None:
    """Raise if ids are not in the catalogue and that is an error."""
    absent = wanted.ids[catalogue.rows_of(wanted) < 0]
    if uncatalogued == "raise" and len(absent):
        few = ", ".join(map(repr, absent[:5].tolist())) + (", …" if len(absent) > 5 else "")
        raise DataError(
            f"{catalogue.name}: {len(absent):,} ids of {wanted.name!r} in the training rows have no row here: {few}; "
            f"add them, or give uncatalogued='ignore'"
        )


def features_of(side: Side, table: Any) -> csr_matrix:
    """Encode rows of a catalogue over the columns of a side, own ids of known ones included."""
    check_lengths(table, column_names(table))
    index = np.full(n_rows(table), -1)
    if side.ids.column in column_names(table):
        index = side.entities.index(series(table, side.ids.column))
    known = np.where(index < 0, -1, side.columns[index])
    parts = [one_hot(known, side.ids.n_columns)]
    start = 0
    for field in side.fields:
        stop = start + field.n_columns
        if field.reads_table:
            parts.append(field.rows(table))
        else:
            parts.append(take_rows(csr_matrix(side.features[:, start:stop]), index))
        start = stop
    return side_by_side(parts)


class named:
    """Put the name of the table before what is wrong with it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self.name and type(error) is DataError and not str(error).startswith(f"{self.name}: "):
            raise DataError(f"{self.name}: {error}") from error.__cause__
