"""examples/managed_service.py: the notebooks' pipeline gives what the native API gives, in the service's form."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from documents import load_script

import factorec as fr
from factorec.sagemaker import load_artifact

SCRIPT = Path(__file__).parents[2] / "examples" / "managed_service.py"
N_USERS, N_ITEMS = 943, 1682


@pytest.fixture(scope="module")
def example():
    return load_script(SCRIPT)


@pytest.fixture(scope="module")
def folder(example, movielens_ua, tmp_path_factory):
    folder = tmp_path_factory.mktemp("managed-service")
    example.main(["--out", str(folder), "--epochs", "5"])
    return folder


@pytest.fixture(scope="module")
def native(folder):
    """Ids and scores of the 100 best films of every user, by the native API alone."""
    p = load_artifact(folder / "fm/model.tar.gz").parameters_
    users, items = p.factors[:N_USERS], p.factors[N_USERS:]
    # w_i as one more coordinate, as in the notebooks: the sum is then in another order than with `offsets`.
    found = fr.ItemIndex(np.column_stack([items, p.linear[N_USERS:]])).search(
        np.column_stack([users, np.ones(N_USERS, np.float32)]), n=100
    )
    return p, found.ids + 1, found.scores


def test_the_channels_are_the_files_that_the_notebooks_upload(folder):
    assert (folder / "fm/train/train.protobuf").stat().st_size == 5_796_480  # the figure in the service's log
    assert (folder / "fm/test/test.protobuf").stat().st_size == 9_430 * 64


def test_out_holds_what_the_native_api_returns_in_ascending_order(folder, native):
    _, ids, scores = native
    lines = [json.loads(line) for line in (folder / "knn/output/users.protobuf.out").read_text().splitlines()]
    assert len(lines) == N_USERS
    np.testing.assert_array_equal([line["labels"][::-1] for line in lines], ids)
    np.testing.assert_array_equal(np.float32([line["distances"][::-1] for line in lines]), scores)


def test_the_table_has_unseen_films_best_first_with_the_models_score(folder, native, movielens_ua, example):
    p, ids, _ = native
    with sqlite3.connect(folder / "lists.db") as connection:
        rows = connection.execute(
            "SELECT user_id, rank, item_id, score FROM recommendations ORDER BY user_id, rank"
        ).fetchall()
    connection.close()
    users, ranks, items, scores = (np.array(column) for column in zip(*rows, strict=True))
    pairs = set(zip(movielens_ua.train["user_id"], movielens_ua.train["item_id"], strict=True))
    assert not pairs & set(zip(users.tolist(), items.tolist(), strict=True))
    for user in (1, 846, 943):
        listed = items[users == user]
        assert listed.tolist() == [i for i in ids[user - 1].tolist() if (user, i) not in pairs]
        assert ranks[users == user].tolist() == list(range(1, len(listed) + 1))
    np.testing.assert_allclose(scores, p.decision_function(example.one_hot(users, items)), atol=1e-5)


def test_an_artifact_goes_in_in_the_place_of_training(folder, example, tmp_path, capsys):
    example.main(["--out", str(tmp_path), "--artifact", str(folder / "fm/model.tar.gz")])
    assert not (tmp_path / "fm/model.tar.gz").exists()
    name = "knn/output/users.protobuf.out"
    assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    printed = capsys.readouterr().out
    assert "User 846, Three Colors: Blue: probability of a like 0." in printed
    assert printed.count("liked)") == 5
