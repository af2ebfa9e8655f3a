"""What fields of categories and of labels share: which ones have a column, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import DataError
from .._ids import Ids, factorize, plain
from ..vocabulary import Vocabulary
from .base import Field, Learnt

__all__ = ["CategoriesField", "learn_categories", "refuse_missing", "refuse_unknown", "unpack_categories"]


class CategoriesField(Field):
    """A feature column per category, in ascending order, then the one for missing values if that is declared."""

    def __init__(self, name: str, declaration: Any, vocabulary: Vocabulary, rare: Vocabulary | None = None) -> None:
        super().__init__(name)
        self.declaration = declaration
        self.vocabulary = vocabulary
        self.rare = rare

    @property
    def n_columns(self) -> int:
        """How many categories there are, with that of missing values."""
        return len(self.vocabulary) + int(self.declaration.missing == "category")

    def feature_names(self) -> list[str]:
        """Name the columns ``field_category``, as scikit-learn's OneHotEncoder does."""
        names = [f"{self.name}_{value}" for value in self.vocabulary.ids.tolist()]
        return names + [f"{self.name}_missing"] * (self.declaration.missing == "category")

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
