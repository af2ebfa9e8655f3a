"""The ids of users or items: one feature column each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from .._sparse import one_hot
from ..tables import series
from ..vocabulary import Vocabulary
from .base import Field, Learnt

__all__ = ["IdField"]


class IdField(Field):
    """One column per trained id, with value 1 in the id's own (one-hot).

    Parameters
    ----------
    name : str
    vocabulary : Vocabulary
        The trained ids; their places are the columns.
    column : hashable, optional
        The column of ids in a table; None: `name`.

    Examples
    --------
    >>> IdField("item_id", Vocabulary([3, 7])).rows({"item_id": [7, 5, 3]}).toarray()
    array([[0., 1.],
           [0., 0.],
           [1., 0.]], dtype=float32)
    """

    def __init__(self, name: str, vocabulary: Vocabulary, column: Any = None) -> None:
        super().__init__(name)
        self.vocabulary = vocabulary
        self.column = name if column is None else column

    @property
    def n_columns(self) -> int:
        """How many ids there are."""
        return len(self.vocabulary)

    def feature_names(self) -> list[str]:
        """Name the columns ``field_id``, as scikit-learn's OneHotEncoder does."""
        return [f"{self.name}_{value}" for value in self.vocabulary.ids.tolist()]

    def distinct(self, table: Any) -> tuple[csr_matrix, npt.NDArray[np.int64]]:
        """Turn ids into rows; an unknown id has a zero row."""
        index = self.vocabulary.index(series(table, self.column))
        rows = one_hot(np.append(np.arange(self.n_columns), -1), self.n_columns)
        return rows, np.where(index < 0, self.n_columns, index)

    def learnt(self) -> Learnt:
        """Nothing but the ids, which are kept elsewhere."""
        return Learnt()
