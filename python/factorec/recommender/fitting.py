"""Tables to a fitted recommender."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import clone, is_classifier

from ..encoding import EncodedTable, Encoder
from ..errors import DataError, UnknownIdError
from ..fm import BaseFM, Block, NegativeSampling, TrainingSet
from .catalogue import read_titles, table_kind
from .interactions import Columns, History, Interactions, read_column, read_interactions

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["check_columns", "encode_rows", "fit", "partial_fit"]


def fit(rec: Recommender, table: Any, items: Any, users: Any, validation: Any, eval_set: Mapping[str, Any]) -> None:
    """Fit `rec`; its attributes change only when all is done."""
    columns = check_columns(rec)
    rows = read_interactions(table, columns, "table")
    encoder, encoded = _encode_training_rows(rec, table, rows)
    user, item = _index(encoded)
    learned = (user >= 0) & (item >= 0) & _learnable(rec, rows)
    if not learned.any():
        raise DataError("table: there is no row to learn from: " + _nothing_learnable(rec))
    if users is not None:
        read_column(users, rec.user, "users")
    titles = None if items is None else read_titles(items, rec.item, rec.title, encoder.items_)

    history = [(user, item, rows)]
    held_out = None
    if validation is not None:
        held_out = (read_interactions(validation, columns, "validation"), _encode(encoder, validation, "validation"))
        history.append((*_index(held_out[1]), held_out[0]))
    sampling = None
    if rec.negatives:
        met = _history(history, [_none(part) for *_, part in history], len(encoder.users_))
        sampling = NegativeSampling(rec.negatives, met.seen(len(encoder.items_)))

    estimator = clone(rec.estimator)
    options: dict[str, Any] = {}
    if held_out is not None:
        options["X_val"] = _held_out_set(rec, "validation", *held_out, sampling)
    if eval_set:
        options["eval_set"] = {
            name: _held_out_set(rec, name, read_interactions(part, columns, name), _encode(encoder, part, name), None)
            for name, part in eval_set.items()
        }
    data = _training_set(rows, encoded, learned, sampling)
    estimator.fit(data, **options)
    weights = [_none(part) for *_, part in history]
    weights[0][learned] = _learned_weights(estimator, data, held_out is None)

    rec.estimator_ = estimator
    rec.encoder_ = encoder
    rec.interactions_ = _history(history, weights, len(encoder.users_))
    rec.popularity_ = np.bincount(item[learned & _liked(rec, rows)], minlength=len(encoder.items_)).astype(np.int64)
    rec.titles_ = titles
    rec.backend_ = table_kind(table)
    rec.__dict__.pop("_cached_ranker", None)


def partial_fit(rec: Recommender, table: Any) -> None:
    """Go over more rows of known users and items."""
    if rec.interactions_ is None:
        raise DataError("this model was saved without its users' history; partial_fit would lose what they have seen")
    columns = check_columns(rec)
    rows = read_interactions(table, columns, "table")
    encoded = _encode(rec.encoder_, table, "table")
    user, item = _index(encoded)
    for kind, index, name in (("user", user, rec.user), ("item", item, rec.item)):
        if (index < 0).any():
            ids = read_column(table, name, "table")[index < 0]
            raise UnknownIdError(kind, dict.fromkeys(ids.tolist()), "fit again to learn new ids")
    learned = _learnable(rec, rows)
    old, n_users, n_items = rec.interactions_, len(rec.encoder_.users_), len(rec.encoder_.items_)
    history = [(old.users(), old.items, Interactions(old.target, old.label, None)), (user, item, rows)]
    weights = [old.weight, _none(rows)]
    if learned.any():
        sampling = None
        if rec.negatives:
            sampling = NegativeSampling(rec.negatives, _history(history, weights, n_users).seen(n_items))
        data = _training_set(rows, encoded, learned, sampling)
        rec.estimator_.partial_fit(data)
        weights[1][learned] = _learned_weights(rec.estimator_, data, False)
    rec.interactions_ = _history(history, weights, n_users)
    counts = np.bincount(item[learned & _liked(rec, rows)], minlength=len(rec.popularity_))
    rec.popularity_ = rec.popularity_ + counts
    rec.__dict__.pop("_cached_ranker", None)


def encode_rows(rec: Recommender, table: Any) -> csr_matrix:
    """Flat rows of a table; a warning counts the rows whose user or item the model does not know."""
    encoded = _encode(rec.encoder_, table, "table")
    if not len(encoded.blocks[0].index):
        raise DataError("table: there are no rows to score")
    for kind, index in zip(("user", "item"), _index(encoded), strict=True):
        n_unknown = int((index < 0).sum())
        if n_unknown:
            warnings.warn(
                f"{n_unknown:,} of {len(index):,} rows have {'an' if kind == 'item' else 'a'} {kind} "
                f"that the model does not know; the {kind}'s part of their score is zero",
                UserWarning,
                stacklevel=3,
            )
    rows: csr_matrix = rec.encoder_.transform(table)
    return rows


def check_columns(rec: Recommender) -> Columns:
    """Refuse parameters that contradict each other; what remains says how to read a table."""
    if not isinstance(rec.estimator, BaseFM):
        raise DataError(f"estimator must be an FMClassifier or an FMRegressor, got {type(rec.estimator).__name__}")
    for name, value in (("fields", rec.fields), ("time", rec.time)):
        if value is not None:
            raise DataError(f"{name} is not there yet: it comes with version 0.3; leave it None")
    m = rec.negatives
    if isinstance(m, bool) or not isinstance(m, numbers.Integral) or m < 0:
        raise DataError(f"negatives must be an integer of at least 0, got {m!r}")
    threshold = rec.like_threshold
    if threshold is not None and (
        isinstance(threshold, bool) or not isinstance(threshold, numbers.Real) or not np.isfinite(threshold)
    ):
        raise DataError(f"like_threshold must be a finite number or None, got {threshold!r}")
    binary = is_classifier(rec.estimator)
    if m and not binary:
        raise DataError("negatives need a classifier: an item not rated is no rating of 0; use FMClassifier")
    if rec.target is None and not binary:
        raise DataError("a regressor needs a target column; for clicks or purchases use FMClassifier with negatives")
    if rec.target is None and not m:
        raise DataError(
            "with target=None every row is a like, and there is nothing to tell likes from; set negatives (8, say)"
        )
    return Columns(rec.user, rec.item, rec.target, rec.weight, threshold, binary)


def _encode_training_rows(rec: Recommender, table: Any, rows: Interactions) -> tuple[Encoder, EncodedTable]:
    encoder = Encoder(rec.user, rec.item)
    try:
        if rows.weight is None or rows.weight.all():
            return encoder, encoder.fit_encode(table)
        # A row of weight 0 is as if absent: it must not bring ids into the model.
        kept = rows.weight > 0
        if not kept.any():
            raise DataError("every weight is 0")
        encoder.fit({name: read_column(table, name, "table")[kept] for name in (rec.user, rec.item)})
        return encoder, encoder.encode(table)
    except DataError as error:
        raise _named(error, "table") from None


def _encode(encoder: Encoder, table: Any, name: str) -> EncodedTable:
    try:
        return encoder.encode(table)
    except DataError as error:
        raise _named(error, name) from None


def _named(error: DataError, name: str) -> DataError:
    text = str(error)
    return DataError(text if text.startswith(f"{name}: ") else f"{name}: {text}")


def _index(encoded: EncodedTable) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    return encoded.blocks[0].index, encoded.blocks[-1].index


def _weights(rows: Interactions) -> NDArray[np.float32]:
    return np.ones(len(rows), np.float32) if rows.weight is None else rows.weight


def _learnable(rec: Recommender, rows: Interactions) -> NDArray[np.bool_]:
    """Rows that are learned from: with sampled negatives only likes."""
    learnable = _weights(rows) > 0
    return learnable & (rows.label == 1) if rec.negatives else learnable


def _nothing_learnable(rec: Recommender) -> str:
    if rec.negatives:
        return f"with negatives only likes are, and no {rec.target!r} is one (like_threshold={rec.like_threshold})"
    return "the weight of every row is 0"


def _liked(rec: Recommender, rows: Interactions) -> NDArray[np.bool_]:
    """Rows that make an item popular."""
    if is_classifier(rec.estimator):
        return np.asarray(rows.label == 1)
    if rec.like_threshold is None or rows.target is None:
        return np.ones(len(rows), dtype=bool)
    return np.asarray(rows.target >= rec.like_threshold)


def _learned_weights(estimator: BaseFM, data: TrainingSet, may_hold_out: bool) -> NDArray[np.float32]:
    """What each row weighed in the objective: class weights included, 0 where early stopping held it out."""
    return estimator._objective_weights(data, split=may_hold_out)


def _none(rows: Interactions) -> NDArray[np.float32]:
    return np.zeros(len(rows), np.float32)


def _history(
    parts: list[tuple[NDArray[Any], NDArray[Any], Interactions]], weights: list[NDArray[np.float32]], n_users: int
) -> History:
    users, items, rows = zip(*parts, strict=True)
    targets = [part.target for part in rows if part.target is not None]
    return History.collect(
        np.concatenate(users),
        np.concatenate(items),
        np.concatenate(targets) if targets else None,
        np.concatenate([part.label for part in rows]),
        np.concatenate(weights),
        n_users,
    )


def _training_set(
    rows: Interactions, encoded: EncodedTable, learned: NDArray[np.bool_], sampling: NegativeSampling | None
) -> TrainingSet:
    everything = bool(learned.all())
    blocks = [
        Block(b.name, b.index if everything else b.index[learned], b.rows, b.field_ranges) for b in encoded.blocks
    ]
    target = (rows.label if everything else rows.label[learned]).astype(np.float64)
    weight = None if rows.weight is None else rows.weight[learned]
    return TrainingSet(target, blocks, weight, sampling)


def _held_out_set(
    rec: Recommender, name: str, rows: Interactions, encoded: EncodedTable, sampling: NegativeSampling | None
) -> TrainingSet:
    """Rows to look at while training; with `sampling` the likes, which get negatives drawn for them."""
    kept = _weights(rows) > 0
    if sampling is not None:
        user, item = _index(encoded)
        kept &= _learnable(rec, rows) & (user >= 0) & (item >= 0)
    if not kept.any():
        raise DataError(f"{name}: no row can be measured")
    blocks = []
    for block in encoded.blocks:
        block = replace(block, index=block.index[kept]).with_unknown()
        blocks.append(Block(block.name, block.index, block.rows, block.field_ranges))
    weight = None if rows.weight is None else rows.weight[kept]
    return TrainingSet(rows.label[kept].astype(np.float64), blocks, weight, sampling)
