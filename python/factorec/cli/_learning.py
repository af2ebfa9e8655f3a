"""Commands that make models: ``train``, ``tune``, ``fold-in``, ``pipeline``, ``sagemaker train`` and around them.

Each imports what it needs when it runs.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Optional

import typer

from ._app import command, sagemaker
from ._exit import ExitCode
from ._options import (
    Algorithm,
    Fields,
    FoldSide,
    ItemColumn,
    Items,
    Jobs,
    KeepHistory,
    LikeThreshold,
    LossOption,
    ModelFile,
    Negatives,
    NoTarget,
    Rows,
    SearchWith,
    SearchWithOption,
    Seed,
    SoftPositives,
    Solver,
    SplitBy,
    TargetColumn,
    TaskOption,
    TitleColumn,
    UserColumn,
    Users,
    WeightColumn,
)


@command
def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("factorec-quickstart"),
    top: Annotated[int, typer.Option(min=1, help="Length of the lists.")] = 100,
    model: Annotated[Optional[Path], typer.Option(help="Where to save the ranking model.")] = None,  # noqa: UP045
) -> None:
    """Run the whole way on MovieLens 100K: train, compare, rank, explain."""
    from .quickstart import quickstart

    quickstart(out, top, model)


@command
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


@command
def train(
    table: Rows,
    model: Annotated[Path, typer.Option("--model", "-m", help="Where to write the model.")],
    user_column: UserColumn = "user_id",
    item_column: ItemColumn = "item_id",
    target_column: TargetColumn = "rating",
    no_target: NoTarget = False,
    weight_column: WeightColumn = None,
    time_column: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Column of times: --early-stopping then holds out the newest rows, not random ones."),
    ] = None,
    users: Users = None,
    items: Items = None,
    title_column: TitleColumn = None,
    fields: Fields = None,
    validation: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Table for early stopping."),
    ] = None,
    early_stopping: Annotated[
        bool, typer.Option("--early-stopping", help="Stop early, on --validation or on a tenth of the rows.")
    ] = False,
    task: TaskOption = None,
    like_threshold: LikeThreshold = None,
    negatives: Negatives = 0,
    soft_positives: SoftPositives = None,
    search_with: SearchWithOption = SearchWith.samples,
    factors: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="Number of factors; by default 64, with gibbs and als the estimator's own default."),
    ] = None,
    epochs: Annotated[Optional[int], typer.Option(min=1, help="Passes over the table.")] = None,  # noqa: UP045
    learning_rate: Annotated[Optional[float], typer.Option()] = None,  # noqa: UP045
    l2_linear: Annotated[Optional[float], typer.Option(help="Penalty of linear weights.")] = None,  # noqa: UP045
    l2_factors: Annotated[Optional[float], typer.Option(help="Penalty of factors.")] = None,  # noqa: UP045
    solver: Solver = None,
    loss: LossOption = None,
    seed: Seed = 0,
    history: KeepHistory = True,
    n_jobs: Jobs = None,
) -> None:
    """Learn from a table of interactions and write a model file."""
    from . import commands

    chosen = {
        "n_factors": factors,
        "n_epochs": epochs,
        "learning_rate": learning_rate,
        "l2_linear": l2_linear,
        "l2_factors": l2_factors,
        "solver": solver,
        "loss": None if loss is None else loss.value,
        "early_stopping": early_stopping or validation is not None,
        "random_state": seed,
        "n_jobs": n_jobs,
    }
    commands.train(
        table,
        model,
        task=None if task is None else task.value,
        settings=chosen,
        columns={
            "user": user_column,
            "item": item_column,
            "target": None if no_target else target_column,
            "weight": weight_column,
            "time": time_column,
            "title": title_column,
            "like_threshold": like_threshold,
            "negatives": negatives,
            "soft_positives": soft_positives,
            "search_with": search_with.value,
        },
        fields=fields,
        users=users,
        items=items,
        validation=validation,
        history=history,
    )


@command
def tune(
    table: Rows,
    model: Annotated[Path, typer.Option("--model", "-m", help="Where to write the best model, fitted to all rows.")],
    trials: Annotated[int, typer.Option(min=1, help="Trials in all, those of earlier runs included.")] = 50,
    timeout: Annotated[Optional[float], typer.Option(help="Seconds for the trials of this run.")] = None,  # noqa: UP045
    metric: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="log_loss, rmse, or ndcg@10 (any length); by default what the task is for: lists, or its loss."
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
    user_column: UserColumn = "user_id",
    item_column: ItemColumn = "item_id",
    target_column: TargetColumn = "rating",
    no_target: NoTarget = False,
    weight_column: WeightColumn = None,
    time_column: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Column of times: trials are then judged by the newest rows, not by random ones."),
    ] = None,
    users: Users = None,
    items: Items = None,
    title_column: TitleColumn = None,
    fields: Fields = None,
    task: TaskOption = None,
    like_threshold: LikeThreshold = None,
    negatives: Negatives = 0,
    soft_positives: SoftPositives = None,
    solver: Solver = None,
    loss: LossOption = None,
    seed: Seed = 0,
    history: KeepHistory = True,
    n_jobs: Jobs = None,
) -> None:
    """Search the settings of a model by validation inside a table, and write the best model."""
    from .tune import tune

    tune(
        table,
        model,
        task=None if task is None else task.value,
        settings={
            "solver": solver,
            "loss": None if loss is None else loss.value,
            "random_state": seed,
            "n_jobs": n_jobs,
        },
        columns={
            "user": user_column,
            "item": item_column,
            "target": None if no_target else target_column,
            "weight": weight_column,
            "time": time_column,
            "title": title_column,
            "like_threshold": like_threshold,
            "negatives": negatives,
            "soft_positives": soft_positives,
        },
        fields=fields,
        items=items,
        users=users,
        n_trials=trials,
        timeout=timeout,
        metric=metric,
        max_epochs=max_epochs,
        seed=seed,
        storage=storage,
        out=out,
        history=history,
    )


@command
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


@command
def pipeline(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A .toml file.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file, say what would be done.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Do everything again.")] = False,
) -> None:
    """Train, check, rank and write as one job, as far as it is not done: for a scheduler."""
    from ..pipeline import run

    run(config, force=force, dry_run=dry_run, log=lambda line: print(line, flush=True))


@partial(command, of=sagemaker, name="train")
def sagemaker_train(
    root: Annotated[
        Path, typer.Option(envvar="FACTOREC_SAGEMAKER_ROOT", help="The container's folder, with input/ and model/.")
    ] = Path("/opt/ml"),
    algorithm: Annotated[
        Optional[Algorithm],  # noqa: UP045
        typer.Option(
            envvar="FACTOREC_SAGEMAKER_ALGORITHM",
            help="Factorization machines or nearest neighbours; default: whose hyperparameters there are.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn at random; the service has none.")] = 0,
    n_jobs: Jobs = None,
    padded_test_metrics: Annotated[
        bool, typer.Option("--padded-test-metrics", help="Fill the last test batch up, as the service did in 2018.")
    ] = False,
) -> None:
    """Train as a container does: ROOT/input says on what, ROOT/model gets the model, ROOT/output/failure the error."""
    from ..sagemaker.container import train

    result = train(
        root,
        algorithm=None if algorithm is None else algorithm.value,
        random_state=seed,
        n_jobs=n_jobs,
        padded_test_metrics=padded_test_metrics,
    )
    if result.stopped:
        raise typer.Exit(ExitCode.TERMINATED)
