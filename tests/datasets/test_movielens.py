"""`load_movielens` on a made-up archive: sources, their order, what a failure says. Real data: tests/real."""

from __future__ import annotations

import hashlib
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from factorec.datasets import _sources, load_movielens, movielens
from factorec.errors import DataError, DatasetUnavailableError


def archive(files):
    layout = "original" if "u.data" in files else "recbole"
    return _sources.Archive(layout, *files.values())


def assert_same_tables(a, b):
    for name in ("train", "items", "users"):
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name))


def test_every_source_gives_the_same_tables(sandbox, make_zip, original, recbole, tmp_path, monkeypatch, capsys):
    from_zip = load_movielens(path=make_zip(original))
    assert_same_tables(from_zip, load_movielens(path=make_zip(original, "flat.zip", folder="")))
    folder = tmp_path / "unpacked" / "ml-100k"
    folder.mkdir(parents=True)
    for name, content in original.items():
        (folder / name).write_bytes(content)
    assert_same_tables(from_zip, load_movielens(path=folder))
    assert_same_tables(from_zip, load_movielens(path=str(folder.parent)))
    wheel = make_zip(recbole, "recbole.whl", folder="recbole/dataset_example/ml-100k/")
    assert_same_tables(from_zip, load_movielens(path=wheel))
    assert not sandbox.exists()  # nothing fetched, nothing stored, no licence shown
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(_sources, "from_wheel", lambda: archive(recbole))
    assert_same_tables(from_zip, load_movielens())
    assert_same_tables(from_zip, load_movielens(download=False))  # from the cache


def test_films_and_users_are_canonical(sandbox, make_zip, original):
    data = load_movielens(path=make_zip(original))
    films = data.items.set_index("item_id")
    assert films.title.loc[[266, 267, 268, 269]].tolist() == [
        "Kull",
        "unknown",
        "Á köldum (Cold Fever)",
        "Time III",
    ]
    assert films.year.loc[[266, 268, 269]].tolist() == [1997, 1994, 1995]
    assert films.year.isna().tolist() == [item == 267 for item in range(1, 1683)]
    assert films.genres.loc[1] == ["Crime", "Mystery"]
    assert data.users.columns.tolist() == ["user_id", "age", "gender", "occupation", "zip_code"]
    assert data.users.iloc[8].tolist() == [9, 27, "F", "student", "T8H1N"]


@pytest.fixture(scope="session")
def ranks(ratings):
    """How many earlier lines of u.data each line's user has."""
    seen = dict.fromkeys(range(1, 944), -1)
    ranks = []
    for user in ratings[:, 0].tolist():
        seen[user] += 1
        ranks.append(seen[user])
    return np.array(ranks)


@pytest.mark.parametrize("split", movielens.SPLITS)
def test_splits_follow_from_the_order_of_the_lines(sandbox, make_zip, original, ratings, ranks, split):
    data = load_movielens(split=split, path=make_zip(original))
    if split in ("ua", "ub"):
        held_out = ranks < 10 if split == "ua" else (ranks >= 10) & (ranks < 20)
    else:
        held_out = np.arange(len(ratings)) // 20_000 + 1 == int(split[1])
    for table, rows in ((data.train, ratings[~held_out]), (data.test, ratings[held_out])):
        np.testing.assert_array_equal(table.to_numpy(), rows[np.lexsort(rows.T[::-1])])


def test_sources_are_tried_in_order(sandbox, original, recbole, monkeypatch, capsys):
    tried = []

    def source(name, files):
        def read():
            tried.append(name)
            if files is None:
                raise _sources.Unavailable(f"{name} is down")
            return archive(files)

        return read

    monkeypatch.setattr(_sources, "from_grouplens", source("GroupLens", None))
    monkeypatch.setattr(_sources, "from_wheel", source("wheel", recbole))
    first = load_movielens()
    assert tried == ["GroupLens", "wheel"]
    assert capsys.readouterr().err == movielens.LICENCE + "\n"
    monkeypatch.setattr(_sources, "from_grouplens", source("GroupLens", original))
    assert_same_tables(first, load_movielens())
    assert tried == ["GroupLens", "wheel"]  # the cache answered
    assert capsys.readouterr().err == ""  # the licence is shown once
    (sandbox / _sources.CACHE_FILE).write_bytes(b"damaged")
    assert_same_tables(first, load_movielens())
    assert tried == ["GroupLens", "wheel", "GroupLens"]
    assert [path.name for path in sandbox.iterdir()] == [_sources.CACHE_FILE]  # repaired, nothing left over
    assert_same_tables(first, load_movielens(download=False))


def test_failure_lists_every_source_and_says_how_to_give_a_path(sandbox):
    with pytest.raises(DatasetUnavailableError) as failure:
        load_movielens()
    text = str(failure.value)
    assert "cache: " in text
    assert "no such file" in text
    assert f"GroupLens ({_sources.URL}): no network in this test" in text
    assert "recbole==1.2.1, which contains the data: no network in this test" in text
    assert 'load_movielens("100k", path="ml-100k.zip")' in text
    assert isinstance(failure.value, OSError)


@pytest.mark.parametrize(
    ("value", "argument", "reason"), [("1", True, "FACTOREC_OFFLINE"), ("0", False, "download=False")]
)
def test_offline_skips_both_network_sources(sandbox, monkeypatch, value, argument, reason):
    def touched():
        raise AssertionError("the network was tried")

    monkeypatch.setattr(_sources, "from_grouplens", touched)
    monkeypatch.setattr(_sources, "from_wheel", touched)
    monkeypatch.setenv("FACTOREC_OFFLINE", value)
    with pytest.raises(DatasetUnavailableError) as failure:
        load_movielens(download=argument)
    assert str(failure.value).count(f"skipped, {reason}") == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"u.data": b"1\t2\t3\t4\n"}, "its ratings are not those of MovieLens 100K"),
        ({"u.item": b"1|Toy Story (1995)|||" + b"|0" * 19}, "damaged: 1 films, expected ids 1 to 1682"),
        ({"u.item": b""}, "damaged"),
        ({"u.item": b"1|Toy Story|||" + b"|0" * 19}, "damaged: a title without a year: 'Toy Story'"),
        ({"u.item": b"1|Toy Story (1995)|||"}, "damaged"),
        ({"u.user": b"1|2"}, "damaged"),
        ({"u.user": None}, "does not hold u.data, u.item, u.user"),
        ({"u.user": b" " * (_sources.MEMBER_LIMIT + 1)}, "more than this data set can have"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_path_with_other_content_is_refused(sandbox, make_zip, tmp_path, original, change, reason, packed):
    files = {name: content for name, content in {**original, **change}.items() if content is not None}
    if packed:
        path = make_zip(files)
    else:
        path = tmp_path
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetUnavailableError, match=reason) as failure:
        load_movielens(path=path)
    assert "path= takes the original ml-100k.zip" in str(failure.value)


def test_path_that_is_no_zip_is_refused(sandbox, tmp_path, make_zip, original):
    (tmp_path / "text.zip").write_text("no zip")
    for path in (tmp_path / "nowhere.zip", tmp_path / "text.zip"):
        with pytest.raises(DatasetUnavailableError, match=f"{path}: no"):
            load_movielens(path=path)
    path = make_zip(original)
    content = bytearray(path.read_bytes())
    content[1000:2000] = bytes(1000)
    path.write_bytes(content)
    with pytest.raises(DatasetUnavailableError, match="path="):
        load_movielens(path=path)


def test_cache_that_cannot_be_written_costs_a_warning(sandbox, original, monkeypatch):
    monkeypatch.setattr(_sources, "from_grouplens", lambda: archive(original))
    sandbox.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="could not be cached and will be fetched again"):
        data = load_movielens()
    assert len(data.train) == 100_000


def test_without_pandas_tables_are_dicts_of_arrays(sandbox, make_zip, original, monkeypatch):
    path = make_zip(original)
    frames = load_movielens(path=path)
    monkeypatch.setitem(sys.modules, "pandas", None)
    plain = load_movielens(path=path)
    assert plain.train["rating"].dtype == np.int64
    for name in ("train", "items", "users"):
        columns, frame = getattr(plain, name), getattr(frames, name)
        assert list(columns) == list(frame)
        for column in columns:
            expected = frame[column].astype(float) if column == "year" else frame[column]
            np.testing.assert_array_equal(columns[column], expected.to_numpy())


@pytest.mark.parametrize("arguments", [{"name": "1m"}, {"split": "u6"}])
def test_unknown_names_are_refused(arguments):
    with pytest.raises(DataError, match=f"got '{next(iter(arguments.values()))}'"):
        load_movielens(**arguments)


def test_stored_zip_holds_the_members_by_name(sandbox, original, monkeypatch):
    monkeypatch.setattr(_sources, "from_grouplens", lambda: archive(original))
    load_movielens()
    with zipfile.ZipFile(sandbox / _sources.CACHE_FILE) as file:
        assert {name.removeprefix("ml-100k/"): file.read(name) for name in file.namelist()} == original
        assert hashlib.sha256(file.read("ml-100k/u.data")).hexdigest() == movielens.RATINGS_SHA256
