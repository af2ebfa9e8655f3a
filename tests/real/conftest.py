"""Real data for the tests of this folder. Where CI is set it must be there; elsewhere its absence skips."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from factorec.datasets import MovieLens, load_movielens
from factorec.errors import DatasetUnavailableError


def load_or_skip(split: str | None) -> MovieLens:
    try:
        return load_movielens("100k", split=split)
    except DatasetUnavailableError as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI is set and the data cannot be had: {error}", pytrace=False)
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def load_split() -> Callable[[str | None], MovieLens]:
    """By name of the split; None: all ratings."""
    return load_or_skip


@pytest.fixture(scope="session")
def movielens() -> MovieLens:
    """All ratings, in the order of u.data."""
    return load_or_skip(None)


@pytest.fixture(scope="session")
def movielens_ua() -> MovieLens:
    return load_or_skip("ua")
