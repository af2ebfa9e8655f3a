"""Tables to a fitted recommender: learning anew, and going on."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import clone

from ..encoding import EncodedTable, Encoder
from ..encoding.tables import column_names, series
from ..errors import DataError
from .catalogue import more_titles, read_titles, table_kind
from .checks import check_columns
from .estimators import learns, unfitted
from .interactions import Interactions, read_column, read_interactions, read_times
from .training import Part, has_unseen, held_out, history_of, is_like, learnable_rows, sampling_of

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["encode_rows", "fit", "partial_fit", "rows_where"]


def fit(
    rec: Recommender,
    table: Any,
    items: Any,
    users: Any,
    validation: Any,
    eval_set: Mapping[str, Any],
    on_epoch: Any,
) -> None:
    """Fit `rec`; its attributes change only when all is done."""
    columns = check_columns(rec)
    unfitted(rec)._check_settings()
    if not isinstance(eval_set, Mapping):
        raise DataError(f"eval_set must be a dict of tables by name, got {type(eval_set).__name__}")
    rows = read_interactions(table, columns, "table")
    if rec.time is not None and len(read_times(table, rec.time, "table")) != len(rows):
        raise DataError(f"table: column {rec.time!r} and the others differ in length")
    if users is not None:
        read_column(users, rec.user, "users")
    estimator = clone(unfitted(rec))
    known = learnable_rows(rec, rows)  # what histories may know
    held = None if validation is not None else held_out(rec, estimator, table, known)
    if held is not None:
        known[known] = ~held
    encoder, encoded = _encode_training_rows(rec, table, rows, known, users, items)
    trained = Part.of(rows, encoded)
    learned = trained.learnable(rec)
    if not learned.any():
        raise DataError("table: there is no row to learn from: " + _nothing_learnable(rec))
    titles = None if items is None else read_titles(items, rec.item, rec.title, encoder.items_, rec.duplicates)

    parts = [trained]
    watched = None
    if validation is not None:
        held_rows = read_interactions(validation, columns, "validation")
        encoder = _with_context(encoder, validation, "validation")
        watched = Part.of(held_rows, _encode(encoder, validation, "validation"))
        parts.append(watched)
    sampling = sampling_of(rec, encoder, history_of(parts, encoder))

    data = trained.training_set(learned, sampling)
    options: dict[str, Any] = {"on_epoch": on_epoch}
    if watched is not None:
        options["X_val"] = watched.held_out_set(rec, "validation", sampling)
    if held is None:
        held = np.zeros(data.n_rows, dtype=bool)
    else:
        data, options["X_val"] = data.take(~held), data.take(held)
    if eval_set:
        options["eval_set"] = {
            name: Part.of(read_interactions(part, columns, name), _encode(encoder, part, name)).held_out_set(
                rec, name, sampling if learns(estimator) == "lists" else None
            )
            for name, part in eval_set.items()
        }
    estimator.fit(data, **options)
    trained.learned[np.flatnonzero(learned)[~held]] = estimator._objective_weights(data, split="X_val" not in options)

    changed = {
        "estimator_": estimator,
        "encoder_": encoder,
        "interactions_": history_of(parts, encoder),
        "popularity_": _popularity(rec, trained, learned, len(encoder.items_)),
        "titles_": titles,
        "backend_": table_kind(table),
        "_cached_ranker": None,
    }
    rec.__dict__.update(changed)  # one step: an interrupt comes before or after it


def partial_fit(rec: Recommender, table: Any, users: Any, items: Any) -> None:
    """Go over more rows; ids that are new, or were only in a catalogue, get parameters of their own."""
    if rec.interactions_ is None:
        raise DataError(
            "this model was saved without its users' history; partial_fit would lose what they have seen; "
            "save it with history=True"
        )
    columns = check_columns(rec)
    rows = read_interactions(table, columns, "table")
    for catalogue, name, ids in ((users, "users", rec.user), (items, "items", rec.item)):
        if catalogue is not None:
            read_column(catalogue, ids, name)
    try:
        # As in `fit`, a row of weight 0 brings no id into the model.
        kept = np.ones(len(rows), dtype=bool) if rows.weight is None else rows.weight > 0
        new = rows_where(table, [rec.user, rec.item], kept)
        met = rows_where(table, [rec.user, rec.item], learnable_rows(rec, rows))
        encoder, column_map = rec.encoder_.extend(
            user_ids=new[rec.user],
            item_ids=new[rec.item],
            users=users,
            items=items,
            context=table,
            history={"user": met, "item": met},
        )
    except DataError as error:
        raise _named(error, "table") from None
    estimator = copy.copy(rec.estimator_).grow(column_map, encoder.n_features_)
    part = Part.of(rows, _encode(encoder, table, "table"))
    learned = part.learnable(rec)
    if learned.any():
        sampling = None
        if has_unseen(rec):
            sampling = sampling_of(rec, encoder, history_of([part], encoder, rec.interactions_))
        data = part.training_set(learned, sampling)
        estimator.partial_fit(data)
        part.learned[learned] = estimator._objective_weights(data, split=False)
    n_items = len(encoder.items_)
    popularity = _popularity(rec, part, learned, n_items)
    popularity[: len(rec.popularity_)] += rec.popularity_
    titles = more_titles(rec.titles_, items, rec.item, rec.title, encoder.items_, rec.duplicates)

    changed = {
        "estimator_": estimator,
        "encoder_": encoder,
        "interactions_": history_of([part], encoder, rec.interactions_),
        "popularity_": popularity,
        "titles_": titles,
        "_cached_ranker": None,
    }
    rec.__dict__.update(changed)  # one step: an interrupt comes before or after it


def encode_rows(rec: Recommender, table: Any) -> csr_matrix:
    """Flat rows of a table; a warning counts the rows whose user or item the model does not know."""
    encoded = _encode(rec.encoder_, table, "table")
    index = {"user": encoded.blocks[0].index, "item": encoded.blocks[-1].index}
    if not len(index["user"]):
        raise DataError("table: there are no rows to score")
    for kind, positions in index.items():
        n_unknown = int((positions < 0).sum())
        if n_unknown:
            warnings.warn(
                f"{n_unknown:,} of {len(positions):,} rows have {'an' if kind == 'item' else 'a'} {kind} "
                f"that the model does not know; the {kind}'s part of their score is zero",
                UserWarning,
                stacklevel=3,
            )
    return encoded.to_csr()


def _encode_training_rows(
    rec: Recommender, table: Any, rows: Interactions, known: NDArray[np.bool_], users: Any, items: Any
) -> tuple[Encoder, EncodedTable]:
    """The encoder of the rows; histories hold those that are `known`."""
    encoder = Encoder(rec.user, rec.item, fields=rec.fields, duplicates=rec.duplicates, uncatalogued=rec.uncatalogued)
    try:
        if rows.weight is None or rows.weight.all():
            return encoder, encoder.fit_encode(table, users=users, items=items, history=known)
        # A row of weight 0 is as if absent: it must not bring ids or categories into the model.
        kept = rows.weight > 0
        if not kept.any():
            raise DataError("table: every weight is 0")
        names = [rec.user, rec.item] if rec.fields is None else column_names(table)
        encoder.fit(rows_where(table, names, kept), users=users, items=items, history=known[kept])
    except DataError as error:
        raise _named(error, "table") from None
    encoder = _with_context(encoder, table, "table")
    return encoder, _encode(encoder, table, "table")


def rows_where(table: Any, names: list[Any], kept: NDArray[np.bool_]) -> dict[Any, Any]:
    """Some rows of some columns of a table."""
    if kept.all():
        return {name: series(table, name) for name in names}
    found = {}
    for name in names:
        values = series(table, name)
        found[name] = values.filter(kept.tolist()) if isinstance(values, nw.Series) else values[kept]
    return found


def _with_context(encoder: Encoder, table: Any, name: str) -> Encoder:
    """An encoder that has the contexts of a table too, so that the history can point to them."""
    try:
        return encoder.extend(context=table)[0] if encoder.declared_fields_["context"] else encoder
    except DataError as error:
        raise _named(error, name) from None


def _encode(encoder: Encoder, table: Any, name: str) -> EncodedTable:
    try:
        return encoder.encode(table)
    except DataError as error:
        raise _named(error, name) from None


def _named(error: DataError, name: str) -> DataError:
    """Say which table it was, where the message speaks of its columns."""
    text = str(error)
    speaks_of_a_table = text.startswith(("column", "the column", "the table", "expected a table", "two columns"))
    return DataError(f"{name}: {text}" if speaks_of_a_table else text)


def _nothing_learnable(rec: Recommender) -> str:
    if rec.negatives:
        return f"with negatives only likes are, and no {rec.target!r} is one (like_threshold={rec.like_threshold})"
    if has_unseen(rec):
        return f"no {rec.target!r} counts (like_threshold={rec.like_threshold}, soft_positives={rec.soft_positives})"
    return "the weight of every row is 0"


def _popularity(rec: Recommender, part: Part, learned: NDArray[np.bool_], n_items: int) -> NDArray[np.int64]:
    """How many likes each item has."""
    return np.bincount(part.item[learned & is_like(rec, part.rows)], minlength=n_items).astype(np.int64)
