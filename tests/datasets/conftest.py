"""A made-up archive with the shape of MovieLens 100K: no test here needs the network or the licence."""

from __future__ import annotations

import hashlib
import zipfile

import numpy as np
import pytest

from factorec.datasets import _sources, movielens

TITLES = {
    266: "Kull (1997)",
    267: "unknown",
    268: "Á köldum (Cold Fever) (1994) ",
    269: "Time III (1995) (V)",
}


@pytest.fixture(scope="session")
def ratings():
    """100,000 rows in the form of u.data: 943 users, 106 or 107 ratings each, no pair twice, shuffled."""
    rng = np.random.default_rng(0)
    per_user = np.full(943, 106)
    per_user[:42] += 1
    pairs = [(user + 1, item + 1) for user, n in enumerate(per_user) for item in rng.permutation(1682)[:n]]
    rows = np.array(pairs)[rng.permutation(len(pairs))]
    return np.column_stack([rows, rng.integers(1, 6, len(rows)), 874_724_710 + np.arange(len(rows))])


def films():
    for item in range(1, 1683):
        flags = [int((item + shift) % 7 == 0) for shift in range(19)]
        yield (
            item,
            TITLES.get(item, f"Film {item}, The ({1930 + item % 69})"),
            flags if any(flags) else [1] + [0] * 18,
        )


def users():
    for user in range(1, 944):
        yield user, 18 + user % 50, "MF"[user % 2], "student", f"{user:05d}" if user % 9 else "T8H1N"


@pytest.fixture(scope="session")
def original(ratings):
    """The three files as in the original zip: u.data, u.item (Latin-1), u.user."""
    return {
        "u.data": "".join("{}\t{}\t{}\t{}\n".format(*row) for row in ratings.tolist()).encode(),
        "u.item": "".join(
            f"{item}|{title}|01-Jan-1995||http://us.imdb.com/|{'|'.join(map(str, flags))}\n"
            if title != "unknown"
            else f"{item}|unknown||||{'|'.join(map(str, flags))}\n"
            for item, title, flags in films()
        ).encode("latin-1"),
        "u.user": "".join("|".join(map(str, row)) + "\n" for row in users()).encode(),
    }


@pytest.fixture(scope="session")
def recbole(original):
    """The same as the recbole package has it: tab-separated UTF-8, a header, titles cut at the last space."""

    def film(item, title, flags):
        classes = " ".join(genre for genre, flag in zip(movielens.GENRES, flags, strict=True) if flag)
        if title == "unknown":
            return f"{item}\tunkonwn\tunkonwn\t{classes}\n"
        text, _, year = title.strip().rpartition(" (")
        return f"{item}\t{text}\t{year.rstrip(')')}\t{classes}\n"

    return {
        "ml-100k.inter": b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + original["u.data"],
        "ml-100k.item": ("item_id:token\t...\n" + "".join(film(*row) for row in films())).encode(),
        "ml-100k.user": ("user_id:token\t...\n" + "".join("\t".join(map(str, u)) + "\n" for u in users())).encode(),
    }


@pytest.fixture
def make_zip(tmp_path):
    def make(files, name="ml-100k.zip", folder="ml-100k/"):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for member, content in files.items():
                file.writestr(folder + member, content)
        return path

    return make


@pytest.fixture
def sandbox(monkeypatch, tmp_path, original):
    """An empty cache folder, the made-up ratings accepted as the real ones, and no way to the network."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("FACTOREC_DATA", str(folder))
    monkeypatch.delenv("FACTOREC_OFFLINE", raising=False)
    monkeypatch.setattr(movielens, "RATINGS_SHA256", hashlib.sha256(original["u.data"]).hexdigest())

    def unreachable():
        raise _sources.Unavailable("no network in this test")

    monkeypatch.setattr(_sources, "from_grouplens", unreachable)
    monkeypatch.setattr(_sources, "from_wheel", unreachable)
    return folder
