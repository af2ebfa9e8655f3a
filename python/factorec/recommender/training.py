"""From encoded rows to what an estimator learns from, and to the history that is kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..encoding import EncodedTable, Encoder
from ..encoding.declared import has_history
from ..errors import DataError
from ..fm import BaseFM, Block, FMRanker, NegativeSampling, TrainingSet
from .estimators import learns, unfitted
from .interactions import History, Interactions, read_times

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["Part", "has_unseen", "held_out", "history_of", "is_like", "learnable_rows", "sampling_of"]


@dataclass
class Part:
    """Rows of one table: what they say, and the positions of their users, items and contexts.

    Attributes
    ----------
    rows : Interactions
    encoded : EncodedTable
    learned : ndarray of shape (n,), float32
        What each row weighs in the objective; 0 until it was learned from.
    """

    rows: Interactions
    encoded: EncodedTable
    learned: NDArray[np.float32]

    @classmethod
    def of(cls, rows: Interactions, encoded: EncodedTable) -> Part:
        """Rows that nothing was learned from yet."""
        return cls(rows, encoded, np.zeros(len(rows), np.float32))

    @property
    def user(self) -> NDArray[np.int32]:
        """The position of each row's user, -1 for one that is not known."""
        return self.encoded.blocks[0].index

    @property
    def item(self) -> NDArray[np.int32]:
        """The position of each row's item, -1 for one that is not known."""
        return self.encoded.blocks[-1].index

    @property
    def weight(self) -> NDArray[np.float32]:
        """As the caller gave it."""
        return np.ones(len(self.rows), np.float32) if self.rows.weight is None else self.rows.weight

    def learnable(self, rec: Recommender) -> NDArray[np.bool_]:
        """Rows to learn from: `learnable_rows` of known ids."""
        return learnable_rows(rec, self.rows) & (self.user >= 0) & (self.item >= 0)

    def training_set(self, chosen: NDArray[np.bool_], sampling: Sampling | None) -> TrainingSet:
        """The chosen rows, whose ids must be known, with negatives drawn for them by `sampling`."""
        everything = bool(chosen.all())
        blocks = []
        for block in self.encoded.blocks:
            index = block.index if everything else block.index[chosen]
            blocks.append(Block(block.name, index, block.rows, block.field_ranges))
        target = (self.rows.label if everything else self.rows.label[chosen]).astype(np.float64)
        weight = None if self.rows.weight is None else self.rows.weight[chosen]
        if sampling is None:
            return TrainingSet(target, blocks, weight)
        blocks[-1] = sampling.item_block(blocks[-1])
        return TrainingSet(target, blocks, weight, sampling.negatives)

    def held_out_set(self, rec: Recommender, name: str, sampling: Sampling | None) -> TrainingSet:
        """Rows to look at while training; with `sampling` the likes, which get negatives drawn for them."""
        if sampling is None:
            # A user or item that is not known is one more entity, without features.
            part = replace(
                self, encoded=replace(self.encoded, blocks=tuple(b.with_unknown() for b in self.encoded.blocks))
            )
            kept = self.weight > 0
        else:
            part, kept = self, self.learnable(rec)
            kept[kept] = sampling.place[self.item[kept]] >= 0
        if not kept.any():
            raise DataError(f"{name}: no row can be measured")
        return part.training_set(kept, sampling)


def learnable_rows(rec: Recommender, rows: Interactions) -> NDArray[np.bool_]:
    """Rows to learn from, if their ids are known: those of some weight; beside unseen items, only what was chosen."""
    learnable = np.ones(len(rows), dtype=bool) if rows.weight is None else rows.weight > 0
    return learnable & (rows.label > 0) if has_unseen(rec) else learnable


@dataclass
class Sampling:
    """Negatives, which come from the trained items: the others of a catalogue were never offered to anyone.

    Attributes
    ----------
    negatives : NegativeSampling
        Over the trained items alone.
    place : ndarray of shape (n_items,), int64
        The place of each item among these, -1 for those not trained.
    """

    negatives: NegativeSampling
    place: NDArray[np.int64]

    def item_block(self, block: Block) -> Block:
        """The block of the trained items alone."""
        if (self.place >= 0).all():
            return block
        return replace(block, index=self.place[block.index], rows=block.rows[np.flatnonzero(self.place >= 0)])


def has_unseen(rec: Recommender) -> bool:
    """Whether items that a user has not seen take part in learning."""
    return bool(rec.negatives) or learns(unfitted(rec)) == "lists"


def sampling_of(rec: Recommender, encoder: Encoder, history: History) -> Sampling | None:
    """How negatives are drawn, never from what a user has met; None if the recommender wants none."""
    if not has_unseen(rec):
        return None
    estimator = unfitted(rec)
    n_negatives = estimator._negatives_per_row() if isinstance(estimator, FMRanker) else rec.negatives
    trained = encoder.is_trained("item")
    place = np.where(trained, np.cumsum(trained) - 1, -1)
    seen = history.seen(len(trained))
    return Sampling(NegativeSampling(n_negatives, seen if trained.all() else seen[:, trained]), place)


def history_of(parts: Sequence[Part], encoder: Encoder, before: History | None = None) -> History:
    """What was known `before`, then the rows of known users and items of the parts."""
    n_users = len(encoder.users_)
    users: list[NDArray[Any]] = [part.user for part in parts]
    items: list[NDArray[Any]] = [part.item for part in parts]
    targets = [part.rows.target for part in parts]
    labels = [part.rows.label for part in parts]
    weights = [part.learned for part in parts]
    contexts = [{block.name: block.index for block in part.encoded.blocks[1:-1]} for part in parts]
    if before is not None:
        users, items = [before.users(), *users], [before.items, *items]
        targets, labels, weights = [before.target, *targets], [before.label, *labels], [before.weight, *weights]
        contexts = [before.context, *contexts]
    given = [target for target in targets if target is not None]
    return History.collect(
        np.concatenate(users),
        np.concatenate(items),
        np.concatenate(given) if given else None,
        np.concatenate(labels),
        np.concatenate(weights),
        n_users,
        {name: np.concatenate([context[name] for context in contexts]) for name in contexts[0]},
    )


def is_like(rec: Recommender, rows: Interactions) -> NDArray[np.bool_]:
    """Rows that make an item popular: likes, or all where nothing says which are."""
    if learns(unfitted(rec)) != "ratings":
        return np.asarray(rows.label >= 1)
    if rec.like_threshold is None or rows.target is None:
        return np.ones(len(rows), dtype=bool)
    return np.asarray(rows.target >= rec.like_threshold)


def held_out(rec: Recommender, estimator: BaseFM, table: Any, learned: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Which of the learned rows early stopping holds out; None: what the estimator chooses by itself, or none.

    Where there are histories the rows must be known before these are made: else what is held out would be in them.
    """
    if not estimator.early_stopping or not learned.any():
        return None
    if rec.time is not None:
        return _newest(rec, estimator, table, learned)
    if has_history(rec.fields):
        return estimator._held_out(int(learned.sum()), estimator._seed(going_on=False))
    return None


def _newest(rec: Recommender, estimator: BaseFM, table: Any, learned: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The last rows by time; of rows of one time the later ones come first."""
    times = read_times(table, rec.time, "table")[learned]
    n_held = round(len(times) * estimator.validation_fraction)
    if not 0 < n_held < len(times):
        raise DataError(
            f"validation_fraction={estimator.validation_fraction} of {len(times)} rows leaves nothing on one side"
        )
    held = np.zeros(len(times), dtype=bool)
    held[np.argsort(times, kind="stable")[-n_held:]] = True
    return held
