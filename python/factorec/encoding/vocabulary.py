"""Which ids there are, and the place of each."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ._ids import Ids, as_ids, factorize, kind_of, locate, plain
from .tables import to_array

__all__ = ["Vocabulary"]


class Vocabulary:
    """Distinct ids, each with its place. It does not change; `extend` makes a new one.

    Parameters
    ----------
    ids : array-like of shape (n_ids,)
        Integers or strings, none twice; they keep their order. `from_values` collects them from a column.
    name : str
        What messages call the column.
    what : str
        What messages call the values: categories of a field, say.

    Attributes
    ----------
    ids : ndarray of shape (n_ids,)
        int64, or str in an object array. Read-only.

    Examples
    --------
    >>> vocabulary, index = Vocabulary.from_values(["b", "a", "b"])
    >>> vocabulary.ids
    array(['a', 'b'], dtype=object)
    >>> index
    array([1, 0, 1])
    >>> vocabulary.index(["a", "z"])
    array([ 0, -1])
    """

    ids: npt.NDArray[Any]

    def __init__(self, ids: Any, *, name: object = "id", what: str = "ids") -> None:
        self._take(plain(_read(ids, name, what)), name, what)

    def _take(self, ids: npt.NDArray[Any], name: object, what: str = "ids") -> None:
        self.ids = ids.view()
        self.ids.flags.writeable = False
        self.name = name
        self.what = what
        self._order: npt.NDArray[np.intp] | None = None  # what sorts the ids
        if not (ids[1:] > ids[:-1]).all():
            self._order = np.argsort(ids, kind="stable")
            ordered = ids[self._order]
            twice = ordered[1:] == ordered[:-1]
            if twice.any():
                raise DataError(f"id {ordered[:-1][twice].tolist()[0]!r} of {name!r} is given twice")

    @classmethod
    def from_values(cls, values: Any, *, name: object = "id") -> tuple[Vocabulary, npt.NDArray[np.int64]]:
        """Collect the distinct ids of a column, in ascending order.

        Parameters
        ----------
        values : array-like of shape (n,)
            A column: array, list or series of integers or strings.
        name : object
            What messages call the column.

        Returns
        -------
        vocabulary : Vocabulary
            Strings are ordered by code point.
        index : ndarray of shape (n,), int64
            The place of each value, as ``vocabulary.index(values)`` has it.

        Raises
        ------
        DataError
            If an id is missing or neither an integer of 64 bits nor a string.
        """
        distinct, codes = factorize(_read(values, name))
        vocabulary = cls.__new__(cls)
        vocabulary._take(distinct, name)
        return vocabulary, codes.astype(np.int64, copy=False)

    @property
    def kind(self) -> str:
        """``"integers"`` or ``"strings"``."""
        return kind_of(self.ids)

    def index(self, values: Any) -> npt.NDArray[np.int64]:
        """Return the place of each id.

        Parameters
        ----------
        values : array-like of shape (n,)

        Returns
        -------
        ndarray of shape (n,), int64
            -1 for ids that are not in the vocabulary.

        Raises
        ------
        DataError
            If an id is missing, or integers are looked up among strings or strings among integers.
        """
        return self.locate(_read(values, self.name, self.what))

    def locate(self, ids: Ids) -> npt.NDArray[np.int64]:
        """Return the place of each id of a column that `as_ids` has read, otherwise as `index`."""
        return locate(self._same_kind(ids), self.ids, self._order)

    def decode(self, index: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the ids at the given places.

        Parameters
        ----------
        index : array-like of integers, any shape

        Returns
        -------
        ndarray of the same shape, int64 or object

        Raises
        ------
        DataError
            If a place is negative (as for an unknown id) or beyond the last.
        """
        places = np.asarray(index)
        if places.size and (places.min() < 0 or places.max() >= len(self)):
            wrong = places[(places < 0) | (places >= len(self))].flat[0]
            raise DataError(f"no id of {self.name!r} has the place {wrong}; there are {len(self)}")
        return self.ids[places.astype(np.intp, copy=False)]

    def extend(self, values: Any) -> Vocabulary:
        """Return a vocabulary with more ids: the old ones in their places, then new ones in ascending order.

        Parameters
        ----------
        values : array-like of shape (n,)
            Known ids among them are left out.

        Returns
        -------
        Vocabulary

        Raises
        ------
        DataError
            As in `index`.
        """
        distinct, _ = factorize(self._same_kind(_read(values, self.name, self.what)))
        new = distinct[locate(distinct, self.ids, self._order) < 0]
        return Vocabulary(np.concatenate([self.ids, new]), name=self.name, what=self.what) if len(new) else self

    def _same_kind(self, ids: Ids) -> Ids:
        if len(ids) and len(self) and kind_of(ids) != self.kind:
            found = f"column {self.name!r} holds {kind_of(ids)}"
            raise DataError(f"{found}, but the {self.what} known there are {self.kind}; convert the column")
        return ids

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} {self.kind}, name={self.name!r})"


def _read(values: Any, name: object, what: str = "ids") -> Ids:
    column = nw.from_native(values, series_only=True, pass_through=True)
    if not isinstance(column, nw.Series):
        column = to_array(column)
        if column.ndim != 1:
            raise DataError(f"ids of {name!r} must have one dimension, got shape {column.shape}")
    return as_ids(column, name, what=what)
