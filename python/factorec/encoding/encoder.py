"""Tables of interactions to blocks of rows: the user, the context, the item."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._threads import resolve_n_jobs
from ..errors import DataError
from .encoded import EncodedBlock, EncodedTable
from .fields import IdField
from .tables import series
from .vocabulary import Vocabulary

__all__ = ["Encoder"]

T = TypeVar("T")


class Encoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turn a table of interactions into the rows of a factorization machine.

    Each id that the training rows contain gets one feature column: first those of the users, then of each
    context column, then of the items, in ascending order of the ids. A row is 1 in the columns of its ids.

    Parameters
    ----------
    user, item : hashable
        Names of the columns with the ids of users and items; positions for two-dimensional arrays.
    context : sequence of hashable
        Names of further id columns that belong to the query, such as the hour or the device.

    Attributes
    ----------
    users_, items_ : Vocabulary
        The ids of the training rows.
    fields_ : dict of str to Field
        By block, in column order: ``"user"``, context columns, ``"item"``.
    field_ranges_ : dict of str to (int, int)
        By column name: its feature columns, from start to stop.
    n_features_ : int
    n_query_features_ : int
        Number of leading feature columns that belong to users and context.

    Notes
    -----
    Tables are data frames of pandas, polars, pyarrow and whatever else narwhals reads, dicts of columns,
    structured arrays and two-dimensional arrays. Ids are integers (int64) or strings; whole floats pass as
    integers, categories as what they stand for, anything else must be converted. The same ids give the same
    result from any of them.

    Examples
    --------
    >>> from factorec.encoding import Encoder
    >>> table = {"user_id": ["ann", "bob", "ann"], "item_id": [10, 10, 99]}
    >>> encoder = Encoder().fit(table)
    >>> encoder.get_feature_names_out()
    array(['user_id_ann', 'user_id_bob', 'item_id_10', 'item_id_99'],
          dtype=object)
    >>> encoder.transform({"user_id": ["bob", "eve"], "item_id": [99, 10]}).toarray()
    array([[0., 1., 0., 1.],
           [0., 0., 1., 0.]], dtype=float32)
    """

    def __init__(
        self,
        user: Hashable = "user_id",
        item: Hashable = "item_id",
        *,
        context: Sequence[Hashable] = (),
    ) -> None:
        self.user = user
        self.item = item
        self.context = context

    def fit(self, X: Any, y: Any = None) -> Encoder:
        """Learn which ids there are.

        Parameters
        ----------
        X : table
            Training interactions.
        y : ignored

        Returns
        -------
        Encoder
            Itself.

        Raises
        ------
        DataError
            If a column is missing or named twice, columns differ in length, there are no rows, or an id is
            missing or neither an integer nor a string.
        """
        self._learn(X)
        return self

    def fit_encode(self, X: Any) -> EncodedTable:
        """Learn which ids there are and encode the same table; faster than `fit`, then `encode`.

        Parameters
        ----------
        X : table
            As `fit` takes it; errors are those of `fit`.

        Returns
        -------
        EncodedTable
            As `encode` gives it.
        """
        return self._encoded(self._learn(X))

    def set_vocabularies(self, vocabularies: Mapping[str, Vocabulary]) -> Encoder:
        """Take the ids from elsewhere, as from a file, in place of `fit`.

        Parameters
        ----------
        vocabularies : dict of str to Vocabulary
            By block: ``"user"``, the context columns, ``"item"``; none empty.

        Returns
        -------
        Encoder
            Itself.

        Raises
        ------
        DataError
            If a block is missing, unknown or without ids.
        """
        columns = self._columns()
        if set(vocabularies) != set(columns) or not all(map(len, vocabularies.values())):
            raise DataError(f"vocabularies with at least one id are needed for exactly {', '.join(columns)}")
        self._lay_out({block: IdField(str(name), vocabularies[block]) for block, name in columns.items()})
        return self

    def encode(self, X: Any) -> EncodedTable:
        """Encode interactions as blocks, the form in which training sets are kept.

        Parameters
        ----------
        X : table

        Returns
        -------
        EncodedTable

        Raises
        ------
        DataError
            If a column is missing, columns differ in length, or an id is missing or of another kind than in
            `fit`.
        """
        check_is_fitted(self)
        columns = self._read(X)
        indices = _map_columns(lambda block: self.fields_[block].vocabulary.index(columns[block]), columns)
        return self._encoded(indices)

    def transform(self, X: Any) -> csr_matrix:
        """Encode interactions as flat rows.

        Parameters
        ----------
        X : table

        Returns
        -------
        csr_matrix of shape (n_rows, n_features), float32
            An id that `fit` has not seen contributes nothing. Column indices ascend in each row.

        Raises
        ------
        DataError
            As in `encode`.
        """
        table = self.encode(X)
        starts = [start for block in table.blocks for start, _ in block.field_ranges.values()]
        index = np.stack([block.index for block in table.blocks], axis=1)
        known = index >= 0
        columns = (index + np.array(starts, dtype=index.dtype))[known]
        indptr = np.concatenate([[0], np.cumsum(known.sum(axis=1))])
        values = np.ones(len(columns), dtype=np.float32)
        return csr_matrix((values, columns, indptr), shape=(len(index), table.n_features))

    def entity_rows(self, block: str) -> csr_matrix:
        """Return the features of every entity of a block, over the columns of all blocks.

        Parameters
        ----------
        block : str
            ``"user"``, ``"item"`` or the name of a context column.

        Returns
        -------
        csr_matrix of shape (n_entities, n_features), float32
            In the order of the block's vocabulary.
        """
        check_is_fitted(self)
        field = self.fields_[block]
        rows = field.rows(field.vocabulary.ids)
        start, _ = self.field_ranges_[field.name]
        return csr_matrix((rows.data, rows.indices + start, rows.indptr), shape=(rows.shape[0], self.n_features_))

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the feature columns, ``column_id`` as in scikit-learn's OneHotEncoder.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of shape (n_features,), object
        """
        check_is_fitted(self)
        names = [name for field in self.fields_.values() for name in field.feature_names()]
        return np.array(names, dtype=object)

    @property
    def users_(self) -> Vocabulary:
        """The users of the training rows."""
        check_is_fitted(self)
        return self.fields_["user"].vocabulary

    @property
    def items_(self) -> Vocabulary:
        """The items of the training rows."""
        check_is_fitted(self)
        return self.fields_["item"].vocabulary

    def _columns(self) -> dict[str, Hashable]:
        """Map blocks to their columns, in the order of the feature columns."""
        columns = {"user": self.user, **{str(name): name for name in self.context}, "item": self.item}
        names = [str(name) for name in columns.values()]
        if len(set(names)) < len(names) or len(columns) < len(self.context) + 2:
            raise DataError(f"user, context and item must name different columns, got {', '.join(names)}")
        return columns

    def _read(self, X: Any) -> dict[str, Any]:
        columns = {block: series(X, name) for block, name in self._columns().items()}
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            counts = (f"{self._columns()[block]!r} {len(values)}" for block, values in columns.items())
            raise DataError(f"the columns of a table must have equal length, got {', '.join(counts)}")
        return columns

    def _learn(self, X: Any) -> list[npt.NDArray[np.int64]]:
        columns = self._read(X)
        if not all(len(values) for values in columns.values()):
            raise DataError("the table has no rows; there is nothing to learn ids from")
        names = {block: str(name) for block, name in self._columns().items()}
        learnt = _map_columns(lambda block: Vocabulary.from_values(columns[block], name=names[block]), columns)
        self._lay_out({block: IdField(names[block], found[0]) for block, found in zip(columns, learnt, strict=True)})
        return [index for _, index in learnt]

    def _lay_out(self, fields: dict[str, IdField]) -> None:
        stops = np.cumsum([field.n_columns for field in fields.values()]).tolist()
        starts = [0, *stops[:-1]]
        self.fields_ = fields
        self.field_ranges_ = {
            field.name: (start, stop) for field, start, stop in zip(fields.values(), starts, stops, strict=True)
        }
        self.n_features_ = stops[-1]
        self.n_query_features_ = starts[-1]

    def _encoded(self, indices: list[npt.NDArray[np.int64]]) -> EncodedTable:
        blocks = []
        for (block, field), index in zip(self.fields_.items(), indices, strict=True):
            ranges = {field.name: self.field_ranges_[field.name]}
            blocks.append(EncodedBlock(block, index.astype(np.int32), self.entity_rows(block), ranges))
        return EncodedTable(tuple(blocks), self.n_query_features_, self.n_features_, dict(self.field_ranges_))


def _map_columns(function: Callable[[str], T], columns: Mapping[str, Any]) -> list[T]:
    """Apply a function to the name of every column, long ones in threads: hashing runs outside the GIL."""
    threads = min(len(columns), resolve_n_jobs(None))
    if threads == 1 or any(len(values) < 100_000 for values in columns.values()):
        return [function(name) for name in columns]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, columns))
