"""Where the feature columns of everything fitted stand: user ids and fields, contexts, item ids and fields."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from ._sparse import one_hot, place, side_by_side
from .entities import Entities
from .fields import Field, IdField
from .vocabulary import Vocabulary

__all__ = ["Context", "Layout", "Side"]


@dataclass(frozen=True, eq=False)
class Side:
    """Users or items: who there is, and what their fields make of them, in columns counted from 0.

    Attributes
    ----------
    ids : IdField
        The trained ids, in the order of their columns.
    fields : tuple of Field
        The side's other fields.
    entities : Vocabulary
        All ids: trained ones, and those of a catalogue only.
    features : csr_matrix of shape (n_entities, n_columns of `fields`), float32
    """

    ids: IdField
    fields: tuple[Field, ...]
    entities: Vocabulary
    features: csr_matrix

    @property
    def all_fields(self) -> tuple[Field, ...]:
        """Ids first."""
        return (self.ids, *self.fields)

    @cached_property
    def columns(self) -> npt.NDArray[np.int64]:
        """The column of each entity's own id, -1 for none."""
        if self.entities is self.ids.vocabulary:
            return np.arange(len(self.entities))
        return self.ids.vocabulary.index(self.entities.ids)

    @property
    def rows(self) -> csr_matrix:
        """The entities' features, own ids included."""
        own = one_hot(self.columns, self.ids.n_columns)
        return side_by_side([own, self.features]) if self.fields else own


@dataclass(frozen=True, eq=False)
class Context:
    """A field of the interactions, and its distinct rows in columns counted from 0."""

    field: Field
    rows: csr_matrix


class Layout:
    """Users, contexts and items side by side.

    Parameters
    ----------
    user, item : Side
    contexts : sequence of Context
    """

    def __init__(self, user: Side, contexts: list[Context], item: Side) -> None:
        self.sides = {"user": user, "item": item}
        self.contexts = {context.field.name: context for context in contexts}
        self.blocks: dict[str, tuple[Field, ...]] = {
            "user": user.all_fields,
            **{name: (context.field,) for name, context in self.contexts.items()},
            "item": item.all_fields,
        }
        self.ranges: dict[str, tuple[int, int]] = {}
        self.starts: dict[str, int] = {}
        stop = 0
        for block, fields in self.blocks.items():
            self.starts[block] = stop
            for field in fields:
                self.ranges[field.name] = (stop, stop + field.n_columns)
                stop += field.n_columns
        self.n_features = stop
        self.entities = {block: self._entities(block) for block in self.blocks}

    @property
    def fields(self) -> dict[str, Field]:
        """Every field by name, in column order."""
        return {field.name: field for fields in self.blocks.values() for field in fields}

    def ranges_of(self, block: str) -> dict[str, tuple[int, int]]:
        """The columns of a block's fields."""
        return {field.name: self.ranges[field.name] for field in self.blocks[block]}

    def placed(self, block: str, rows: csr_matrix) -> csr_matrix:
        """Move rows over a block's own columns to where these stand."""
        return place(rows, self.starts[block], self.n_features)

    def _entities(self, block: str) -> Entities:
        if block in self.contexts:
            rows = self.contexts[block].rows
            return Entities(None, self.placed(block, rows), np.full(rows.shape[0], -1))
        side = self.sides[block]
        columns = np.where(side.columns < 0, -1, side.columns + self.starts[block])
        return Entities(side.entities, self.placed(block, side.rows), columns)
