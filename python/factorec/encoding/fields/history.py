"""What a user met, or who met an item, as features: one column per id of the other side."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from ...errors import DataError
from ..vocabulary import Vocabulary
from .base import Declaration, Field, Learnt

__all__ = ["History", "HistoryField"]


class History(Declaration):
    """Declare that the training interactions of a user, or of an item, are features (implicit feedback of SVD++).

    On the side of users: a feature column for each item that has one of its own, and for a user with n different
    items in the rows that are learned from, 1/sqrt(n) in the columns of these. On the side of items the same with
    users. A row of the user is stored once, however many interactions the user has: memory grows with the number of
    interactions.

    Parameters
    ----------
    name : str, optional
        The field's name; None: ``"user_history"`` or ``"item_history"``, by its side.

    Notes
    -----
    A history holds the rows that parameters are learned from, the one that is being learned from included, and no
    others: not those of weight 0, not those held out for validation, and with sampled negatives only the likes. So a
    user who has no such row has an empty history, and adds nothing by it. Which rows these are is what `Encoder.fit`
    is told by ``history=``, and what `Recommender` does by itself.

    Histories make ratings more exact, those of both sides together most (``benchmarks/quality.py``: ``ALL_FIELDS``).
    Lists of a model with sampled negatives they did not improve on MovieLens 100K: in training, the history names the
    liked item and never a sampled one. Solvers that step from row to row go over a user's history for every row of
    the user; ``solver="gibbs"`` once a sweep.

    Koren (2008), "Factorization meets the neighborhood"; Rendle (2010), "Factorization machines", section V.

    Examples
    --------
    >>> from factorec.encoding import Encoder, History
    >>> table = {"user_id": ["ann", "bob", "ann"], "item_id": [10, 10, 30]}
    >>> encoder = Encoder(fields={"user": [History()]}).fit(table)
    >>> encoder.get_feature_names_out().tolist()[2:4]
    ['user_history_10', 'user_history_30']
    >>> encoder.entities("user").rows.toarray()[:, 2:4].round(3).tolist()
    [[0.7070000171661377, 0.7070000171661377], [1.0, 0.0]]
    """

    def __init__(self, *, name: str | None = None) -> None:
        self.name = name

    @property
    def columns_read(self) -> list[Hashable]:
        """None but the ids."""
        return []

    @property
    def reads_table(self) -> bool:
        """Nothing is read from a catalogue."""
        return False

    @property
    def field_name(self) -> str:
        """``name``; a side gives one without a name its own."""
        return "history" if self.name is None else str(self.name)

    def check(self) -> None:
        """There is nothing to check."""

    def fit_ids(self, ids: Vocabulary) -> HistoryField:
        """Make the field over the trained ids of the other side."""
        return HistoryField(self.field_name, ids)

    def fit_field(self, table: Any, learn: npt.NDArray[np.int64] | None = None) -> NoReturn:
        """A history is learnt from ids, by `fit_ids`."""
        raise DataError(f"field {self.field_name!r}: a History is learnt from interactions, not from a table")

    def restore_field(self, learnt: Learnt) -> NoReturn:
        """A history is made again from ids, by `fit_ids`."""
        raise DataError(f"field {self.field_name!r}: a History is made of ids")


class HistoryField(Field):
    """A column for each trained id of the other side, in the order of its columns.

    Parameters
    ----------
    name : str
    ids : Vocabulary
    """

    reads_table = False

    def __init__(self, name: str, ids: Vocabulary) -> None:
        super().__init__(name)
        self.ids = ids

    @property
    def n_columns(self) -> int:
        """How many ids there are."""
        return len(self.ids)

    def feature_names(self) -> list[str]:
        """Name the columns ``field_id``."""
        return [f"{self.name}_{value}" for value in self.ids.ids.tolist()]

    def distinct(self, table: Any) -> tuple[csr_matrix, npt.NDArray[np.int64]]:
        """Histories are kept by id: there is nothing in a table to read."""
        raise DataError(f"field {self.name!r} is a history and cannot be read from a table")

    def learnt(self) -> Learnt:
        """The number of ids, which are kept elsewhere, as the rows are."""
        return Learnt({"n_columns": self.n_columns})
