"""More users, items and values of context, without moving what is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, vstack

from ..errors import DataError
from ._sparse import empty_rows, side_by_side
from .catalogue import read_catalogue, refuse_uncatalogued, side_rows
from .contexts import find_entities
from .fields import Field, HistoryField, IdField
from .histories import longer_histories
from .layout import Context, Layout, Side
from .tables import check_lengths, series
from .vocabulary import Vocabulary

__all__ = ["extended"]


def extended(
    layout: Layout,
    given: Mapping[str, tuple[Any, Any]],
    context: Any,
    history: Mapping[str, Any],
    duplicates: str,
    uncatalogued: str,
) -> tuple[Layout, npt.NDArray[np.int64]]:
    """Make the layout with more ids of a side and rows of its catalogue, of context, and interactions in histories.

    Returns
    -------
    layout : Layout
    column_map : ndarray of shape (n_features,), int64
        The new place of each old column.
    """
    ids = {name: side.ids.vocabulary.extend(given[name][0]) for name, side in layout.sides.items()}
    sides = {
        name: _extended_side(side, name, ids[name], given[name][1], duplicates, uncatalogued)
        for name, side in layout.sides.items()
    }
    for name, other in (("user", "item"), ("item", "user")):
        sides[name] = _with_histories(sides[name], sides[other], history.get(name))
    contexts = list(layout.contexts.values())
    if context is not None:
        contexts = [Context(c.field, find_entities(c.rows, c.field, context)[0]) for c in contexts]
    grown = Layout(sides["user"], contexts, sides["item"])
    column_map = np.empty(layout.n_features, dtype=np.int64)
    for field, (start, stop) in layout.ranges.items():
        column_map[start:stop] = np.arange(stop - start) + grown.ranges[field][0]
    return grown, column_map


def _with_histories(side: Side, other: Side, table: Any) -> Side:
    """A side whose histories go over all ids that the other side has now, and know the rows of `table` too."""
    if not any(isinstance(field, HistoryField) for field in side.fields):
        return side
    own = met = np.empty(0, np.int64)
    if table is not None:
        check_lengths(table, [side.ids.column, other.ids.column])
        own = side.entities.index(series(table, side.ids.column))
        met = other.ids.vocabulary.index(series(table, other.ids.column))
    if not len(own) and all(f.n_columns == other.ids.n_columns for f in side.fields if isinstance(f, HistoryField)):
        return side
    fields: list[Field] = []
    parts = []
    start = 0
    for field in side.fields:
        part = csr_matrix(side.features[:, start : start + field.n_columns])
        start += field.n_columns
        if isinstance(field, HistoryField):
            field = HistoryField(field.name, other.ids.vocabulary)
            part = longer_histories(part, own, met, (len(side.entities), field.n_columns))
        fields.append(field)
        parts.append(part)
    return replace(side, fields=tuple(fields), features=side_by_side(parts))


def _extended_side(side: Side, name: str, wanted: Vocabulary, table: Any, duplicates: str, uncatalogued: str) -> Side:
    new_ids = wanted.ids[len(side.ids.vocabulary) :]
    catalogue = None
    if table is not None and side.fields:
        catalogue = read_catalogue(f"{name}s", table, side.ids.column, duplicates)
        new_ids = np.concatenate([new_ids, catalogue.ids.ids]) if len(catalogue.ids) else new_ids
    entities = side.entities.extend(new_ids)
    added = Vocabulary(entities.ids[len(side.entities) :], name=entities.name)
    if catalogue is not None:
        refuse_uncatalogued(catalogue, added, uncatalogued)
    elif uncatalogued == "raise" and len(added) and any(field.reads_table for field in side.fields):
        raise DataError(
            f"new ids of {added.name!r} have no features, since {name}s= is not given; give their rows there"
        )
    more = side_rows(side.fields, catalogue, added) if side.fields else empty_rows(len(added), 0)
    if not side.fields:
        entities = wanted  # the same object: every entity has its column
    features = side.features
    if len(added):
        features = csr_matrix(vstack([features, more], format="csr", dtype=np.float32))
    return Side(IdField(side.ids.name, wanted, side.ids.column), side.fields, entities, features)
