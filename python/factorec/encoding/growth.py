"""More users, items and values of context, without moving what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, vstack

from ..errors import DataError
from ._sparse import empty_rows
from .catalogue import read_catalogue, refuse_uncatalogued, side_rows
from .contexts import find_entities
from .fields import IdField, RowsById
from .layout import Context, Layout, Side
from .vocabulary import Vocabulary

__all__ = ["extended"]


def extended(
    layout: Layout, given: Mapping[str, tuple[Any, Any]], context: Any, duplicates: str, uncatalogued: str
) -> tuple[Layout, npt.NDArray[np.int64]]:
    """Make the layout with more ids of a side and rows of its catalogue, and of context.

    Returns
    -------
    layout : Layout
    column_map : ndarray of shape (n_features,), int64
        The new place of each old column.
    """
    sides = {
        name: _extended_side(side, name, *given[name], duplicates, uncatalogued) for name, side in layout.sides.items()
    }
    contexts = list(layout.contexts.values())
    if context is not None:
        contexts = [Context(c.field, find_entities(c.rows, c.field, context)[0]) for c in contexts]
    grown = Layout(sides["user"], contexts, sides["item"])
    column_map = np.empty(layout.n_features, dtype=np.int64)
    for field, (start, stop) in layout.ranges.items():
        column_map[start:stop] = np.arange(stop - start) + grown.ranges[field][0]
    return grown, column_map


def _extended_side(side: Side, name: str, ids: Any, table: Any, duplicates: str, uncatalogued: str) -> Side:
    wanted = side.ids.vocabulary.extend(ids)
    new_ids = wanted.ids[len(side.ids.vocabulary) :]
    catalogue = None
    if table is not None and side.fields:
        catalogue = read_catalogue(f"{name}s", table, side.ids.column, duplicates)
        new_ids = np.concatenate([new_ids, catalogue.ids.ids]) if len(catalogue.ids) else new_ids
    entities = side.entities.extend(new_ids)
    added = Vocabulary(entities.ids[len(side.entities) :], name=entities.name)
    if catalogue is not None:
        refuse_uncatalogued(catalogue, added, uncatalogued)
    elif uncatalogued == "raise" and len(added) and not all(isinstance(field, RowsById) for field in side.fields):
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
