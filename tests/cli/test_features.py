"""Commands with side features, context and thresholds, end to end over files."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

import factorec as fr
from factorec.cli._exit import ExitCode
from factorec.cli._hints import in_flags

FIELDS = "user: numeric(age, bins=3), job; item: multilabel(genres, separator=|); context: hour, numeric(heat)"
TRAIN = ["--like-threshold", 0, "--negatives", 2, "--factors", 4, "--epochs", 4, "--seed", 0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Users and items with features, two of each without interactions; one item without genres."""
    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(fr.datasets.make_planted_fm(40, 25, 700, target="real", seed=0).table)
    rows = rows.assign(hour=rng.integers(0, 3, 700), heat=rng.normal(15, 5, 700).round(1), at=rng.permutation(700))
    rows.to_csv(folder / "train.csv", index=False)
    rows[:60].to_csv(folder / "test.csv", index=False)
    pd.DataFrame(
        {"user_id": range(42), "age": rng.integers(18, 80, 42), "job": rng.choice(["cook", "pilot"], 42)}
    ).to_csv(folder / "users.csv", index=False)
    genres = ["|".join(rng.choice(["a", "b", "c"], 1 + i % 3, replace=False)) for i in range(27)]
    genres[5] = ""
    items = pd.DataFrame({"item_id": range(27), "genres": genres, "title": [f"Film {i}" for i in range(27)]})
    items.to_csv(folder / "items.csv", index=False)
    pd.DataFrame({"user_id": [3, 40, 3], "hour": [0, 1, 2], "heat": [1.5, 2.5, 3.5]}).to_csv(
        folder / "queries.csv", index=False
    )
    (folder / "fields.toml").write_text(
        'user = [{kind = "numeric", column = "age", bins = 3}, "job"]\n'
        'item = [{kind = "multilabel", column = "genres", separator = "|"}]\n'
        'context = ["hour", {kind = "numeric", column = "heat"}]\n'
    )
    return folder


def train(run, folder, model, *more):
    tables = ["--users", folder / "users.csv", "--items", folder / "items.csv"]
    return run("train", folder / "train.csv", "-m", model, *tables, *TRAIN, *more)


@pytest.fixture(scope="module")
def model(folder):
    """What Python gives for the same tables."""
    estimator = fr.FMClassifier(n_factors=4, n_epochs=4, random_state=0)
    fields = {
        "user": [fr.Numeric("age", bins=3), "job"],
        "item": [fr.MultiLabel("genres", separator="|")],
        "context": ["hour", fr.Numeric("heat")],
    }
    rec = fr.Recommender(estimator, like_threshold=0, negatives=2, fields=fields)
    tables = {name: pd.read_csv(folder / f"{name}.csv") for name in ("train", "users", "items")}
    rec.fit(tables["train"], users=tables["users"], items=tables["items"])
    rec.save(folder / "model.factorec")
    return folder / "model.factorec"


@pytest.mark.parametrize("fields", [FIELDS, "FILE"])
def test_train_gives_the_model_that_python_gives(run, folder, model, tmp_path, fields):
    code, out, err = train(
        run, folder, tmp_path / "m", "--fields", folder / "fields.toml" if fields == "FILE" else fields
    )
    assert (code, err) == (0, "")
    assert "40 users (and 2 in the table of users only)" in " ".join(out.split())
    mine, expected = fr.load(tmp_path / "m"), fr.load(model)
    assert np.array_equal(mine.estimator_.factors_, expected.estimator_.factors_)
    assert mine.encoder_.field_ranges_ == expected.encoder_.field_ranges_
    assert mine.titles_[0] == "Film 0"


def test_train_infers_fields_and_holds_out_by_time(run, folder, tmp_path):
    code, out, _ = train(run, folder, tmp_path / "m", "--fields", "auto", "--time-column", "at", "--early-stopping")
    assert code == 0
    assert "genres" in out
    assert "validation" in out
    rec = fr.load(tmp_path / "m")
    assert rec.time == "at"
    assert {"age", "job", "genres"} <= set(rec.encoder_.field_ranges_)


def test_tune_takes_fields_too(run, folder, tmp_path):
    pytest.importorskip("optuna")
    tables = ["--users", folder / "users.csv", "--items", folder / "items.csv", "--fields", FIELDS]
    more = ["--like-threshold", 0, "--trials", 1, "--max-epochs", 2, "--seed", 0]
    assert run("tune", folder / "train.csv", "-m", tmp_path / "m", *tables, *more)[0] == 0
    assert "genres" in fr.load(tmp_path / "m").encoder_.field_ranges_


def test_a_table_of_items_needs_no_titles(run, folder, tmp_path):
    pd.read_csv(folder / "items.csv").drop(columns="title").to_csv(tmp_path / "items.csv", index=False)
    more = ["--items", tmp_path / "items.csv", "--fields", "item: multilabel(genres, separator=|)"]
    assert run("train", folder / "train.csv", "-m", tmp_path / "m", *more, *TRAIN)[0] == 0
    assert fr.load(tmp_path / "m").titles_ is None


def test_recommend_in_one_context(run, model, tmp_path):
    arguments = ["--context", "hour=2", "--context", "heat=20.5", "-n", 4, "--cold-items"]
    code, _, err = run("recommend", model, "-o", tmp_path / "lists.csv", *arguments)
    assert (code, err) == (0, "")
    expected = fr.load(model).recommend(n=4, context={"hour": 2, "heat": 20.5}, cold_items=True).to_frame("pandas")
    written = pd.read_csv(tmp_path / "lists.csv")
    assert written["item_id"].tolist() == expected["item_id"].tolist()
    assert written["user_id"].nunique() == 40
    assert run("recommend", model, "-o", tmp_path / "none.csv", "--no-context", "-n", 4)[0] == 0
    expected = fr.load(model).recommend(n=4, context={}).to_frame("pandas")
    assert pd.read_csv(tmp_path / "none.csv")["item_id"].tolist() == expected["item_id"].tolist()


def test_recommend_for_each_row_of_a_table(run, folder, model, tmp_path):
    code, out, _ = run("recommend", model, "-o", tmp_path / "lists.jsonl", "--users", folder / "queries.csv", "-n", 3)
    assert code == 0
    assert "3 queries, 9 recommendations" in out
    lines = [json.loads(line) for line in (tmp_path / "lists.jsonl").read_text().splitlines()]
    assert [line["hour"] for line in lines] == [0] * 3 + [1] * 3 + [2] * 3
    expected = fr.load(model).recommend_for(pd.read_csv(folder / "queries.csv"), n=3)
    assert [line["item_id"] for line in lines] == expected.item_ids.ravel().tolist()


def test_histories_and_times(run, folder, tmp_path):
    fields = "user: history; context: datetime(at, part=hour, unit=s)"
    assert train(run, folder, tmp_path / "m", "--fields", fields)[0] == 0
    rec = fr.load(tmp_path / "m")
    assert list(rec.encoder_.field_ranges_) == ["user_id", "user_history", "at_hour", "item_id"]
    lists = []
    for at in ("60", "1970-01-01T00:01:00", "1970-01-01T01:01:00+01:00"):
        assert run("recommend", tmp_path / "m", "-o", tmp_path / "lists.csv", "--context", f"at={at}", "-n", 4)[0] == 0
        lists.append((tmp_path / "lists.csv").read_text())
    expected = rec.recommend(n=4, context={"at": 60}).to_frame("pandas")
    assert pd.read_csv(tmp_path / "lists.csv")["item_id"].tolist() == expected["item_id"].tolist()
    assert lists[0] == lists[1] == lists[2]
    code, _, err = run("recommend", tmp_path / "m", "-o", tmp_path / "l.csv", "--context", "at=noon")
    assert code != 0
    assert "'noon' in row 0" in err


def test_thresholds(run, model, tmp_path):
    base = ["recommend", model, "--no-context", "-n", 30, "--user", 3]
    assert run(*base, "-o", tmp_path / "p.csv", "--min-probability", 0.4)[0] == 0
    assert run(*base, "-o", tmp_path / "s.csv", "--min-score", -0.5)[0] == 0
    rec = fr.load(model)
    assert len(pd.read_csv(tmp_path / "p.csv")) == rec.recommend([3], n=30, context={}, min_probability=0.4).counts[0]
    assert len(pd.read_csv(tmp_path / "s.csv")) == rec.recommend([3], n=30, context={}, min_score=-0.5).counts[0]


def test_explain_and_evaluate(run, folder, model):
    code, out, _ = run("explain", model, "--user", 3, "--context", "hour=1", "--context", "heat=9")
    assert code == 0
    best = fr.load(model).recommend([3], n=1, context={"hour": 1, "heat": 9.0})
    assert str(best.titles[0, 0]) in out
    assert "genres" in out
    assert run("explain", model, "--user", 41, "--item", 26, "--no-context")[0] == 0  # neither has interactions
    assert run("evaluate", model, folder / "test.csv", "-n", 5)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["recommend", "MODEL", "-o", "OUT"],
            r"context fields .*: give --context hour=…; --no-context ranks",
        ),
        (["recommend", "MODEL", "-o", "OUT", "--context", "hour"], "--context hour: write column=value"),
        (["recommend", "MODEL", "-o", "OUT", "--context", "day=3"], "no context column 'day', only hour, heat"),
        (["recommend", "MODEL", "-o", "OUT", "--context", "hour=noon"], "the model's 'hour' is an integer"),
        (["recommend", "MODEL", "-o", "OUT", "--context", "heat=hot"], "the model's 'heat' is a number"),
        (["recommend", "MODEL", "-o", "OUT", "--context", "hour=1", "--no-context"], "give --context or --no-context"),
        (
            ["recommend", "MODEL", "-o", "OUT", "--users", "TEST", "--items", "COLD", "--no-context"],
            "--cold-items ranks",
        ),
        (["train", "TEST", "-m", "OUT", "--fields", "user: age"], r"'age'.*--users, which is not given"),
        (["train", "TEST", "-m", "OUT", "--fields", "film: age"], "fields 'film: age': 'film', where one of user"),
        (["train", "TEST", "-m", "OUT", "--fields", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_errors_speak_of_flags(run, folder, model, tmp_path, arguments, message):
    pd.DataFrame({"item_id": [25, 26]}).to_csv(folder / "cold.csv", index=False)
    names = {
        "MODEL": model,
        "OUT": tmp_path / "out.csv",
        "TEST": folder / "test.csv",
        "COLD": folder / "cold.csv",
    }
    code, _, err = run(
        *(names.get(argument, argument) for argument in arguments), *(TRAIN if arguments[0] == "train" else [])
    )
    assert code in (ExitCode.DATA, ExitCode.FILE)
    assert err.count("\n") == 1
    assert re.search(message, err), err
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("pass exclude_seen=False", "give --include-seen"),
        ("min_probability must be a probability", "--min-probability must be a probability"),
        ("items= is not given", "--items is not given"),
        ("n must be an integer", "--n must be an integer"),
        ("the column n must go", "the column n must go"),
        ("users: column 'items=' holds", "users: column 'items=' holds"),
    ],
)
def test_words_of_the_library_become_flags(text, flags):
    assert in_flags(text) == flags
