"""What the commands ``train``, ``evaluate``, ``recommend`` and ``explain`` do."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .. import Recommender, load
from .._atomic import atomic_file
from .._table_files import kinds_in, kinds_of, parse_id, read_table, title_of
from ..encoding.tables import column, column_names
from ..errors import DataError
from ..recommender.context import query_columns
from ..recommender.interactions import id_positions
from ..recommender.requests import Request
from ..sinks import open_sink, without_secrets
from ._console import epochs, errors, note, print_table, track
from ._estimators import make_estimator
from ._features import parse_context, read_fields

__all__ = ["evaluate", "explain", "recommend", "train"]


def train(
    table: Path,
    model: Path,
    *,
    task: str | None,
    settings: dict[str, Any],
    columns: dict[str, Any],
    fields: str | None,
    users: Path | None,
    items: Path | None,
    validation: Path | None,
    history: bool,
) -> None:
    """Fit a recommender on a table and save it."""
    if not model.parent.is_dir():  # before the work, not after it
        raise FileNotFoundError(2, "no such folder", str(model.parent))
    if settings["n_factors"] is None and settings["solver"] not in ("gibbs", "als"):
        settings["n_factors"] = 64
    settings["verbose"] = int(errors.is_terminal)
    estimator: Any = make_estimator(task, settings, negatives=columns["negatives"])
    rec = Recommender(estimator, **columns, fields=None if fields is None else read_fields(fields))
    names = rec.user, rec.item
    rows = read_table(table, dict.fromkeys(names))
    ids = kinds_in(rows, names)
    tables = {
        name: None if path is None else read_table(path, ids)
        for name, path in (("users", users), ("items", items), ("validation", validation))
    }
    rec.title = title_of(rec.title, tables["items"])
    began = time.perf_counter()
    rec.fit(rows, **tables)
    took = time.perf_counter() - began
    rec.estimator_.verbose = estimator.verbose = 0
    epochs(rec.estimator_.history_)
    rec.save(model, history=history)
    counts = [f"{rows.num_rows:,} rows"]
    for side in ("user", "item"):
        trained = rec.encoder_.is_trained(side)
        n_cold = int((~trained).sum())
        counts.append(
            f"{trained.sum():,} {side}s" + (f" (and {n_cold:,} in the table of {side}s only)" if n_cold else "")
        )
    note(f"{', '.join(counts)}: fitted in {took:.2f} s, saved to {model}")


def evaluate(model: Path, table: Path, n: int, cold_items: bool, out: Path | None) -> None:
    """Print, and write as JSON, how a model does on held-out rows."""
    rec = load(model)
    judged = rec.evaluate(read_table(table, kinds_of(rec)), n=n, cold_items=cold_items)
    for head, lines in judged.blocks():
        print_table(head, lines)
    note(f"{judged.n_rows:,} rows; new to the model: {judged.n_cold_users:,} users, {judged.n_cold_items:,} items")
    for text in judged.notes:
        note(text)
    if out is not None:
        text = json.dumps(judged.to_dict(), indent=2, allow_nan=False)
        with atomic_file(out) as file:
            file.write((text + "\n").encode())


def recommend(
    model: Path,
    out: str,
    *,
    user_texts: list[str] | None,
    users: Path | None,
    items: Path | None,
    exclude: Path | None,
    context: list[str] | None,
    no_context: bool,
    options: dict[str, Any],
    batch_size: int,
    table: dict[str, Any],
) -> None:
    """Stream lists to a file or a database."""
    rec = load(model)
    vocabulary, ids = rec.encoder_.users_, kinds_of(rec)
    if user_texts and users is not None:
        raise DataError("give --user or --users, not both")
    given, shown = parse_context(rec, context, none=no_context), {}
    asked: Any = None
    if user_texts:
        asked = np.array([parse_id(text, vocabulary.ids, "user") for text in user_texts], dtype=vocabulary.ids.dtype)
    elif users is not None:
        queries = read_table(users, ids)
        asked = column(queries, rec.user)
        if given is None:
            given = shown = query_columns(rec, queries)
    left_out = None
    if exclude is not None:
        pairs = read_table(exclude, ids)
        left_out = pairs if rec.user in column_names(pairs) else column(pairs, rec.item)
    request = Request.read(
        rec,
        asked,
        context=given,
        shown=shown,
        items=None if items is None else column(read_table(items, ids), rec.item),
        exclude=left_out,
        **options,
    )
    began, lines = time.perf_counter(), 0
    with open_sink(out, **table) as sink, track("recommending", len(request.users)) as progress:
        for batch in request.batches(batch_size):
            sink.write(batch.to_columns())
            lines += int(batch.counts.sum())
            progress.advance(progress.task_ids[0], len(batch))
    took = time.perf_counter() - began
    who = "queries" if shown else "users"
    note(f"{len(request.users):,} {who}, {lines:,} recommendations in {took:.2f} s, written to {without_secrets(out)}")


def explain(
    model: Path,
    user_text: str,
    item_text: str | None,
    *,
    context: list[str] | None,
    no_context: bool,
    by: Literal["field", "feature"],
    method: Literal["ridge", "paper"],
    noun: str,
    out: Path | None,
) -> None:
    """Print, and save as a picture or page, what a score is made of and which interactions account for it."""
    rec = load(model)
    user = parse_id(user_text, rec.encoder_.users_.ids, "user")
    id_positions(rec.encoder_.users_, user, "user")  # here: `recommend` would offer popular items instead
    given = parse_context(rec, context, none=no_context)
    if item_text is not None:
        item = parse_id(item_text, rec.encoder_.items_.ids, "item")
    else:
        first = rec.recommend([user], n=1, context=given)
        if not first.counts[0]:
            raise DataError(f"user {user!r} has seen every item; name one with --item")
        item = first.item_ids[0, 0]
    why = rec.explain(user, item, context=given, by=by, method=method, noun=noun)
    print(why)
    if out is not None:
        why.save(out)
        note(f"written to {out}")
