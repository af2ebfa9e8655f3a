"""A column of categories: one feature column each."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from .._columns import read_categories
from .._sparse import one_hot
from .base import Declaration, Learnt, choose
from .categories import CategoriesField, learn_categories, refuse_missing, refuse_unknown, unpack_categories

__all__ = ["Categorical"]


class Categorical(Declaration):
    """Declare a column of categories, such as gender, occupation or the hour: one feature column each (one-hot).

    Categories are integers or strings; whole floats pass as integers, booleans as 0 and 1. Numbers and strings
    do not match: what is learnt as 7 is not found as "7".

    Parameters
    ----------
    column : hashable
        The column of the table.
    name : str, optional
        The field's name; None: that of the column.
    min_count : int
        A category in fewer rows gets no column and is treated as an unknown one. Rows are those that are learnt
        from: users or items with interactions, interactions for context.
    missing : {"ignore", "category", "raise"}
        A missing value contributes nothing, has a column of its own, or is an error.
    unknown : {"ignore", "raise"}
        A category that was not learnt contributes nothing, or is an error. One that was too rare for a column is
        no error.

    Examples
    --------
    >>> from factorec.encoding import Categorical, Encoder
    >>> encoder = Encoder(fields={"user": [Categorical("gender")]})
    >>> encoder = encoder.fit({"user_id": [1, 2], "item_id": [7, 7]}, users={"user_id": [1, 2], "gender": ["F", "M"]})
    >>> encoder.get_feature_names_out().tolist()
    ['user_id_1', 'user_id_2', 'gender_F', 'gender_M', 'item_id_7']
    """

    def __init__(
        self,
        column: Hashable,
        *,
        name: str | None = None,
        min_count: int = 1,
        missing: Literal["ignore", "category", "raise"] = "ignore",
        unknown: Literal["ignore", "raise"] = "ignore",
    ) -> None:
        self.column = column
        self.name = name
        self.min_count = min_count
        self.missing = missing
        self.unknown = unknown

    @property
    def columns_read(self) -> list[Hashable]:
        """The one column."""
        return [self.column]

    def check(self) -> None:
        """Check the parameters."""
        self._check_choice("missing", ("ignore", "category", "raise"))
        self._check_choice("unknown", ("ignore", "raise"))
        self._check_min_count()

    def fit_field(self, table: Any, learn: npt.NDArray[np.int64] | None = None) -> CategoricalField:
        """Learn which categories there are; see `Declaration.fit_field`."""
        self.check()
        found = read_categories(table, self.column)
        chosen = choose(learn, found.n_rows)[found.rows]
        return CategoricalField(self.field_name, self, *learn_categories(self, found.ids, chosen))

    def restore_field(self, learnt: Learnt) -> CategoricalField:
        """Make the field of a file."""
        return CategoricalField(self.field_name, self, *unpack_categories(learnt, self.column))


class CategoricalField(CategoriesField):
    """The categories that have columns: in ascending order, then the one for missing values."""

    def distinct(self, table: Any) -> tuple[csr_matrix, npt.NDArray[np.int64]]:
        """One row per category, and one without features where it is needed."""
        found = read_categories(table, self.declaration.column)
        refuse_missing(self.declaration, found.rows, found.n_rows)
        code = self.vocabulary.locate(found.ids)
        refuse_unknown(self.declaration, found.ids, code, found.rows, self.rare)
        nothing = self.n_columns
        which = np.full(found.n_rows, nothing - 1 if self.declaration.missing == "category" else nothing)
        which[found.rows] = np.where(code < 0, nothing, code)
        columns = np.arange(self.n_columns)
        return one_hot(np.append(columns, -1) if (which == nothing).any() else columns, self.n_columns), which
