"""Columns through a transformer of scikit-learn, or rows that are given as they are."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.base import clone

from ...errors import DataError
from .._columns import missing_in
from .._labels import read_lists
from .._sparse import empty_rows, take_rows
from .._values import frame_of, values_of
from ..tables import cells, n_rows
from ..vocabulary import Vocabulary
from .base import Declaration, Field, Learnt
from .by_id import RowsById, as_rows

__all__ = ["Precomputed"]


class Precomputed(Declaration):
    """Declare features that are computed elsewhere: by a transformer of scikit-learn, or before.

    Texts, hashing, dates and embeddings come in this way. Feature columns that are zero in every row that is learnt
    from are left out: nothing could be learnt for them.

    Parameters
    ----------
    columns : hashable or list of hashable
        What the transformer reads. One name: it gets a one-dimensional array (what text vectorizers take), without
        missing values; a row without a value gets no features. A list of names: it gets a frame of pandas with
        these columns (without pandas a two-dimensional array), missing values included.
    transformer : transformer, optional
        Anything with `fit` and `transform`; a clone of it is fitted to the rows that are learnt from: those of
        users or items with interactions, interactions for context. None: the columns are numbers, taken as they
        are; one column may hold vectors, lists of numbers of one length.
    rows : sparse or dense array of shape (n, n_columns), optional
        Features per user or item, in place of `columns`; not for context.
    ids : array-like of shape (n,)
        Whose rows those are. Users or items without a row get no features.
    name : str, optional
        The field's name; None: that of the one column.

    Notes
    -----
    A model file keeps the features of all users and items, but no transformer: that would be executable code.
    A loaded model refuses to encode new rows of such a field.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from factorec.encoding import Encoder, Precomputed
    >>> films = {"item_id": [7, 9], "plot": ["a shark", "two sharks and a shark"]}
    >>> encoder = Encoder(fields={"item": [Precomputed("plot", TfidfVectorizer())]})
    >>> encoder = encoder.fit({"user_id": [1, 1], "item_id": [7, 9]}, items=films)
    >>> encoder.get_feature_names_out().tolist()[3:]
    ['plot_and', 'plot_shark', 'plot_sharks', 'plot_two']
    """

    def __init__(
        self,
        columns: Hashable | list[Hashable] | None = None,
        transformer: Any = None,
        *,
        rows: Any = None,
        ids: Any = None,
        name: str | None = None,
    ) -> None:
        self.columns = columns
        self.transformer = transformer
        self.rows = rows
        self.ids = ids
        self.name = name

    @property
    def columns_read(self) -> list[Hashable]:
        """What the transformer reads; nothing if rows are given."""
        if self.columns is None:
            return []
        return list(self.columns) if isinstance(self.columns, list | tuple) else [self.columns]

    @property
    def reads_table(self) -> bool:
        """Whether rows are not given by id."""
        return not self.by_id

    @property
    def by_id(self) -> bool:
        """Whether rows are given, in place of columns."""
        return self.rows is not None

    def fit_field(self, table: Any, learn: npt.NDArray[np.int64] | None = None) -> TransformedField:
        """Fit the transformer; see `Declaration.fit_field`."""
        if self.by_id:
            raise DataError(f"field {self.field_name!r}: rows= belong to ids of users or items, not to context")
        self.check()
        n = n_rows(table)
        chosen = np.arange(n) if learn is None else learn
        transformer = None
        if self.transformer is not None:
            values, present = self.read(table)
            own = chosen[np.isin(chosen, present)]
            if not len(own):
                raise DataError(f"field {self.field_name!r}: column {self.columns!r} has no value to learn from")
            transformer = clone(self.transformer)
            places = own if len(present) == n else np.searchsorted(present, own)
            self.run(transformer.fit, _take(values, places))
        field = TransformedField(self.field_name, self, transformer, None, [])
        rows = field.all_rows(table)
        kept = np.flatnonzero(np.bincount(rows[chosen].nonzero()[1], minlength=rows.shape[1]))
        return TransformedField(self.field_name, self, transformer, kept, self._names(transformer, kept))

    def fit_rows(self, trained: Vocabulary) -> RowsById:
        """Take the given rows; columns that no trained id has are left out."""
        self.check()
        rows = as_rows(self.rows, None, self.field_name)
        ids = Vocabulary(self.ids, name=trained.name)
        if rows.shape[0] != len(ids):
            raise DataError(f"field {self.field_name!r}: there are {len(ids)} ids and {rows.shape[0]} rows")
        place = ids.index(trained.ids)
        if (place < 0).all():
            raise DataError(f"field {self.field_name!r}: no row is that of an id in the training rows")
        kept = np.flatnonzero(np.bincount(rows[place[place >= 0]].nonzero()[1], minlength=rows.shape[1]))
        return RowsById(self.field_name, self._names(None, kept), ids, rows[:, kept])

    def restore_field(self, learnt: Learnt) -> Field:
        """Make the field of a file."""
        if self.by_id:
            return RowsById(self.field_name, learnt.texts, None, None)
        return TransformedField(self.field_name, self, None, np.array(learnt.numbers, dtype=np.int64), learnt.texts)

    def read(self, table: Any) -> tuple[Any, npt.NDArray[np.int64]]:
        """Return what the transformer gets, and the rows of the table that it stands for."""
        if isinstance(self.columns, list | tuple):
            return frame_of(table, list(self.columns)), np.arange(n_rows(table))
        present = np.flatnonzero(~missing_in(cells(table, self.columns)))
        return values_of(table, self.columns)[present], present

    def run(self, step: Any, values: Any) -> Any:
        """Let the transformer do a step; what it raises names the field."""
        try:
            return step(values)
        except Exception as error:
            kind = type(self.transformer).__name__
            raise DataError(f"field {self.field_name!r}: {kind} failed: {type(error).__name__}: {error}") from error

    def check(self) -> None:
        """Check the parameters."""
        if (self.rows is None) == (self.columns is None):
            raise DataError("Precomputed: give either columns (with a transformer) or rows= and ids=")
        if (self.rows is None) != (self.ids is None):
            raise DataError(f"field {self.field_name!r}: rows= and ids= belong together")
        if isinstance(self.rows, str) or isinstance(self.transformer, str):  # from a file
            raise DataError(
                f"field {self.field_name!r}: a model file keeps neither transformers nor rows by id; "
                f"to fit again, declare the field again"
            )
        steps = [hasattr(self.transformer, step) for step in ("fit", "transform")]
        if isinstance(self.transformer, type) or not (self.transformer is None or all(steps)):
            found = f"got {self.transformer!r}"
            raise DataError(
                f"field {self.field_name!r}: transformer= must be an object with fit and transform, {found}"
            )

    def _names(self, transformer: Any, kept: npt.NDArray[np.int64]) -> list[str]:
        try:
            names = [str(name) for name in transformer.get_feature_names_out()]
            return [f"{self.field_name}_{names[column]}" for column in kept.tolist()]
        except (AttributeError, ValueError, IndexError):  # those of hashing, say, have none
            pass
        if transformer is None and isinstance(self.columns, list | tuple):
            return [f"{self.field_name}_{self.columns[column]}" for column in kept.tolist()]
        return [f"{self.field_name}_{column}" for column in kept.tolist()]


class TransformedField(Field):
    """What a fitted transformer makes of columns, without the columns about which nothing was learnt."""

    def __init__(
        self,
        name: str,
        declaration: Precomputed,
        transformer: Any,
        kept: npt.NDArray[np.int64] | None,
        names: list[str],
    ) -> None:
        super().__init__(name)
        self.declaration = declaration
        self.transformer = transformer
        self.kept = kept
        self.names = names

    @property
    def n_columns(self) -> int:
        """How many of the transformer's columns are kept."""
        return len(self.names)

    def feature_names(self) -> list[str]:
        """Name the columns ``field_name``, by the names of the transformer or by number."""
        return list(self.names)

    def distinct(self, table: Any) -> tuple[csr_matrix, npt.NDArray[np.int64]]:
        """One row per row of the table."""
        rows = self.all_rows(table)
        if self.kept is not None and rows.shape[0]:
            if rows.shape[1] < self._width:
                raise DataError(
                    f"field {self.name!r}: rows have {rows.shape[1]} columns, fewer than those that were learnt from"
                )
            rows = rows[:, self.kept]
        elif not rows.shape[0]:
            rows = empty_rows(0, self.n_columns)
        rows.sort_indices()
        return rows, np.arange(rows.shape[0])

    def all_rows(self, table: Any) -> csr_matrix:
        """Every column that the transformer makes."""
        declared = self.declaration
        if declared.transformer is None:
            return self._numbers(table)
        if self.transformer is None:
            raise DataError(
                f"field {self.name!r} was computed by {declared.transformer}, which a model file does not hold. Users "
                f"and items that the model knew keep this feature; to encode others, or a context, fit again"
            )
        values, present = declared.read(table)
        n = n_rows(table)
        if not len(present):
            return empty_rows(n, self._width)
        values, which = _repeated(values)
        at = np.empty(len(values), dtype=np.int64)
        at[which] = present
        rows = as_rows(declared.run(self.transformer.transform, values), at, self.name)
        index = np.full(n, -1)
        index[present] = which
        return take_rows(rows, index)

    @property
    def _width(self) -> int:
        """How many columns rows need at least."""
        return 0 if self.kept is None or not len(self.kept) else int(self.kept[-1]) + 1

    def _numbers(self, table: Any) -> csr_matrix:
        names = self.declaration.columns_read
        if len(names) == 1 and not isinstance(self.declaration.columns, list | tuple):
            values = values_of(table, names[0])
            if values.dtype.kind == "O" and not any(isinstance(value, str | bytes) for value in values):
                return self._vectors(read_lists(table, names[0]))
        parts = [values_of(table, name) for name in names]
        for name, part in zip(names, parts, strict=True):
            if part.dtype.kind not in "iufb":
                raise DataError(f"field {self.name!r}: column {name!r} does not hold numbers; give a transformer")
        stacked = np.stack([part.astype(np.float64) for part in parts], axis=1)
        stacked[np.isnan(stacked)] = 0
        return as_rows(stacked, None, self.name)

    def _vectors(self, lists: list[Any]) -> csr_matrix:
        lengths = {len(vector) for vector in lists if vector is not None}
        if len(lengths) > 1:
            raise DataError(f"field {self.name!r}: vectors must be of one length, got {sorted(lengths)[:5]}")
        width = max(lengths, default=self._width)
        try:
            dense = np.array([np.zeros(width) if v is None else v for v in lists], dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError(f"field {self.name!r}: its lists do not hold numbers; give a transformer") from None
        return as_rows(dense.reshape(len(lists), width), None, self.name)

    def learnt(self) -> Learnt:
        """The names, and which columns they are; the transformer is left behind."""
        assert self.kept is not None
        return Learnt(texts=self.names, numbers=self.kept.astype(np.float64).tolist())


def _repeated(values: Any) -> tuple[Any, npt.NDArray[Any]]:
    """Return distinct values and which of them each is, where that is easy to find."""
    if isinstance(values, np.ndarray) and values.ndim == 1:
        if values.dtype.kind != "O":
            return np.unique(values, return_inverse=True)
        if all(isinstance(value, str) for value in values):
            places = {text: place for place, text in enumerate(dict.fromkeys(values))}
            distinct = np.array(list(places), dtype=object)
            return distinct, np.fromiter((places[text] for text in values), np.int64, len(values))
    return values, np.arange(len(values))


def _take(values: Any, places: npt.NDArray[np.int64]) -> Any:
    return values.iloc[places] if hasattr(values, "iloc") else values[places]
