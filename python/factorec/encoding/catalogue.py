"""Catalogues: the table of users or of items, one row each, and what fields make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from ..errors import DataError
from ._sparse import empty_rows, side_by_side, take_rows
from .fields import Declaration, Field, IdField
from .layout import Side
from .tables import column_names, n_rows, series
from .vocabulary import Vocabulary

__all__ = ["features_of", "fit_side", "read_catalogue", "refuse_uncatalogued", "side_rows"]

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
        place = self.ids.index(entities.ids) if len(self.ids) else np.full(len(entities), -1)
        return np.where(place < 0, -1, self.row[place]) if len(self.row) else place


def read_catalogue(name: str, table: Any, column: Any, duplicates: str) -> Catalogue:
    """Read the ids of a catalogue.

    Raises
    ------
    DataError
        If an id is missing, no id, or in more than one row while `duplicates` is ``"raise"``.
    """
    with named(name):
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


def learn_fields(declarations: Sequence[Declaration], catalogue: Catalogue, trained: Vocabulary) -> list[Field]:
    """Fit fields to the catalogue's rows of trained ids: nothing could be learnt about what only others have."""
    learn = catalogue.rows_of(trained)
    learn = learn[learn >= 0]
    if not len(learn):
        raise DataError(
            f"{catalogue.name}: no row is that of an id in the training rows; the fields have nothing to learn from"
        )
    with named(catalogue.name):
        return [declaration.fit_field(catalogue.table, learn) for declaration in declarations]


def side_rows(fields: Sequence[Field], catalogue: Catalogue, entities: Vocabulary) -> csr_matrix:
    """Return the features of entities over the columns of the fields; none for those not in the catalogue."""
    row = catalogue.rows_of(entities)
    with named(catalogue.name):
        return take_rows(side_by_side([field.rows(catalogue.table) for field in fields]), row)


def fit_side(
    trained: Vocabulary,
    declarations: Sequence[Declaration],
    table: Any,
    *,
    side: str,
    column: Any,
    duplicates: str,
    uncatalogued: str,
) -> Side:
    """Learn a side's fields from its catalogue, and encode everyone in it."""
    ids = IdField(str(column), trained, column)
    if not declarations:
        return Side(ids, (), trained, empty_rows(len(trained), 0))
    name = f"{side}s"
    if table is None:
        named_fields = ", ".join(repr(field.field_name) for field in declarations)
        raise DataError(f"fields of the {side} ({named_fields}) read the table {name}=, which is not given")
    catalogue = read_catalogue(name, table, column, duplicates)
    with named(name):
        entities = trained.extend(catalogue.ids.ids)
    refuse_uncatalogued(catalogue, trained, uncatalogued)
    fields = tuple(learn_fields(declarations, catalogue, trained))
    return Side(ids, fields, entities, side_rows(fields, catalogue, entities))


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
    n = n_rows(table)
    own = side.ids.rows(table) if side.ids.column in column_names(table) else empty_rows(n, side.ids.n_columns)
    return side_by_side([own, *(field.rows(table) for field in side.fields)])


class named:
    """Put the name of the table before what is wrong with it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if type(error) is DataError and not str(error).startswith(f"{self.name}: "):
            raise DataError(f"{self.name}: {error}") from None
