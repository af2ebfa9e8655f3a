"""What the command ``tune`` does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from .. import Recommender
from .._table_files import kinds_in, read_table, title_of
from ..sinks import write_table
from ..tuning import TuningResult
from ..tuning import tune as search
from ..tuning.result import trials_table
from ..tuning.storage import shown
from ._console import note, print_table, track
from ._estimators import make_estimator
from ._features import read_fields

__all__ = ["tune"]

SHOWN = 10


def tune(
    table: Path,
    model: Path,
    *,
    task: str | None,
    settings: dict[str, Any],
    columns: dict[str, Any],
    fields: str | None,
    items: Path | None,
    users: Path | None,
    n_trials: int,
    timeout: float | None,
    metric: str | None,
    max_epochs: int,
    seed: int,
    storage: str | None,
    out: Path | None,
    history: bool,
) -> None:
    """Search settings on a table, save the best model and, if wanted, the table of trials."""
    for path in (model, out):
        if path is not None and not path.parent.is_dir():  # before the work, not after it
            raise FileNotFoundError(2, "no such folder", str(path.parent))
    rec = Recommender(make_estimator(task, settings, negatives=columns["negatives"]), **columns)
    rec.fields = None if fields is None else read_fields(fields)
    rows = read_table(table, dict.fromkeys((rec.user, rec.item)))
    ids = kinds_in(rows, (rec.user, rec.item))
    people, films = (None if path is None else read_table(path, ids) for path in (users, items))
    rec.title = title_of(rec.title, films)
    kept = str(model.with_name(model.name + ".trials")) if storage is None else storage
    began = time.perf_counter()
    try:
        with track("trials", n_trials) as progress:
            found = search(
                rec,
                rows,
                items=films,
                users=people,
                n_trials=n_trials,
                timeout=timeout,
                metric=metric,
                max_epochs=max_epochs,
                storage=kept,
                random_state=seed,
                on_trial=lambda trial: progress.update(progress.task_ids[0], completed=_n_done(trial)),
            )
    except KeyboardInterrupt:
        note(f"the trials that were finished are kept in {shown(kept)}: the same command goes on")
        raise
    _print(found)
    found.recommender.save(model, history=history)
    if out is not None:
        write_table(trials_table(found.study, found.metric), out)
    took = time.perf_counter() - began
    note(f"{len(found.study.trials):,} trials in {shown(kept)}, {took:.1f} s")
    note(f"the best, fitted to all rows, saved to {model}")


def _n_done(trial: Any) -> int:
    return int(trial.number) + 1


def _print(found: TuningResult) -> None:
    """The best trials; what they were judged by stands out."""
    columns = trials_table(found.study, found.metric)
    complete = int((columns.pop("state") == "complete").sum())
    columns.pop("seconds")
    print_table(
        [name.replace("_", "\n").replace("/", "\n") for name in columns],  # else no terminal is wide enough
        [
            [_cell(column[row], 4 if name == found.metric else 3) for name, column in columns.items()]
            for row in range(min(SHOWN, complete))
        ],
        bold=list(columns).index(found.metric),
        text=(),
    )
    note("chosen: " + ", ".join(f"{name} {_cell(value, 3)}" for name, value in found.best_params.items()))


def _cell(value: Any, digits: int) -> str:
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return "" if value is None else str(value)
