"""``factorec tune``, end to end over files."""

from __future__ import annotations

import signal
import sys

import pandas as pd
import pytest

import factorec as fr
from factorec import cli, tuning
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
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "rows.csv"
    data = fr.datasets.make_planted_fm(50, 30, 1200, target="real", seed=0)
    pd.DataFrame(data.table).drop_duplicates(["user_id", "item_id"]).to_csv(path, index=False)
    return path


OPTIONS = ["--task", "ratings", "--max-epochs", 4, "--trials", 3]


def test_the_best_model_and_the_trials_are_written(run, rows, tmp_path):
    model, out = tmp_path / "best.factorec", tmp_path / "trials.csv"
    code, shown, _ = run("tune", rows, "--model", model, "--out", out, *OPTIONS)
    assert code == 0
    trials = pd.read_csv(out)
    assert len(trials) == 3
    assert trials["rmse"].is_monotonic_increasing
    assert f"{trials['rmse'][0]:.4g}" in shown
    rec = fr.load(model)
    table = pd.read_csv(rows)
    rec_again = fr.Recommender(fr.FMRegressor(random_state=0), title=None)
    found = tuning.tune(rec_again, table, n_trials=3, max_epochs=4)
    assert rec.estimator_.factors_.tobytes() == found.recommender.estimator_.factors_.tobytes()


def test_likes_with_negatives(run, rows, tmp_path):
    flags = ["--like-threshold", 1, "--negatives", 2, "--max-epochs", 3, "--trials", 2, "--metric", "ndcg@5"]
    code, shown, err = run("tune", rows, "--model", tmp_path / "best.factorec", *flags)
    assert code == 0, err
    assert "ndcg@5" in shown
    assert fr.load(tmp_path / "best.factorec").negatives == 2


def test_ctrl_c_keeps_the_trials_and_the_same_command_goes_on(run, rows, tmp_path, monkeypatch):
    model = tmp_path / "best.factorec"
    fitted = fr.Recommender.fit

    def fit(self, *args, on_epoch=None, **kwargs):
        seen.append(self)
        if len(seen) == 3:
            signal.raise_signal(signal.SIGINT)
        return fitted(self, *args, on_epoch=on_epoch, **kwargs)

    seen = []
    monkeypatch.setattr(fr.Recommender, "fit", fit)
    code, shown, _ = run("tune", rows, "--model", model, *OPTIONS)
    assert code == ExitCode.INTERRUPTED
    assert "the same command goes on" in " ".join(shown.split())
    assert not model.exists()
    code, shown, _ = run("tune", rows, "--model", model, *OPTIONS)
    assert code == 0
    assert model.exists()
    assert len(seen) == 3 + 1 + 1  # the trial that was interrupted, and the best


def test_fields_and_times(run, rows, tmp_path):
    table = pd.read_csv(rows)
    table.assign(when=range(len(table))).to_csv(tmp_path / "timed.csv", index=False)
    pd.DataFrame({"item_id": range(30), "genre": ["drama", "crime"] * 15}).to_csv(tmp_path / "items.csv", index=False)
    flags = ["--fields", "item: genre", "--items", tmp_path / "items.csv", "--time-column", "when"]
    model = tmp_path / "best.factorec"
    code, shown, err = run("tune", tmp_path / "timed.csv", "--model", model, *OPTIONS, *flags)
    assert code == 0, err
    assert "side" in shown
    rec = fr.load(model)
    assert "genre" in rec.encoder_.field_ranges_
    assert rec.time == "when"


@pytest.mark.parametrize(
    ("flags", "code", "match"),
    [
        (["--metric", "auc"], ExitCode.DATA, "metric must be"),
        (["--out", "none/trials.csv"], ExitCode.FILE, "no such folder"),
        (["--storage", "/none/trials"], ExitCode.FILE, "No such file"),
        (["--trials", 0], ExitCode.USAGE, "trials"),
    ],
    ids=str,
)
def test_errors(run, rows, tmp_path, flags, code, match):
    got, shown, err = run("tune", rows, "--model", tmp_path / "best.factorec", *OPTIONS, *flags)
    assert got == code
    assert match in shown + err
    assert not (tmp_path / "best.factorec").exists()
