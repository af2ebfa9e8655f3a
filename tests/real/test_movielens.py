"""MovieLens 100K as published: the ratings, the seven splits, the film table."""

from __future__ import annotations

import hashlib
import zipfile

import numpy as np
import pandas as pd
import pytest

from factorec.datasets import load_movielens
from factorec.datasets.movielens import GENRES

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
    data = load_movielens("100k", split=split)
    assert hashlib.md5(original_format(data.train)).hexdigest() == PUBLISHED[split][0]
    assert hashlib.md5(original_format(data.test)).hexdigest() == PUBLISHED[split][1]


def test_all_ratings_stand_in_the_original_order(movielens):
    digest = hashlib.sha256(original_format(movielens.train)).hexdigest()
    assert digest == "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
    assert movielens.test is None


def test_known_counts(movielens_ua, movielens):
    train, test = movielens_ua.train, movielens_ua.test
    assert (int((train["rating"] >= 4).sum()), int((test["rating"] >= 4).sum())) == (49_906, 5_469)
    assert (train["user_id"].nunique(), train["item_id"].nunique()) == (943, 1_680)
    assert (len(movielens.items), len(movielens.users)) == (1_682, 943)


def test_film_table_is_canonical(movielens):
    films = movielens.items.set_index("item_id")
    assert films.index.tolist() == list(range(1, 1683))
    assert films.loc[1].tolist() == ["Toy Story", 1995, ["Animation", "Children's", "Comedy"]]
    assert films.title[267] == "unknown"
    assert films.index[films.year.isna()].tolist() == [267]
    assert films.loc[1412, ["title", "year"]].tolist() == ["Land Before Time III: The Time of the Great Giving", 1995]
    assert films.title[1633] == "Á köldum klaka (Cold Fever)"
    assert not films.title.str.contains(r"\(\d{4}\)|^\s|\s$").any()
    assert films.year.dropna().between(1922, 1998).all()
    titles_with_year = films.title + films.year.astype(str)
    assert (titles_with_year.value_counts() == 2).sum() == 18  # under two ids each
    assert titles_with_year.value_counts().max() == 2


def test_original_zip_gives_the_same_tables(movielens, tmp_path):
    """Written in the format of the original zip (u.item in Latin-1) and read again: one canonical film table."""
    lines = []
    for item, title, year, genres in movielens.items.itertuples(index=False):
        text = title if title == "unknown" else f"{title} ({year})" + (" (V)" if item == 1412 else "")
        flags = "|".join(str(int(genre in genres)) for genre in GENRES)
        lines.append(f"{item}|{text}|01-Jan-1995||http://us.imdb.com/M/title-exact|{flags}\n")
    users = ["|".join(map(str, user)) + "\n" for user in movielens.users.itertuples(index=False)]
    path = tmp_path / "ml-100k.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("ml-100k/u.data", original_format(movielens.train))
        file.writestr("ml-100k/u.item", "".join(lines).encode("latin-1"))
        file.writestr("ml-100k/u.user", "".join(users))
    again = load_movielens("100k", path=path)
    for name in ("train", "items", "users"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(movielens, name))
