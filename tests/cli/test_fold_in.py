"""``factorec fold-in``: the model that Python gives, and errors that come before anything is written."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

import factorec as fr
from factorec import cli
from factorec.cli._exit import ExitCode


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command in this process: exit code, standard output, standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["factorec", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return stop.value.code or 0, out, err

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of users below 40 and items below 25, and tables of the others."""
    folder = tmp_path_factory.mktemp("fold_in")
    rows = pd.DataFrame(fr.datasets.make_planted_fm(50, 30, 1200, target="real", seed=0).table)
    early = (rows["user_id"] < 40) & (rows["item_id"] < 25)
    films = pd.DataFrame({"item_id": range(30), "title": [f"Film {i}" for i in range(30)]})
    rec = fr.Recommender(fr.FMRegressor(n_factors=4, n_epochs=4, random_state=0))
    rec.fit(rows[early], items=films[:25]).save(folder / "model")
    rows[(rows["user_id"] >= 40) & (rows["item_id"] < 25)].to_csv(folder / "users.csv", index=False)
    rows[(rows["user_id"] < 40) & (rows["item_id"] >= 25)].to_parquet(folder / "items.parquet")
    films[25:].to_csv(folder / "films.csv", index=False)
    return folder


def test_users(run, folder, tmp_path):
    code, out, err = run("fold-in", folder / "model", folder / "users.csv", "--out", tmp_path / "new")
    assert (code, err) == (0, "")
    assert "10 new users" in out
    rec = fr.load(folder / "model").fold_in_users(pd.read_csv(folder / "users.csv"))
    assert np.array_equal(fr.load(tmp_path / "new").recommend().scores, rec.recommend().scores)


def test_items_with_titles(run, folder, tmp_path):
    code, out, err = run(
        *["fold-in", folder / "model", folder / "items.parquet", "--side", "items"],
        *["--catalogue", folder / "films.csv", "-o", tmp_path / "new"],
    )
    assert (code, err) == (0, "")
    assert "5 new items" in out
    rec = fr.load(tmp_path / "new")
    assert rec.titles_[rec.encoder_.items_.index([27])[0]] == "Film 27"


def test_errors_write_nothing(run, folder, tmp_path):
    model = folder / "model"
    assert run("fold-in", model, folder / "users.csv")[0] == ExitCode.USAGE
    code, _, err = run("fold-in", model, "-o", tmp_path / "new")
    assert (code, "nothing to fold in" in err) == (ExitCode.DATA, True)
    assert run("fold-in", model, folder / "users.csv", "-o", tmp_path / "no" / "new")[0] == ExitCode.FILE
    (tmp_path / "bad.csv").write_text("user_id,item_id,rating\n99,1,much\n")
    code, _, err = run("fold-in", model, tmp_path / "bad.csv", "-o", tmp_path / "new")
    assert (code, "rating" in err) == (ExitCode.DATA, True)
    assert not (tmp_path / "new").exists()
