"""Tables of interactions to blocks of rows: the user, the context, the item."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..errors import DataError
from .catalogue import features_of
from .contexts import find_entities
from .encoded import EncodedBlock, EncodedTable
from .entities import Entities
from .fields import Declaration
from .growth import extended
from .layout import Layout
from .learning import learn, map_blocks, read_ids
from .state import from_state, to_state
from .vocabulary import Vocabulary

__all__ = ["Encoder"]


class Encoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turn a table of interactions into the rows of a factorization machine.

    Each id that the training rows contain gets one feature column, in ascending order of the ids, and so does
    what the fields of users, items and context make of their columns. The columns stand in this order: user ids,
    fields of users, fields of context, item ids, fields of items.

    Parameters
    ----------
    user, item : hashable
        Names of the columns with the ids of users and items; positions for two-dimensional arrays.
    fields : dict of str to list, "auto", or None
        Side features: ``{"user": […], "item": […], "context": […]}``, each a list of `Categorical`, `MultiLabel`,
        `Numeric`, `Datetime` and `Precomputed`; the name of a column alone stands for a `Categorical`. Fields of
        users and items read the tables `users` and `items` given to `fit`, those of the context the interactions
        themselves, and so does `History`, a field of users or items.
        ``"auto"`` chooses fields for the columns of `users` and `items` and prints what it chose.
    duplicates : {"raise", "first", "last"}
        An id in more than one row of `users` or `items` is an error, or the first or last row counts.
    uncatalogued : {"ignore", "raise"}
        An id of the training rows without a row in `users` or `items` has its own feature only, or is an error.

    Attributes
    ----------
    users_, items_ : Vocabulary
        All users and items: those of the training rows, ascending, then (where the side has fields) the others of
        the catalogue, ascending. Only the former have a feature column of their own: `is_trained`.
    declared_fields_ : dict of str to list
        The declarations by side.
    fields_ : dict of str to Field
        The fitted fields by name, in column order; those of the ids have the name of their column.
    field_ranges_ : dict of str to (int, int)
        By field name: its feature columns, from start to stop.
    n_features_ : int
    n_query_features_ : int
        Number of leading feature columns that belong to users and context.

    Notes
    -----
    Tables are data frames of pandas, polars, pyarrow and whatever else narwhals reads, dicts of columns,
    structured arrays and two-dimensional arrays. Ids are integers (int64) or strings; whole floats pass as
    integers, categories as what they stand for, anything else must be converted. The same values give the same
    result from any of them.

    Fields learn from the rows of users and items that have interactions: for what occurs only in other rows of a
    catalogue there is nothing to learn.

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

    With the genre of films; 77 has no interactions, but a genre that others have:

    >>> films = {"item_id": [10, 99, 77], "genre": ["drama", "comedy", "drama"]}
    >>> encoder = Encoder(fields={"item": ["genre"]}).fit(table, items=films)
    >>> encoder.field_ranges_
    {'user_id': (0, 2), 'item_id': (2, 4), 'genre': (4, 6)}
    >>> encoder.transform({"user_id": ["bob"], "item_id": [77]}).toarray()
    array([[0., 1., 0., 0., 0., 1.]], dtype=float32)
    """

    def __init__(
        self,
        user: Hashable = "user_id",
        item: Hashable = "item_id",
        *,
        fields: Mapping[str, Sequence[Any]] | Literal["auto"] | None = None,
        duplicates: Literal["raise", "first", "last"] = "raise",
        uncatalogued: Literal["ignore", "raise"] = "ignore",
    ) -> None:
        self.user = user
        self.item = item
        self.fields = fields
        self.duplicates = duplicates
        self.uncatalogued = uncatalogued

    def fit(self, X: Any, y: Any = None, *, users: Any = None, items: Any = None, history: Any = None) -> Self:
        """Learn which ids there are, and the fields.

        Parameters
        ----------
        X : table
            Training interactions.
        y : ignored
        users, items : table, optional
            Catalogues: one row per user or item, with the columns of ids and of the side's fields.
        history : array-like of bool, shape (n_rows,), optional
            The rows that `History` fields know: those that parameters will be learned from. None: all.

        Returns
        -------
        Encoder
            Itself.

        Raises
        ------
        DataError
            If a parameter is wrong, a column is missing or named twice, columns differ in length, there are no
            rows, an id is missing or neither an integer nor a string, or a field cannot use its column.
        """
        self._learn(X, users, items, history)
        return self

    def fit_encode(self, X: Any, *, users: Any = None, items: Any = None, history: Any = None) -> EncodedTable:
        """Learn as `fit` does and encode the same interactions; faster than `fit`, then `encode`.

        Parameters
        ----------
        X, users, items, history
            As `fit` takes them; errors are those of `fit`.

        Returns
        -------
        EncodedTable
            As `encode` gives it.
        """
        return self._encoded(self._learn(X, users, items, history), {})

    def encode(self, X: Any) -> EncodedTable:
        """Encode interactions as blocks, the form in which training sets are kept.

        Parameters
        ----------
        X : table

        Returns
        -------
        EncodedTable
            The index of a block refers to `entities`. Values of a context that are not among these are appended
            to the rows of this table's block.

        Raises
        ------
        DataError
            If a column is missing, columns differ in length, or an id is missing or of another kind than in
            `fit`.
        """
        check_is_fitted(self)
        columns = read_ids(X, self._names(), self.declared_fields_["context"])
        layout = self._layout
        found: dict[str, csr_matrix] = {}

        def index(block: str) -> npt.NDArray[np.int64]:
            if block in layout.sides:
                return layout.sides[block].entities.index(columns[block])
            context = layout.contexts[block]
            rows, places = find_entities(context.rows, context.field, X)
            if rows is not context.rows:
                found[block] = layout.placed(block, rows)
            return places

        return self._encoded(map_blocks(index, list(layout.blocks), len(columns["user"])), found)

    def transform(self, X: Any) -> csr_matrix:
        """Encode interactions as flat rows.

        Parameters
        ----------
        X : table

        Returns
        -------
        csr_matrix of shape (n_rows, n_features), float32
            An id that is neither in the training rows nor in a catalogue contributes nothing. Column indices
            ascend in each row.

        Raises
        ------
        DataError
            As in `encode`.
        """
        return self.encode(X).to_csr()

    def entities(self, block: str) -> Entities:
        """Return the users, the items, or the distinct values of a context, with their features.

        Parameters
        ----------
        block : str
            ``"user"``, ``"item"`` or the name of a context field.

        Returns
        -------
        Entities
        """
        check_is_fitted(self)
        found = self._layout.entities
        if block not in found:
            raise DataError(f"there is no block {block!r}, only {', '.join(map(repr, found))}")
        return found[block]

    def is_trained(self, side: Literal["user", "item"]) -> npt.NDArray[np.bool_]:
        """Return which users or items have a feature column of their own: mask of shape (n_entities,)."""
        return self.entities(side).columns >= 0

    def rows_of(self, block: str, table: Any) -> csr_matrix:
        """Encode rows of a catalogue, or values of a context, that need not be known.

        Parameters
        ----------
        block : str
            ``"user"``, ``"item"`` or the name of a context field.
        table : table
            With the columns of the fields, and with that of the ids if known ids shall contribute their own
            features.

        Returns
        -------
        csr_matrix of shape (n_rows, n_features), float32
            Nothing is learnt: what the fields do not know is treated as declared (`unknown`, `missing`).

        Raises
        ------
        DataError
            If a column is missing or cannot be used.
        """
        self.entities(block)
        layout = self._layout
        if block in layout.contexts:
            return layout.placed(block, layout.contexts[block].field.rows(table))
        return layout.placed(block, features_of(layout.sides[block], table))

    def extend(
        self,
        *,
        user_ids: Any = (),
        item_ids: Any = (),
        users: Any = None,
        items: Any = None,
        context: Any = None,
        history: Mapping[str, Any] | None = None,
    ) -> tuple[Encoder, npt.NDArray[np.int64]]:
        """Make an encoder with more users and items; what this one has keeps its meaning.

        Parameters
        ----------
        user_ids, item_ids : array-like of ids
            They get a feature column each, at the end of those of the ids: new ones, and those that were in a
            catalogue only. Ids that have one keep it.
        users, items : table, optional
            Catalogue rows of new users and items, for sides that have fields. Nothing is learnt from them; rows
            of known ids are left out of account.
        context : table, optional
            Interactions whose values of context become entities.
        history : dict of str to table, optional
            By side, ``"user"`` or ``"item"``: interactions to add to the `History` of those users, or of those
            items. Ids without a feature column of their own are in no history. Without it histories stay; those of
            new ids are empty.

        Returns
        -------
        Encoder
            New entities stand after the old ones, in ascending order of their ids.
        column_map : ndarray of shape (n_features,), int64
            Where each feature column of this encoder is in the new one.

        Raises
        ------
        DataError
            If ids or tables cannot be used.
        """
        check_is_fitted(self)
        given = {"user": (user_ids, users), "item": (item_ids, items)}
        if history is not None and not (isinstance(history, Mapping) and set(history) <= set(given)):
            raise DataError(f"history must be a dict of tables by 'user' and 'item', got {history!r:.80}")
        layout, column_map = extended(self._layout, given, context, history or {}, self.duplicates, self.uncatalogued)
        # Not clone(), which would copy rows given by id.
        return type(self)(**self.get_params(deep=False))._take(layout, self.declared_fields_), column_map

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return what was fitted, for a file.

        Returns
        -------
        metadata : dict
            For JSON.
        tensors : dict of str to ndarray
            By the names in `factorec.encoding.STATE_SCHEMA`.
        """
        check_is_fitted(self)
        metadata, tensors = to_state(self._layout, self.declared_fields_)
        return metadata | {"duplicates": self.duplicates, "uncatalogued": self.uncatalogued}, tensors

    @classmethod
    def from_state(
        cls, user: Hashable, item: Hashable, fields: Any, metadata: Mapping[str, Any], tensors: Mapping[str, Any]
    ) -> Encoder:
        """Make a fitted encoder from what `state` returned.

        Parameters
        ----------
        user, item, fields
            The parameters of the encoder.
        metadata, tensors : dict

        Returns
        -------
        Encoder

        Raises
        ------
        FormatError, DataError
            If they do not describe an encoder.
        """
        options = {name: metadata[name] for name in ("duplicates", "uncatalogued") if name in metadata}
        return cls(user, item, fields=fields, **options)._take(*from_state(user, item, metadata, tensors))

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
        """All users."""
        check_is_fitted(self)
        return self._layout.sides["user"].entities

    @property
    def items_(self) -> Vocabulary:
        """All items."""
        check_is_fitted(self)
        return self._layout.sides["item"].entities

    def _names(self) -> dict[str, Hashable]:
        return {"user": self.user, "item": self.item}

    def _learn(self, X: Any, users: Any, items: Any, history: Any) -> list[npt.NDArray[np.int64]]:
        tables = {"user": users, "item": items}
        options = {"duplicates": self.duplicates, "uncatalogued": self.uncatalogued}
        layout, fields, indices = learn(X, tables, self._names(), self.fields, **options, history=history)
        self._take(layout, fields)
        return indices

    def _take(self, layout: Layout, fields: dict[str, list[Declaration]]) -> Self:
        self._layout = layout
        self.declared_fields_ = fields
        self.fields_ = layout.fields
        self.field_ranges_ = layout.ranges
        self.n_features_ = layout.n_features
        self.n_query_features_ = layout.starts["item"]
        return self

    def _encoded(self, indices: Sequence[npt.NDArray[np.int64]], rows: Mapping[str, csr_matrix]) -> EncodedTable:
        layout = self._layout
        blocks = [
            EncodedBlock(
                block,
                index.astype(np.int32),
                rows[block] if block in rows else layout.entities[block].rows,
                layout.ranges_of(block),
            )
            for block, index in zip(layout.blocks, indices, strict=True)
        ]
        return EncodedTable(tuple(blocks), self.n_query_features_, self.n_features_, dict(self.field_ranges_))
