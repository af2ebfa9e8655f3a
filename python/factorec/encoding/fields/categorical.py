"""A column of categories: one feature column each."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from ...errors import DataError
from .._columns import read_categories
from .._ids import Ids, factorize, plain
from .._sparse import one_hot
from ..vocabulary import Vocabulary
from .base import Declaration, Field, Learnt, choose

__all__ = [
    "Categorical",
    "learn_categories",
    "pack_categories",
    "refuse_missing",
    "refuse_unknown",
    "unpack_categories",
]


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


class CategoricalField(Field):
    """The categories that have columns: in ascending order, then the one for missing values."""

    def __init__(
        self, name: str, declaration: Categorical, vocabulary: Vocabulary, rare: Vocabulary | None = None
    ) -> None:
        super().__init__(name)
        self.declaration = declaration
        self.vocabulary = vocabulary
        self.rare = rare

    @property
    def n_columns(self) -> int:
        """How many categories there are, with that of missing values."""
        return len(self.vocabulary) + (self.declaration.missing == "category")

    def feature_names(self) -> list[str]:
        """Name the columns ``field_category``, as scikit-learn's OneHotEncoder does."""
        names = [f"{self.name}_{value}" for value in self.vocabulary.ids.tolist()]
        return names + [f"{self.name}_missing"] * (self.declaration.missing == "category")

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

    def learnt(self) -> Learnt:
        """The categories."""
        return pack_categories(self.vocabulary, self.rare)


def pack_categories(vocabulary: Vocabulary, rare: Vocabulary | None) -> Learnt:
    """Return categories as texts, those with a column first."""
    ids = vocabulary.ids.tolist() + ([] if rare is None else rare.ids.tolist())
    notes = {"n_columns": len(vocabulary), "integers": any(isinstance(value, int) for value in ids)}
    return Learnt(notes, [str(value) for value in ids])


def unpack_categories(learnt: Learnt, name: object) -> tuple[Vocabulary, Vocabulary | None]:
    """Turn the texts of `pack_categories` back."""
    n = int(learnt.notes["n_columns"])
    ids = np.array(learnt.texts, dtype=object)
    if learnt.notes["integers"]:
        ids = ids.astype(np.int64)
    if not 0 <= n <= len(ids):
        raise ValueError(f"{n} of {len(ids)} categories have a column")
    rare = Vocabulary(ids[n:], name=name, what="categories") if n < len(ids) else None
    return Vocabulary(ids[:n], name=name, what="categories"), rare


def learn_categories(
    declaration: Any, ids: Ids, chosen: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64] | None = None
) -> tuple[Vocabulary, Vocabulary | None]:
    """Collect the categories that occur often enough where `chosen`, and the rare ones if they must be told apart.

    With `rows`, which tell where each stands, a category counts once a row.
    """
    distinct, codes = factorize(ids)
    codes = codes[chosen]
    if rows is not None and len(distinct):
        codes = np.unique(rows[chosen] * len(distinct) + codes) % len(distinct)
    counts = np.bincount(codes, minlength=len(distinct))
    often = counts >= declaration.min_count
    rare = (counts > 0) & ~often
    names = {"name": declaration.column, "what": "categories"}
    return (
        Vocabulary(distinct[often], **names),
        Vocabulary(distinct[rare], **names) if declaration.unknown == "raise" and rare.any() else None,
    )


def refuse_missing(declaration: Any, rows: npt.NDArray[np.int64], n_rows: int) -> None:
    """Raise if a value is missing where that is an error; `rows` are those that have one."""
    if declaration.missing == "raise" and len(rows) < n_rows:
        row = int(np.setdiff1d(np.arange(n_rows), rows)[0])
        raise DataError(
            f"column {declaration.column!r} has no value in row {row} (counting from 0); fill it in, "
            f"or declare missing='ignore' or missing='category'"
        )


def refuse_unknown(
    declaration: Any, ids: Ids, code: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], rare: Vocabulary | None
) -> None:
    """Raise if a category was not learnt and that is an error."""
    if declaration.unknown != "raise":
        return
    wrong = code < 0 if rare is None else (code < 0) & (rare.locate(ids) < 0)
    if wrong.any():
        first = int(np.argmax(wrong))
        value = plain(ids[first : first + 1]).tolist()[0]
        raise DataError(
            f"column {declaration.column!r} holds {value!r} in row {rows[first]} (counting from 0), a category that "
            f"was not learnt; declare unknown='ignore' to count it as nothing"
        )
