"""The commands. Each imports what it needs when it runs, so that ``--help`` is quick."""

from __future__ import annotations

import functools
import sys
import traceback
import warnings
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from .. import __version__
from ._exit import ExitCode, exit_code, one_line

__all__ = ["app", "run"]

_CODES = """Exit codes: 0 done · 1 unexpected error or missing extra · 2 wrong usage · 3 input that cannot be used,
unknown ids · 4 a file that cannot be read or written · 5 a dataset that could not be had · 6 training diverged ·
130 interrupted."""

app = typer.Typer(
    name="factorec",
    help="Recommendations from factorization machines: train, rank exactly, explain.",
    epilog=_CODES.replace("\n", " "),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class By(StrEnum):
    """How finely to take a score apart."""

    field = "field"
    feature = "feature"


class FoldSide(StrEnum):
    """Whom to fold in."""

    users = "users"
    items = "items"


class Method(StrEnum):
    """How to explain."""

    ridge = "ridge"
    paper = "paper"


class Task(StrEnum):
    """What to learn."""

    likes = "likes"
    ratings = "ratings"


class Mode(StrEnum):
    """What happens to the rows of a table in a database."""

    in_place = "replace"
    more = "append"


class SplitBy(StrEnum):
    """Which rows are held out."""

    random = "random"
    time = "time"
    last = "last"
    users = "users"


class Unknown(StrEnum):
    """What users get that the model does not know."""

    error = "raise"
    popular = "popular"


_debug = False


def run() -> None:
    """Run the command line."""
    app(prog_name="factorec")


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a command; every error in it becomes one line and an exit code."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> None:
        warnings.showwarning = _warn
        try:
            function(*args, **kwargs)
        except typer.Exit:
            raise
        except (Exception, KeyboardInterrupt) as error:
            if _debug:
                traceback.print_exc()
            else:
                print(f"factorec: {one_line(error)}", file=sys.stderr)
            raise typer.Exit(int(exit_code(error))) from None

    return app.command()(guarded)


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"factorec: warning: {' '.join(str(message).split())}", file=sys.stderr)


def _show_version(value: bool) -> None:
    if value:
        print(f"factorec {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    global _debug
    _debug = debug


ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that `factorec train` wrote.")]
Rows = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE", help=".csv, .tsv (also .gz) or .parquet; in text, 007 is not 7: such ids are kept as written"
    ),
]
Jobs = Annotated[Optional[int], typer.Option(help="Threads; by default all CPUs that may be used.")]  # noqa: UP045


@_command
def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("factorec-quickstart"),
    top: Annotated[int, typer.Option(min=1, help="Length of the lists.")] = 100,
    model: Annotated[Optional[Path], typer.Option(help="Where to save the ranking model.")] = None,  # noqa: UP045
) -> None:
    """Run the whole way on MovieLens 100K: train, compare, rank, explain."""
    from .quickstart import quickstart

    quickstart(out, top, model)


@_command
def split(
    table: Rows,
    train: Annotated[Path, typer.Option(help="Where to write the rows to learn from.")],
    test: Annotated[Path, typer.Option(help="Where to write the rows to judge by.")],
    by: Annotated[
        SplitBy, typer.Option(help="Hold out rows at random, the newest, the last of each user, or whole users.")
    ] = SplitBy.random,
    test_size: Annotated[float, typer.Option(help="Share, or number, of the rows (--by users: users) held out.")] = 0.2,
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="With --by last: rows of each user.")] = 1,
    given: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="With --by users: where to write what held-out users tell, half of their rows."),
    ] = None,
    user_column: Annotated[str, typer.Option(help="Column of user ids.")] = "user_id",
    time_column: Annotated[str, typer.Option(help="Column of times: numbers, or dates as ISO 8601.")] = "timestamp",
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn at random.")] = 0,
) -> None:
    """Split a table into rows to learn from and rows to judge by."""
    from .split import split

    split(table, train, test, given, by.value, test_size, n, user_column, time_column, seed)


@_command
def train(
    table: Rows,
    model: Annotated[Path, typer.Option("--model", "-m", help="Where to write the model.")],
    user_column: Annotated[str, typer.Option(help="Column of user ids.")] = "user_id",
    item_column: Annotated[str, typer.Option(help="Column of item ids.")] = "item_id",
    target_column: Annotated[str, typer.Option(help="Column of ratings, or of 0 and 1.")] = "rating",
    no_target: Annotated[bool, typer.Option("--no-target", help="Every row is a like (clicks).")] = False,
    weight_column: Annotated[Optional[str], typer.Option(help="Column of row weights.")] = None,  # noqa: UP045
    items: Annotated[Optional[Path], typer.Option(help="Table of items, for titles.")] = None,  # noqa: UP045
    title_column: Annotated[str, typer.Option(help="Column of titles in --items.")] = "title",
    validation: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Table for early stopping."),
    ] = None,
    early_stopping: Annotated[
        bool, typer.Option("--early-stopping", help="Stop early, on --validation or on a tenth of the rows.")
    ] = False,
    task: Annotated[Task, typer.Option(help="Learn likes (classifier) or ratings (regressor).")] = Task.likes,
    like_threshold: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="A target of at least this is a like; without it the target must be 0 and 1."),
    ] = None,
    negatives: Annotated[int, typer.Option(min=0, help="Sampled unseen items per like; 8 to rank well.")] = 0,
    factors: Annotated[int, typer.Option(min=1, help="Number of factors.")] = 64,
    epochs: Annotated[Optional[int], typer.Option(min=1, help="Passes over the table.")] = None,  # noqa: UP045
    learning_rate: Annotated[Optional[float], typer.Option()] = None,  # noqa: UP045
    l2_linear: Annotated[Optional[float], typer.Option(help="Penalty of linear weights.")] = None,  # noqa: UP045
    l2_factors: Annotated[Optional[float], typer.Option(help="Penalty of factors.")] = None,  # noqa: UP045
    solver: Annotated[Optional[str], typer.Option(help="adagrad or sgd.")] = None,  # noqa: UP045
    seed: Annotated[int, typer.Option(help="Of all random numbers.")] = 0,
    history: Annotated[
        bool, typer.Option("--history/--no-history", help="Keep in the file what each user has seen.")
    ] = True,
    n_jobs: Jobs = None,
) -> None:
    """Learn from a table of interactions and write a model file."""
    from . import commands

    chosen = {
        "n_epochs": epochs,
        "learning_rate": learning_rate,
        "l2_linear": l2_linear,
        "l2_factors": l2_factors,
        "solver": solver,
        "n_jobs": n_jobs,
    }
    commands.train(
        table,
        model,
        classifier=task is Task.likes,
        settings={name: value for name, value in chosen.items() if value is not None}
        | {"n_factors": factors, "random_state": seed, "early_stopping": early_stopping or validation is not None},
        columns={
            "user": user_column,
            "item": item_column,
            "target": None if no_target else target_column,
            "weight": weight_column,
            "title": title_column if items is not None else None,
            "like_threshold": like_threshold,
            "negatives": negatives,
        },
        items=items,
        validation=validation,
        history=history,
    )


@_command
def tune(
    table: Rows,
    model: Annotated[Path, typer.Option("--model", "-m", help="Where to write the best model, fitted to all rows.")],
    trials: Annotated[int, typer.Option(min=1, help="Trials in all, those of earlier runs included.")] = 50,
    timeout: Annotated[Optional[float], typer.Option(help="Seconds for the trials of this run.")] = None,  # noqa: UP045
    metric: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="log_loss, rmse, or ndcg@10 (any length); by default ndcg@10 with --negatives, else the loss."
        ),
    ] = None,
    max_epochs: Annotated[int, typer.Option(min=1, help="Where a trial stops at the latest.")] = 100,
    storage: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="File or database URL that keeps the trials; by default MODEL.trials. The same command "
            "again goes on where it stopped."
        ),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", "-o", help="Also write all trials as a table: .csv, .jsonl or .parquet"),
    ] = None,
    user_column: Annotated[str, typer.Option(help="Column of user ids.")] = "user_id",
    item_column: Annotated[str, typer.Option(help="Column of item ids.")] = "item_id",
    target_column: Annotated[str, typer.Option(help="Column of ratings, or of 0 and 1.")] = "rating",
    no_target: Annotated[bool, typer.Option("--no-target", help="Every row is a like (clicks).")] = False,
    weight_column: Annotated[Optional[str], typer.Option(help="Column of row weights.")] = None,  # noqa: UP045
    items: Annotated[Optional[Path], typer.Option(help="Table of items, for titles.")] = None,  # noqa: UP045
    title_column: Annotated[str, typer.Option(help="Column of titles in --items.")] = "title",
    task: Annotated[Task, typer.Option(help="Learn likes (classifier) or ratings (regressor).")] = Task.likes,
    like_threshold: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="A target of at least this is a like; without it the target must be 0 and 1."),
    ] = None,
    negatives: Annotated[int, typer.Option(min=0, help="Sampled unseen items per like; 8 to rank well.")] = 0,
    solver: Annotated[Optional[str], typer.Option(help="adagrad or sgd.")] = None,  # noqa: UP045
    seed: Annotated[int, typer.Option(help="Of all random numbers.")] = 0,
    history: Annotated[
        bool, typer.Option("--history/--no-history", help="Keep in the file what each user has seen.")
    ] = True,
    n_jobs: Jobs = None,
) -> None:
    """Search the settings of a model by validation inside a table, and write the best model."""
    from .tune import tune

    chosen = {"solver": solver, "n_jobs": n_jobs}
    tune(
        table,
        model,
        classifier=task is Task.likes,
        settings={name: value for name, value in chosen.items() if value is not None},
        columns={
            "user": user_column,
            "item": item_column,
            "target": None if no_target else target_column,
            "weight": weight_column,
            "title": title_column if items is not None else None,
            "like_threshold": like_threshold,
            "negatives": negatives,
        },
        items=items,
        users=None,
        n_trials=trials,
        timeout=timeout,
        metric=metric,
        max_epochs=max_epochs,
        seed=seed,
        storage=storage,
        out=out,
        history=history,
    )


@_command
def evaluate(
    model: ModelFile,
    table: Rows,
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Length of the lists.")] = 10,
    cold_items: Annotated[
        bool, typer.Option("--cold-items", help="Items of the catalogue without interactions are candidates too.")
    ] = False,
    out: Annotated[Optional[Path], typer.Option(help="Write the figures as JSON.")] = None,  # noqa: UP045
) -> None:
    """Measure a model on held-out interactions, beside popularity and means, new users and items apart."""
    from . import commands

    commands.evaluate(model, table, n, cold_items, out)


@_command
def recommend(
    model: ModelFile,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            help=".jsonl, .csv, .parquet, sqlite:///path.db or postgresql://… (password from PGPASSWORD or .pgpass)",
        ),
    ],
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Length of the lists.")] = 100,
    user: Annotated[Optional[list[str]], typer.Option(help="Only this user (repeatable).")] = None,  # noqa: UP045
    users: Annotated[Optional[Path], typer.Option(help="Table with the column of users.")] = None,  # noqa: UP045
    items: Annotated[Optional[Path], typer.Option(help="Recommend only the items of this table.")] = None,  # noqa: UP045
    exclude: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Table of items never to recommend, or of (user, item) pairs."),
    ] = None,
    exclude_seen: Annotated[
        bool, typer.Option("--exclude-seen/--include-seen", help="Leave out what users have seen.")
    ] = True,
    unknown: Annotated[Unknown, typer.Option(help="Users that the model does not know.")] = Unknown.error,
    batch_size: Annotated[int, typer.Option(min=1, help="Users at a time.")] = 4096,
    table: Annotated[str, typer.Option(help="Database: table to write.")] = "recommendations",
    schema: Annotated[Optional[str], typer.Option(help="PostgreSQL: its schema.")] = None,  # noqa: UP045
    mode: Annotated[Mode, typer.Option(help="Database: put lists in the place of the old, or add.")] = Mode.in_place,
    model_name: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Database: what the column model says; by default the model file's name."),
    ] = None,
) -> None:
    """Write the exact top n items of every user, in bounded memory."""
    from . import commands

    commands.recommend(
        model,
        out,
        user_texts=user,
        users=users,
        items=items,
        exclude=exclude,
        n=n,
        exclude_seen=exclude_seen,
        unknown=unknown.value,
        batch_size=batch_size,
        table={"table": table, "schema": schema, "mode": mode.value, "model": model_name or model.stem},
    )


@_command
def explain(
    model: ModelFile,
    user: Annotated[str, typer.Option(help="User id.")],
    item: Annotated[Optional[str], typer.Option(help="Item id; by default the first recommendation.")] = None,  # noqa: UP045
    method: Annotated[Method, typer.Option(help="Exact re-solved, or the formula as published.")] = Method.ridge,
    by: Annotated[By, typer.Option(help="The parts of the score: by field, or by feature (which genre).")] = By.field,
    noun: Annotated[str, typer.Option(help='What items are called: "film".')] = "item",
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Also write .png, .svg or .html")] = None,  # noqa: UP045
) -> None:
    """Say what the score of an item is made of, and which of the user's interactions account for it."""
    from . import commands

    commands.explain(model, user, item, by=by.value, method=method.value, noun=noun, out=out)


@_command
def fold_in(
    model: ModelFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the model; may be MODEL.")],
    table: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Argument(metavar="[TABLE]", help="Interactions of the new ids, as for `factorec train`."),
    ] = None,
    side: Annotated[FoldSide, typer.Option(help="Which ids of TABLE to take in.")] = FoldSide.users,
    catalogue: Annotated[Optional[Path], typer.Option(help="Table of the new ids: titles, fields.")] = None,  # noqa: UP045
) -> None:
    """Take users or items that came after training into a model; nothing else in it changes."""
    from .fold_in import fold_in

    fold_in(model, table, out, side=side.value, catalogue=catalogue)


@_command
def doctor(
    model: Annotated[Optional[Path], typer.Argument(metavar="[MODEL]", help="Also check this file.")] = None,  # noqa: UP045
) -> None:
    """Show what this installation is and can do, and check that it computes right."""
    from .doctor import doctor

    raise typer.Exit(int(ExitCode.OK if doctor(model) else ExitCode.UNEXPECTED))
