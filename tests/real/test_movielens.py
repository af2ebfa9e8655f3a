"""MovieLens 100K as published: the ratings, the seven splits, the film table."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from factorec.datasets import load_movielens

# MD5 of the files ua.base, ua.test, … of the original zip
PUBLISHED = {
    "ua": ("346eb46a756be3b382bdef4f7dcf3a01", "52e5d0355092dc1596899855b220508f"),
    "ub": ("e4ce94f6e01e45f65b91a70bb9e8da2f", "5292d1e388d156aa0c19c384cdf35aca"),
    "u1": ("4325f44281c9f8c119a3694662d63fc2", "62d5d837e7c8e36550cc956b09c2ecc8"),
    "u2": ("79541afecccbd5365bb2c09b123a01c7", "1951a71b7e1f4ed254508007fa2f6b70"),
    "u3": ("55c67a63f516fa9e593d68c3be779970", "cb3e4d0a9152041772285232ca002d4f"),
    "u4": ("66f64a75eeeffd20ff09533bcd31adcf", "328acfca94e85d01b1d7e92c7d73df3b"),
    "u5": ("0becb3392339231c08ba316944c79095", "bec898f7091dba3b7bdf793d1998d2d6"),
}


def original_format(table) -> bytes:
    columns = [np.asarray(table[name]).tolist() for name in ("user_id", "item_id", "rating", "timestamp")]
    return "".join(f"{u}\t{i}\t{r}\t{t}\n" for u, i, r, t in zip(*columns, strict=True)).encode()


@pytest.mark.parametrize("split", PUBLISHED)
def test_split_equals_the_published_files(movielens, split):
    data = load_movielens("100k", split=split, download=False)
    assert hashlib.md5(original_format(data.train)).hexdigest() == PUBLISHED[split][0]
    assert hashlib.md5(original_format(data.test)).hexdigest() == PUBLISHED[split][1]


def test_all_ratings_stand_in_the_original_order(movielens):
    digest = hashlib.sha256(original_format(movielens.train)).hexdigest()
    assert digest == "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
    assert movielens.test is None
