"""What a column contributes to the rows of a factorization machine: a range of feature columns, with values.

A field turns values into sparse rows over columns that the training rows gave it. So far there is one kind,
ids. Fields of several values (genres) or of numbers (age) are further subclasses of `Field`: whoever lays out
the columns needs no more than what stands there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from .vocabulary import Vocabulary

__all__ = ["Field", "IdField"]


class Field(ABC):
    """One contiguous range of feature columns, filled from one column of a table.

    Parameters
    ----------
    name : str
        The field's name, by which learning rates and penalties are given too.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    @abstractmethod
    def n_columns(self) -> int:
        """How many feature columns the field has."""

    @abstractmethod
    def rows(self, values: Any) -> csr_matrix:
        """Turn values into rows.

        Parameters
        ----------
        values : array-like of shape (n,)

        Returns
        -------
        csr_matrix of shape (n, n_columns), float32
            A row of zeros for a value that is not known.
        """

    @abstractmethod
    def feature_names(self) -> list[str]:
        """Name the feature columns."""


class IdField(Field):
    """One column per id, with value 1 in the id's own (one-hot).

    Parameters
    ----------
    name : str
    vocabulary : Vocabulary
        The ids; their places are the columns.

    Examples
    --------
    >>> IdField("item_id", Vocabulary([3, 7])).rows([7, 5, 3]).toarray()
    array([[0., 1.],
           [0., 0.],
           [1., 0.]], dtype=float32)
    """

    def __init__(self, name: str, vocabulary: Vocabulary) -> None:
        super().__init__(name)
        self.vocabulary = vocabulary

    @property
    def n_columns(self) -> int:
        """How many ids there are."""
        return len(self.vocabulary)

    def rows(self, values: Any) -> csr_matrix:
        """Turn n ids into rows of shape (n, n_ids), float32; an unknown id has a zero row."""
        return one_hot(self.vocabulary.index(values), self.n_columns)

    def feature_names(self) -> list[str]:
        """Name the columns ``field_id``, as scikit-learn's OneHotEncoder does."""
        return [f"{self.name}_{value}" for value in self.vocabulary.ids.tolist()]


def one_hot(index: npt.NDArray[np.integer[Any]], n_columns: int) -> csr_matrix:
    """Return rows with a 1 in column `index`, zero rows where it is -1."""
    known = index >= 0
    indptr = np.concatenate([[0], np.cumsum(known)])
    columns = index[known]
    return csr_matrix((np.ones(len(columns), dtype=np.float32), columns, indptr), shape=(len(index), n_columns))
