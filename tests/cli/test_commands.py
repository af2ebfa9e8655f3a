"""The commands, end to end over files; errors in one line, exit codes that mean something."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import factorec as fr
from factorec.cli import _app
from factorec.cli._exit import ExitCode
from factorec.errors import DatasetUnavailableError, DivergenceError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    data = fr.datasets.make_planted_fm(50, 30, 1200, target="real", seed=0)
    frame = pd.DataFrame(data.table).drop_duplicates(["user_id", "item_id"])
    frame["rating"] = 1 + pd.qcut(frame["rating"], 5, labels=False)
    held = np.random.default_rng(0).random(len(frame)) < 0.2
    frame[~held].to_csv(folder / "train.csv", index=False)
    frame[~held].to_csv(folder / "train.tsv", index=False, sep="\t")
    frame[~held].to_csv(folder / "train.csv.gz", index=False)
    frame[~held].to_parquet(folder / "train.parquet")
    frame[held].to_csv(folder / "test.csv", index=False)
    items = pd.DataFrame({"item_id": range(30), "title": [f"Film {i}" for i in range(30)]})
    items.to_csv(folder / "items.csv", index=False)
    items[:9].to_csv(folder / "few.csv", index=False)
    return folder


LIKES = ["--like-threshold", 4, "--negatives", 3, "--factors", 8, "--epochs", 8]


@pytest.fixture(scope="module")
def model(folder):
    rec = fr.Recommender(fr.FMClassifier(n_factors=8, n_epochs=8, random_state=0), like_threshold=4, negatives=3)
    rec.fit(pd.read_csv(folder / "train.csv"), items=pd.read_csv(folder / "items.csv"))
    rec.save(folder / "model.factorec")
    return folder / "model.factorec"


@pytest.mark.parametrize("table", ["train.csv", "train.tsv", "train.csv.gz", "train.parquet"])
def test_train_gives_the_model_that_python_gives(run, folder, model, tmp_path, table):
    code, out, err = run(
        "train", folder / table, "--model", tmp_path / "m", "--items", folder / "items.csv", *LIKES, "--seed", 0
    )
    assert (code, err) == (0, "")
    assert "50 users, 30 items" in out
    assert "log loss" in out
    mine, expected = fr.load(tmp_path / "m"), fr.load(model)
    assert np.array_equal(mine.recommend(n=5).scores, expected.recommend(n=5).scores)
    assert mine.recommend(n=1).titles[0, 0].startswith("Film")


def test_without_a_task_lists_are_what_is_learned(run, folder, tmp_path):
    options = ["--like-threshold", 4, "--soft-positives", 0.5, "--factors", 4, "--epochs", 3, "--seed", 0]
    code, out, err = run("train", folder / "train.csv", "-m", tmp_path / "m", *options, "--loss", "bpr")
    assert (code, err) == (0, "")
    assert "loss" in out
    mine = fr.load(tmp_path / "m")
    estimator = fr.FMRanker(4, loss="bpr", n_epochs=3, random_state=0)
    expected = fr.Recommender(estimator, like_threshold=4, soft_positives=0.5).fit(pd.read_csv(folder / "train.csv"))
    assert np.array_equal(mine.recommend(n=5).scores, expected.recommend(n=5).scores)
    code, out, _ = run("evaluate", tmp_path / "m", folder / "test.csv")
    assert code == 0
    assert "ndcg@10" in out.lower()
    assert "only rank" in out.replace("\n", " ")
    clicks = tmp_path / "clicks.csv"
    pd.read_csv(folder / "train.csv").drop(columns="rating").to_csv(clicks, index=False)
    assert run("train", clicks, "-m", tmp_path / "clicks", "--no-target", "--epochs", 2)[0] == 0
    assert (fr.load(tmp_path / "clicks").interactions_.label == 1).all()


@pytest.mark.parametrize(
    ("options", "kind", "solver"),
    [
        (["--task", "levels", "--like-threshold", 4], fr.FMOrdinal, "adagrad"),
        (["--task", "levels", "--solver", "gibbs"], fr.FMOrdinal, "gibbs"),
        (["--task", "ratings", "--solver", "gibbs", "--search-with", "mean"], fr.FMRegressor, "gibbs"),
        (["--task", "ratings", "--solver", "als"], fr.FMRegressor, "als"),
        (["--task", "likes", "--like-threshold", 4, "--solver", "gibbs"], fr.FMClassifier, "gibbs"),
        (["--task", "lists", "--like-threshold", 4, "--solver", "ials"], fr.FMRanker, "ials"),
    ],
)
def test_tasks_and_solvers(run, folder, tmp_path, options, kind, solver):
    code, out, err = run("train", folder / "train.csv", "-m", tmp_path / "m", "--epochs", 8, *options)
    assert (code, err) == (0, "")
    rec = fr.load(tmp_path / "m")
    assert type(rec.estimator_) is kind
    assert rec.estimator_.solver == solver
    assert rec.search_with == ("mean" if "mean" in options else "samples")
    assert run("recommend", tmp_path / "m", "-o", tmp_path / "lists.jsonl", "--n", 3)[0] == 0
    item = rec.recommend([3], n=1).item_ids[0, 0]
    code, out, _ = run("explain", tmp_path / "m", "--user", 3, "--item", item)
    assert code == 0
    assert "score" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--task", "likes", "--loss", "bpr"], "--loss is not for --task likes (FMClassifier)"),
        (["--task", "lists", "--negatives", 3], "set FMRanker(n_negatives=3)"),
        (["--task", "ratings", "--soft-positives", 0.3], "soft_positives are for FMRanker"),
        (["--task", "levels", "--solver", "als"], "solver"),
    ],
)
def test_options_of_another_task(run, folder, tmp_path, options, message):
    code, _, err = run("train", folder / "train.csv", "-m", tmp_path / "m", "--like-threshold", 4, *options)
    assert code == ExitCode.DATA
    assert message in " ".join(err.split())
    assert not (tmp_path / "m").exists()


def test_ids_are_integers_only_where_all_are_written_so(run, tmp_path):
    (tmp_path / "train.csv").write_text("user_id,item_id,rating\n007,1,1\n7,2,0\n12,10,1\n12,2,1\n")
    (tmp_path / "users.tsv").write_text("user_id\n12\n")  # text, since the model's users are
    (tmp_path / "items.csv").write_text("item_id\n10\n2\n")
    assert run("train", tmp_path / "train.csv", "-m", tmp_path / "m", "--factors", 2)[0] == 0
    rec = fr.load(tmp_path / "m")
    assert rec.encoder_.users_.ids.tolist() == ["007", "12", "7"]
    assert rec.encoder_.items_.ids.tolist() == [1, 2, 10]
    lists = tmp_path / "lists.jsonl"
    asked = ["--users", tmp_path / "users.tsv", "--items", tmp_path / "items.csv", "--include-seen"]
    code, _, err = run("recommend", tmp_path / "m", "-o", lists, *asked)
    assert (code, err) == (0, "")
    assert {line["item_id"] for line in map(json.loads, lists.read_text().splitlines())} == {2, 10}
    (tmp_path / "gap.csv").write_text("user_id,item_id,rating\na,1,1\n,2,0\n")
    code, _, err = run("train", tmp_path / "gap.csv", "-m", tmp_path / "n")
    assert code == ExitCode.DATA
    assert "column 'user_id' has no id in row 1" in err


def test_train_options_reach_the_estimator(run, folder, tmp_path):
    code, out, _ = run(
        *["train", folder / "train.csv", "-m", tmp_path / "m", "--task", "ratings", "--solver", "sgd"],
        *["--learning-rate", 0.02, "--l2-linear", 0.01, "--l2-factors", 0.02, "--factors", 4, "--epochs", 5],
        *["--validation", folder / "test.csv", "--no-history", "--n-jobs", 1],
    )
    assert code == 0
    assert "validation" in out
    rec = fr.load(tmp_path / "m")
    assert isinstance(rec.estimator_, fr.FMRegressor)
    expected = {"solver": "sgd", "learning_rate": 0.02, "l2_linear": 0.01, "l2_factors": 0.02, "early_stopping": True}
    assert expected.items() <= rec.estimator_.get_params().items()
    assert rec.interactions_ is None


def test_evaluate(run, folder, model, tmp_path):
    code, out, _ = run("evaluate", model, folder / "test.csv", "-n", 5, "--out", tmp_path / "figures.json")
    assert code == 0
    assert "ndcg@5" in out
    assert "popularity" in out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures == fr.load(model).evaluate(pd.read_csv(folder / "test.csv"), n=5).to_dict()
    assert run("evaluate", model, folder / "test.csv", "--cold-items")[0] == 0


def test_evaluate_says_why_no_lists_are_judged(run, folder, tmp_path):
    run("train", folder / "train.csv", "-m", tmp_path / "m", "--task", "ratings", "--epochs", 1)
    code, out, err = run("evaluate", tmp_path / "m", folder / "test.csv")
    assert code == 0
    assert "without like_threshold" in " ".join((out + err).split())


def test_recommend(run, folder, model, tmp_path):
    code, out, _ = run("recommend", model, "-o", tmp_path / "lists.csv", "-n", 5, "--batch-size", 7)
    assert code == 0
    assert "50 users" in out
    expected = fr.load(model).recommend(n=5).to_frame("pandas")
    assert pd.read_csv(tmp_path / "lists.csv")["item_id"].tolist() == expected["item_id"].tolist()

    pd.DataFrame({"item_id": [0]}).to_csv(tmp_path / "gone.csv", index=False)
    code, *_ = run(
        *["recommend", model, "-o", tmp_path / "two.parquet", "--user", 3, "--user", 4, "--include-seen"],
        *["--items", folder / "few.csv", "--exclude", tmp_path / "gone.csv"],
    )
    assert code == 0
    two = pd.read_parquet(tmp_path / "two.parquet")
    assert two.groupby("user_id")["item_id"].apply(set).tolist() == [set(range(1, 9))] * 2

    pd.DataFrame({"user_id": [3, 999]}).to_csv(tmp_path / "users.csv", index=False)
    arguments = ["recommend", model, "-o", tmp_path / "some.jsonl", "--users", tmp_path / "users.csv", "-n", 2]
    assert run(*arguments, "--unknown", "popular")[0] == 0
    assert len((tmp_path / "some.jsonl").read_text().splitlines()) == 4
    code, _, err = run(*arguments)
    assert code == ExitCode.DATA
    assert err == "factorec: unknown user id: 999 (--unknown popular gives them popular items)\n"


def test_recommend_into_a_database(run, model, tmp_path):
    database = f"sqlite:///{tmp_path}/lists.db"
    for expected in (50, 100):
        arguments = ["recommend", model, "-o", database, "-n", 1, "--table", "best", "--mode", "append"]
        code, out, _ = run(*arguments)
        assert code == 0
        assert "50 users, 50 recommendations" in out
        with contextlib.closing(sqlite3.connect(tmp_path / "lists.db")) as connection:
            assert connection.execute("SELECT count(*), min(model) FROM best").fetchall() == [(expected, "model")]


def test_passwords_are_not_shown(run, model):
    code, out, err = run("recommend", model, "-o", "postgresql://ann:secret@127.0.0.1:1/shop")
    assert code == ExitCode.FILE
    assert err.startswith("factorec: postgresql://ann@127.0.0.1:1/shop")
    assert "secret" not in out + err


@pytest.mark.filterwarnings("default")
def test_warnings_are_one_line(run, folder, model, tmp_path, monkeypatch):
    import warnings

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # put back afterwards
    pd.DataFrame({"item_id": [1, 777]}).to_csv(tmp_path / "stock.csv", index=False)
    code, _, err = run("recommend", model, "-o", tmp_path / "x.csv", "--items", tmp_path / "stock.csv")
    assert code == 0
    assert err == "factorec: warning: 1 of 2 ids in --items are not known to the model and cannot be recommended\n"


def test_explain(run, model, tmp_path):
    code, out, _ = run("explain", model, "--user", 3, "--item", 5, "--noun", "film", "-o", tmp_path / "why.html")
    assert code == 0
    assert "Why “Film 5” for user 3?" in out
    assert "user_id × item_id" in out
    page = (tmp_path / "why.html").read_text()
    assert "<html" in page
    assert "What the score is made of" in page
    code, out, _ = run("explain", model, "--user", 3, "--item", 5, "--by", "feature", "-o", tmp_path / "why.png")
    assert code == 0
    assert "user_id_3 × item_id_5" in out
    assert (tmp_path / "why.png").stat().st_size > 0
    code, out, _ = run("explain", model, "--user", 3, "--method", "paper")
    assert code == 0
    assert str(fr.load(model).recommend([3], n=1).titles[0, 0]) in out


def test_doctor(run, model, folder):
    code, out, _ = run("doctor", model)
    assert code == 0
    assert "instruction set" in out
    assert out.count("ok ") == 3
    code, out, _ = run("doctor", folder / "train.csv")
    assert code == ExitCode.UNEXPECTED
    assert "failed" in out


def test_version_and_help(run):
    assert run("--version") == (0, f"factorec {fr.__version__}\n", "")
    code, out, _ = run("--help")
    assert code == 0
    for text in ("quickstart", "train", "evaluate", "recommend", "explain", "doctor", "Exit codes"):
        assert text in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train"], ExitCode.USAGE, "Missing argument"),
        (
            ["recommend", "MODEL", "--out", "x.csv", "-n", "0"],
            ExitCode.USAGE,
            "not in the range|greater than or equal to 1",
        ),
        (["train", "TRAIN", "-m", "OUT"], ExitCode.DATA, "column 'rating' holds .* give --like-threshold to"),
        (["train", "TRAIN", "-m", "OUT", "--target-column", "stars"], ExitCode.DATA, "no column 'stars'; its columns"),
        (["train", "nowhere.csv", "-m", "OUT"], ExitCode.FILE, "nowhere.csv"),
        (["train", "TRAIN", "-m", "/nowhere/m"], ExitCode.FILE, "/nowhere: no such folder"),
        (["train", "MODEL", "-m", "OUT"], ExitCode.FILE, "the name must end in .csv"),
        (["recommend", "TRAIN", "-o", "OUT"], ExitCode.FILE, "train.csv"),
        (["recommend", "MODEL", "-o", "x.txt"], ExitCode.DATA, "'.txt' is not one of .csv"),
        (["recommend", "MODEL", "-o", "OUT.csv", "--user", "ann"], ExitCode.DATA, "user 'ann' is not an integer"),
        (["explain", "MODEL", "--user", "3", "--item", "99"], ExitCode.DATA, "unknown item id: 99"),
        (["explain", "MODEL", "--user", "99"], ExitCode.DATA, "unknown user id: 99$"),
        (["evaluate", "MODEL", "ITEMS"], ExitCode.DATA, "no column"),
    ],
)
def test_errors_are_one_line_and_have_a_code(run, folder, model, tmp_path, arguments, code, message):
    names = {
        "TRAIN": folder / "train.csv",
        "ITEMS": folder / "items.csv",
        "MODEL": model,
        "OUT": tmp_path / "out",
        "OUT.csv": tmp_path / "out.csv",
    }
    found, _, err = run(*(names.get(argument, argument) for argument in arguments))
    assert found == code
    assert re.search(message, err), err
    if code != ExitCode.USAGE:
        assert err.startswith("factorec: ")
        assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "interrupted"),
        (DivergenceError("training diverged in epoch 3"), ExitCode.DIVERGED, "training diverged in epoch 3"),
        (DatasetUnavailableError("tried:\n  - a\n  - b"), ExitCode.DATASET, "tried: - a - b"),
        (OSError(28, "No space left on device", "x.csv"), ExitCode.FILE, "x.csv: No space left on device"),
        (RuntimeError("odd"), ExitCode.UNEXPECTED, "unexpected RuntimeError: odd (--debug shows the traceback)"),
    ],
)
def test_every_kind_of_error_has_its_code(run, monkeypatch, error, code, message):
    def fail(*_):
        raise error

    monkeypatch.setattr("factorec.cli.doctor.doctor", fail)
    assert run("doctor") == (code, "", f"factorec: {message}\n")


def test_debug_shows_the_traceback(run):
    code, _, err = run("--debug", "evaluate", "nowhere.factorec", "x.csv")
    assert code == ExitCode.FILE
    assert "Traceback" in err
    monkey = run("evaluate", "nowhere.factorec", "x.csv")
    assert "Traceback" not in monkey[2]


def test_without_the_extra_it_says_what_to_install():
    code = "import sys; sys.modules['typer'] = None; from factorec.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == ExitCode.UNEXPECTED
    assert result.stderr == 'factorec: typer is not installed; run: pip install "factorec[cli]"\n'


def test_runs_as_a_module():
    result = subprocess.run([sys.executable, "-m", "factorec", "--version"], capture_output=True, text=True)
    assert result.stdout == f"factorec {fr.__version__}\n"
    assert _app.app.info.name == "factorec"
