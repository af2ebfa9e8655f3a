"""A column with several labels a row: one feature column per label."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from ...errors import DataError
from .._labels import read_labels
from .base import Declaration, Learnt, choose
from .categories import CategoriesField, learn_categories, refuse_missing, refuse_unknown, unpack_categories

__all__ = ["MultiLabel"]

WEIGHTS = ("1", "1/sqrt(n)", "1/n")


class MultiLabel(Declaration):
    """Declare a column with any number of labels a row, such as genres or tags: one feature column per label.

    A label that stands twice in a row counts once. A row without labels (an empty list or string) contributes
    nothing; it is not a missing value.

    Parameters
    ----------
    column : hashable
        A column of lists, or with `separator` one of strings.
    separator : str, optional
        What stands between the labels of a string, such as ``"|"``. Spaces around a label are not part of it, and
        nothing between two separators is no label.
    weight : {"1", "1/sqrt(n)", "1/n"}
        The value of each of a row's n labels; labels without a column are not among the n. 1 predicts best for the
        genres of MovieLens 100K (``benchmarks/fields.py``); where some rows have very many labels, 1/sqrt(n) keeps
        them from outweighing everything else.
    min_count : int
        A label in fewer rows gets no column and is treated as an unknown one. Rows are those that are learnt from:
        users or items with interactions, interactions for context.
    missing : {"ignore", "category", "raise"}
        A missing value contributes nothing, has a column of its own (value 1), or is an error. Inside a list it is
        no label.
    unknown : {"ignore", "raise"}
        A label that was not learnt contributes nothing, or is an error. One that was too rare is no error.
    name : str, optional
        The field's name; None: that of the column.

    Examples
    --------
    >>> from factorec.encoding import Encoder, MultiLabel
    >>> encoder = Encoder(fields={"item": [MultiLabel("genres", separator="|")]})
    >>> films = {"item_id": [7, 9], "genres": ["Comedy|Drama", "Drama"]}
    >>> encoder.fit({"user_id": [1, 1], "item_id": [7, 9]}, items=films).entities("item").rows.toarray()
    array([[0., 1., 0., 1., 1.],
           [0., 0., 1., 0., 1.]], dtype=float32)
    """

    def __init__(
        self,
        column: Hashable,
        *,
        separator: str | None = None,
        weight: Literal["1", "1/sqrt(n)", "1/n"] = "1",
        min_count: int = 1,
        missing: Literal["ignore", "category", "raise"] = "ignore",
        unknown: Literal["ignore", "raise"] = "ignore",
        name: str | None = None,
    ) -> None:
        self.column = column
        self.separator = separator
        self.weight = weight
        self.min_count = min_count
        self.missing = missing
        self.unknown = unknown
        self.name = name

    @property
    def columns_read(self) -> list[Hashable]:
        """The one column."""
        return [self.column]

    def check(self) -> None:
        """Check the parameters."""
        self._check_choice("weight", WEIGHTS)
        self._check_choice("missing", ("ignore", "category", "raise"))
        self._check_choice("unknown", ("ignore", "raise"))
        self._check_min_count()
        given: Any = self.separator
        if given is not None and not (isinstance(given, str) and given):
            raise DataError(f"field {self.field_name!r}: separator must be None or some characters, got {given!r}")

    def fit_field(self, table: Any, learn: npt.NDArray[np.int64] | None = None) -> MultiLabelField:
        """Learn which labels there are; see `Declaration.fit_field`."""
        self.check()
        found = read_labels(table, self.column, self.separator)
        chosen = choose(learn, found.n_rows)[found.rows]
        return MultiLabelField(self.field_name, self, *learn_categories(self, found.ids, chosen, found.rows))

    def restore_field(self, learnt: Learnt) -> MultiLabelField:
        """Make the field of a file."""
        return MultiLabelField(self.field_name, self, *unpack_categories(learnt, self.column))


class MultiLabelField(CategoriesField):
    """The labels that have columns: in ascending order, then the one for missing values."""

    def distinct(self, table: Any) -> tuple[csr_matrix, npt.NDArray[np.int64]]:
        """One row per row of the table: lists are not compared."""
        found = read_labels(table, self.declaration.column, self.declaration.separator)
        refuse_missing(self.declaration, found.present, found.n_rows)
        code = self.vocabulary.locate(found.ids)
        refuse_unknown(self.declaration, found.ids, code, found.rows, self.rare)
        known = code >= 0
        width = max(self.n_columns, 1)
        row, column = np.divmod(np.unique(found.rows[known] * width + code[known]), width)
        counts = np.bincount(row, minlength=found.n_rows)
        power = {"1": 0.0, "1/sqrt(n)": -0.5, "1/n": -1.0}[self.declaration.weight]
        values = counts[row] ** power
        if self.declaration.missing == "category" and len(found.present) < found.n_rows:
            absent = np.setdiff1d(np.arange(found.n_rows), found.present)
            row = np.concatenate([row, absent])
            column = np.concatenate([column, np.full(len(absent), self.n_columns - 1)])
            values = np.concatenate([values, np.ones(len(absent))])
        shape = (found.n_rows, self.n_columns)
        rows = csr_matrix((values.astype(np.float32), (row, column)), shape=shape)
        rows.sort_indices()
        return rows, np.arange(found.n_rows)
