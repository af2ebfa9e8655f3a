"""MovieLens 100K: 100,000 ratings of 1,682 films by 943 users, with the published splits."""

from __future__ import annotations

import hashlib
import io
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, DatasetUnavailableError
from . import _sources
from ._sources import Archive, Unavailable

__all__ = ["MovieLens", "load_movielens"]

RATINGS_SHA256 = "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
N_USERS, N_ITEMS = 943, 1682
SPLITS = ("ua", "ub", "u1", "u2", "u3", "u4", "u5")
RATING_COLUMNS = ("user_id", "item_id", "rating", "timestamp")

# the order of the flags in u.item
GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *(
        "Fantasy",
        "Film-Noir",
        "Horror",
        "Musical",
        "Mystery",
        "Romance",
        "Sci-Fi",
        "Thriller",
        "War",
        "Western",
    ),
)

# Our summary of the terms in the README of the original zip, which governs.
LICENCE = """\
MovieLens 100K comes from GroupLens, University of Minnesota: https://grouplens.org/datasets/movielens/100k/
Terms, in short: for research; no redistribution or commercial use without permission; no endorsement implied;
cite F. M. Harper, J. A. Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015.
The README in the original zip file has the full text, which governs."""

Table = Any  # pandas.DataFrame, or dict of numpy arrays where pandas is not installed
Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class MovieLens:
    """MovieLens 100K, or one split of it.

    Attributes
    ----------
    train : table
        Interactions to learn from: ``user_id``, ``item_id``, ``rating`` (1 to 5) and ``timestamp`` (seconds
        since 1970), all int64. Sorted by user, then item; with ``split=None`` all ratings in their original
        order.
    test : table or None
        Interactions held out by the split, in the same columns; ``None`` with ``split=None``.
    items : table
        All 1,682 films: ``item_id`` (int64), ``title`` (without the year), ``year`` (missing for film 267,
        whose title is "unknown") and ``genres`` (a list of str).
    users : table
        All 943 users: ``user_id``, ``age`` (int64), ``gender``, ``occupation`` and ``zip_code`` (str).

    Notes
    -----
    Tables are pandas data frames where pandas is installed, otherwise dicts of numpy arrays; every function
    of factorec takes either. ``year`` is ``Int64`` in pandas, float64 with NaN in numpy.

    Examples
    --------
    >>> from factorec.datasets import load_movielens
    >>> data = load_movielens("100k", split="ua")  # doctest: +SKIP
    >>> len(data.train), len(data.test), len(data.items), len(data.users)  # doctest: +SKIP
    (90570, 9430, 1682, 943)
    """

    train: Table
    test: Table
    items: Table
    users: Table


def load_movielens(
    name: str = "100k",
    *,
    split: str | None = None,
    path: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> MovieLens:
    """Load MovieLens 100K.

    The licence forbids redistribution, so the data is fetched once and kept in a cache folder:
    ``FACTOREC_DATA`` where that is set, else the platform's folder for user caches. Sources in order:
    ``path``; the cache; the zip file of GroupLens; the Python package recbole 1.2.1, which contains the data
    and is fetched with pip, read and never imported. Whatever the source, the ratings are checked against the
    hash of ``u.data`` and the tables are equal.

    Parameters
    ----------
    name : {"100k"}
        Which MovieLens data set.
    split : {"ua", "ub", "u1", "u2", "u3", "u4", "u5"} or None
        One of the published splits: ``"ua"`` and ``"ub"`` hold out 10 ratings of each user, ``"u1"`` to
        ``"u5"`` are five folds of 20,000 ratings. ``None``: all ratings as ``train``, nothing held out.
    path : path-like, optional
        The original ``ml-100k.zip``, or the folder with its files. No other source is tried then.
    download : bool
        ``False`` uses the cache only; so does ``FACTOREC_OFFLINE=1`` in the environment.

    Returns
    -------
    MovieLens
        Tables ``train``, ``test``, ``items`` and ``users``.

    Raises
    ------
    DataError
        If ``name`` or ``split`` is not one of those above.
    DatasetUnavailableError
        If no source has the data; the message lists each source with its reason.

    Examples
    --------
    >>> from factorec.datasets import load_movielens
    >>> data = load_movielens("100k", split="ua")
    >>> len(data.train["rating"]), len(data.test["rating"])
    (90570, 9430)
    """
    if name != "100k":
        raise DataError(f'name must be "100k", the only MovieLens data set here so far, got {name!r}')
    if split is not None and split not in SPLITS:
        raise DataError(f"split must be None or one of {', '.join(SPLITS)}, got {split!r}")
    parsed = _from_path(Path(path)) if path is not None else _find(download)
    train, test = (parsed.ratings, None) if split is None else _split(parsed.ratings, split)
    return MovieLens(
        train=_table(_interactions(train)),
        test=None if test is None else _table(_interactions(test)),
        items=_table(parsed.items),
        users=_table(parsed.users),
    )


@dataclass(frozen=True)
class _Parsed:
    ratings: npt.NDArray[np.int64]  # (100000, 4), in the order of u.data
    items: Columns
    users: Columns


def _from_path(path: Path) -> _Parsed:
    try:
        return _parse(_sources.read_archive(path.expanduser()))
    except Unavailable as reason:
        raise DatasetUnavailableError(
            f"MovieLens 100K cannot be read from path=: {reason}. path= takes the original ml-100k.zip "
            f"({_sources.URL}) or the folder with its files"
        ) from None


def _find(download: bool) -> _Parsed:
    tried = []
    for source in _sources.sources(download=download):
        try:
            archive = source.read()
            parsed = _parse(archive)
        except Unavailable as reason:
            tried.append(f"  - {source.name}: {reason}")
            continue
        if source.remote:
            print(LICENCE, file=sys.stderr)
            _sources.store(archive)
        return parsed
    raise DatasetUnavailableError(
        "MovieLens 100K could not be had. Tried:\n" + "\n".join(tried) + f"\nDownload {_sources.URL} by other means "
        'and give it: load_movielens("100k", path="ml-100k.zip"), or put it in the folder FACTOREC_DATA'
    )


def _parse(archive: Archive) -> _Parsed:
    """Read the files; the same tables from either layout."""
    original = archive.layout == "original"
    # the other layout has one header line in each file, and u.data below it
    files = (archive.ratings, archive.films, archive.users)
    ratings, films, users = files if original else (content.partition(b"\n")[2] for content in files)
    digest = hashlib.sha256(ratings).hexdigest()
    if digest != RATINGS_SHA256:
        raise Unavailable(f"its ratings are not those of MovieLens 100K (u.data would have SHA-256 {digest})")
    try:
        return _Parsed(
            ratings=np.loadtxt(io.BytesIO(ratings), dtype=np.int64, delimiter="\t"),
            items=_parse_items(films, original),
            users=_parse_users(users, original),
        )
    except (ValueError, IndexError) as error:
        raise Unavailable(f"its table of films or users is damaged: {error}") from None


def _parse_items(content: bytes, original: bool) -> Columns:
    ids, titles, years, genres = [], [], [], []
    # not splitlines(), to which some Latin-1 control characters are line ends
    for line in content.decode("latin-1" if original else "utf-8").rstrip("\n").split("\n"):
        if original:  # id|title (year)|release date|video release date|URL|19 flags
            item, text, *_ = fields = line.split("|")
            kinds = [genre for genre, flag in zip(GENRES, fields[5:], strict=True) if flag == "1"]
        else:  # id, title, year, genres; cut from the same text, so joined again and read in the same way
            item, title, year, classes = line.split("\t")
            text, kinds = f"{title} ({year})", classes.split(" ")
        title, year_or_nan = _split_title(text)
        ids.append(int(item))
        titles.append(title)
        years.append(year_or_nan)
        genres.append(kinds)
    columns = {"item_id": _ids(ids, N_ITEMS, "films"), "title": _objects(titles), "year": np.array(years)}
    return {**columns, "genres": _objects(genres)}


def _split_title(text: str) -> tuple[str, float]:
    """Take "Toy Story (1995)" apart. One film has "(V)" after its year; 267 has neither title nor year."""
    found = re.fullmatch(r"\s*(.*\S)\s*\((\d{4})\)\s*(\(V\)\s*)?", text)
    if found:
        return found[1], float(found[2])
    if text in ("unknown", "unkonwn (unkonwn)"):
        return "unknown", float("nan")
    raise ValueError(f"a title without a year: {text!r}")


def _parse_users(content: bytes, original: bool) -> Columns:
    lines = content.decode("ascii").splitlines()
    rows = [line.split("|" if original else "\t") for line in lines]
    ids, ages, genders, occupations, zip_codes = zip(*rows, strict=True)
    return {
        "user_id": _ids([int(user) for user in ids], N_USERS, "users"),
        "age": np.array([int(age) for age in ages], dtype=np.int64),
        "gender": _objects(genders),
        "occupation": _objects(occupations),
        "zip_code": _objects(zip_codes),
    }


def _ids(ids: list[int], expected: int, what: str) -> npt.NDArray[np.int64]:
    if ids != list(range(1, expected + 1)):
        raise ValueError(f"{len(ids)} {what}, expected ids 1 to {expected} in order")
    return np.array(ids, dtype=np.int64)


def _objects(values: Sequence[object]) -> npt.NDArray[np.object_]:
    """Make an object array of one dimension, also from lists of equal length."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _split(ratings: npt.NDArray[np.int64], split: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cut as the scripts beside the data did (mku.sh, allbut.pl), from the order of the lines in u.data."""
    line = np.arange(len(ratings))
    if split in ("ua", "ub"):  # each user's lines 1-10, or 11-20
        by_user = np.argsort(ratings[:, 0], kind="stable")
        starts = np.searchsorted(ratings[by_user, 0], ratings[:, 0])
        rank = np.empty_like(line)
        rank[by_user] = line
        rank -= starts
        held_out = rank // 10 == ("ua", "ub").index(split)
    else:  # lines 1-20000, 20001-40000, ...
        held_out = line // 20_000 == int(split[1]) - 1
    ordered = np.lexsort((ratings[:, 1], ratings[:, 0]))
    held_out = held_out[ordered]
    return ratings[ordered[~held_out]], ratings[ordered[held_out]]


def _interactions(ratings: npt.NDArray[np.int64]) -> Columns:
    return dict(zip(RATING_COLUMNS, np.ascontiguousarray(ratings.T), strict=True))


def _table(columns: Columns) -> Table:
    try:
        import pandas as pd
    except ImportError:
        return columns
    frame = pd.DataFrame(columns)
    if "year" in frame:
        frame["year"] = frame["year"].astype("Int64")
    return frame
