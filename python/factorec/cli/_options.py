"""Arguments and options that commands share, and the choices that options offer."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer


class Algorithm(StrEnum):
    """Which algorithm of the managed service."""

    fm = "fm"
    knn = "knn"


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

    lists = "lists"
    likes = "likes"
    ratings = "ratings"
    levels = "levels"


class Loss(StrEnum):
    """What a ranker minimises."""

    softmax = "softmax"
    bpr = "bpr"
    warp = "warp"


class SearchWith(StrEnum):
    """By which parameters of a sampled model lists are made."""

    samples = "samples"
    mean = "mean"


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


ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that `factorec train` wrote.")]
Rows = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE", help=".csv, .tsv (also .gz) or .parquet; in text, 007 is not 7: such ids are kept as written"
    ),
]
Jobs = Annotated[Optional[int], typer.Option(help="Threads; by default all CPUs that may be used.")]  # noqa: UP045
Fields = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        help="Side features: 'auto', a .toml or .json file, or 'user: gender, numeric(age, bins=12), history; "
        "item: multilabel(genres, separator=|); context: datetime(timestamp, part=hour)'.",
    ),
]
Context = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(metavar="COLUMN=VALUE", help="The context to rank in (repeatable), for a model that has context."),
]
NoContext = Annotated[bool, typer.Option("--no-context", help="Rank without any context.")]

# What `train` and `tune` share: which columns of which tables say what.
UserColumn = Annotated[str, typer.Option(help="Column of user ids.")]
ItemColumn = Annotated[str, typer.Option(help="Column of item ids.")]
TargetColumn = Annotated[str, typer.Option(help="Column of ratings, or of 0 and 1.")]
NoTarget = Annotated[bool, typer.Option("--no-target", help="Every row is a like (clicks).")]
WeightColumn = Annotated[Optional[str], typer.Option(help="Column of row weights.")]  # noqa: UP045
Users = Annotated[Optional[Path], typer.Option(help="Table of users, for --fields.")]  # noqa: UP045
Items = Annotated[Optional[Path], typer.Option(help="Table of items, for titles and --fields.")]  # noqa: UP045
TitleColumn = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="Column of titles in --items; by default 'title', if there is one."),
]
TaskOption = Annotated[
    Optional[Task],  # noqa: UP045
    typer.Option(
        "--task",
        help="Learn which items users choose (lists: FMRanker), likes against dislikes (FMClassifier), ratings "
        "(FMRegressor), or ratings as ordered levels (FMOrdinal). By default lists, with --negatives likes.",
    ),
]
LikeThreshold = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(help="A target of at least this is a like; without it the target must be 0 and 1."),
]
Negatives = Annotated[
    int, typer.Option(min=0, help="--task likes: unseen items drawn per like; without them its lists are bad.")
]
SoftPositives = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(min=0, help="--task lists: what a row below --like-threshold counts, where a like is 1."),
]
LossOption = Annotated[Optional[Loss], typer.Option("--loss", help="--task lists: what is minimised.")]  # noqa: UP045
SearchWithOption = Annotated[
    SearchWith,
    typer.Option("--search-with", help="--solver gibbs: make lists by all samples, or faster by their mean."),
]
Solver = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="adagrad; gibbs (likes, ratings, levels), als (ratings), ials (lists), sgd, adam."),
]
Seed = Annotated[int, typer.Option(help="Of all random numbers.")]
KeepHistory = Annotated[bool, typer.Option("--history/--no-history", help="Keep in the file what each user has seen.")]
