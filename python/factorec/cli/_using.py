"""Commands that use models: ``evaluate``, ``recommend``, ``explain``, ``doctor``.

Each imports what it needs when it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ._app import command
from ._exit import ExitCode
from ._options import By, Context, Method, Mode, ModelFile, NoContext, Rows, Unknown


@command
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


@command
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
    users: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Table with the column of users, and those of context: a list for each row."),
    ] = None,
    context: Context = None,
    no_context: NoContext = False,
    items: Annotated[Optional[Path], typer.Option(help="Recommend only the items of this table.")] = None,  # noqa: UP045
    exclude: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Table of items never to recommend, or of (user, item) pairs."),
    ] = None,
    exclude_seen: Annotated[
        bool, typer.Option("--exclude-seen/--include-seen", help="Leave out what users have seen.")
    ] = True,
    cold_items: Annotated[
        bool, typer.Option("--cold-items", help="Also rank items that only the table of items has, by their features.")
    ] = False,
    min_score: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Leave out lower scores (log-odds, or ratings)."),
    ] = None,
    min_probability: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0, max=1, help="Leave out lower probabilities of a like."),
    ] = None,
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
        batch_size=batch_size,
        context=context,
        no_context=no_context,
        options={
            "n": n,
            "exclude_seen": exclude_seen,
            "cold_items": cold_items,
            "min_score": min_score,
            "min_probability": min_probability,
            "unknown": unknown.value,
        },
        table={"table": table, "schema": schema, "mode": mode.value, "model": model_name or model.stem},
    )


@command
def explain(
    model: ModelFile,
    user: Annotated[str, typer.Option(help="User id.")],
    item: Annotated[Optional[str], typer.Option(help="Item id; by default the first recommendation.")] = None,  # noqa: UP045
    context: Context = None,
    no_context: NoContext = False,
    method: Annotated[Method, typer.Option(help="Exact re-solved, or the formula as published.")] = Method.ridge,
    by: Annotated[By, typer.Option(help="The parts of the score: by field, or by feature (which genre).")] = By.field,
    noun: Annotated[str, typer.Option(help='What items are called: "film".')] = "item",
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Also write .png, .svg or .html")] = None,  # noqa: UP045
) -> None:
    """Say what the score of an item is made of, and which of the user's interactions account for it."""
    from . import commands

    commands.explain(
        model,
        user,
        item,
        context=context,
        no_context=no_context,
        by=by.value,
        method=method.value,
        noun=noun,
        out=out,
    )


@command
def doctor(
    model: Annotated[Optional[Path], typer.Argument(metavar="[MODEL]", help="Also check this file.")] = None,  # noqa: UP045
) -> None:
    """Show what this installation is and can do, and check that it computes right."""
    from .doctor import doctor

    raise typer.Exit(int(ExitCode.OK if doctor(model) else ExitCode.UNEXPECTED))
