"""The command that splits tables: which rows go where, and that cells stay as they are written."""

from __future__ import annotations

import io
import sys

import pandas as pd
import pytest

from factorec import cli
from factorec.cli._exit import ExitCode
from factorec.model_selection import LeaveLastN, RandomSplit, TemporalSplit, UserSplit

LINES = [
    '007,10,4.0,881250949,"a, b"',
    "007,9,3.50,881250950,",
    '12,10,1,881250948,"say ""so"""',
    "12,11,5,881250951,NA",
    "8,11,2,881250947,x",
    "8,9,2,881250946,y",
    "8,10,2,881250952,z",
]
HEAD = "user_id,item_id,rating,timestamp,note"
CELLS = "\n".join([HEAD, *LINES, ""])


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["factorec", "split", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return stop.value.code or 0, out, err

    return run


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(CELLS)
    return path


def frame():
    return pd.read_csv(io.StringIO(CELLS), dtype={"user_id": str})


@pytest.mark.parametrize(
    ("options", "splitter"),
    [
        (["--by", "random", "--test-size", 0.4, "--seed", 3], RandomSplit(0.4, random_state=3)),
        (["--by", "time", "--test-size", 2], TemporalSplit(2)),
        (["--by", "last", "-n", 2], LeaveLastN(2)),
        (["--by", "users", "--test-size", 1], UserSplit(1, random_state=0)),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_rows_go_where_the_splitter_says_and_cells_stay(run, table, tmp_path, options, splitter):
    parts = tmp_path / "train.csv", tmp_path / "test.csv"
    code, out, err = run(table, "--train", parts[0], "--test", parts[1], *options)
    assert (code, err) == (0, "")
    for path, rows in zip(parts, next(splitter.split(frame())), strict=True):
        assert path.read_text().splitlines() == [HEAD, *(LINES[row] for row in rows)]
        assert f"{path.name}: {len(rows)} rows" in " ".join(out.split())


def test_what_held_out_users_tell(run, table, tmp_path):
    paths = [tmp_path / f"{name}.csv" for name in ("train", "given", "test")]
    options = ["--train", paths[0], "--given", paths[1], "--test", paths[2], "--by", "users", "--test-size", 1]
    assert run(table, *options)[0] == 0
    expected = next(UserSplit(1, given=0.5, random_state=0).split_given(frame()))
    for path, rows in zip(paths, expected, strict=True):
        assert path.read_text().splitlines()[1:] == [LINES[row] for row in rows]


def test_parquet_and_tsv(run, tmp_path):
    frame().to_parquet(tmp_path / "t.parquet")
    assert run(tmp_path / "t.parquet", "--train", tmp_path / "a.parquet", "--test", tmp_path / "b.parquet")[0] == 0
    whole = pd.concat([pd.read_parquet(tmp_path / name) for name in ("a.parquet", "b.parquet")])
    assert len(whole) == 7
    assert (whole.dtypes == frame().dtypes).all()
    frame().to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    assert run(tmp_path / "t.tsv", "--train", tmp_path / "a.tsv", "--test", tmp_path / "b.csv")[0] == 0
    assert (tmp_path / "a.tsv").read_text().startswith("user_id\titem_id")
    assert (tmp_path / "b.csv").read_text().startswith("user_id,item_id")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--test", "b.parquet"], ExitCode.DATA, "must end in .csv or .tsv"),
        (["--test", "b.csv.gz"], ExitCode.DATA, "must end in .csv or .tsv"),
        (["--test", "b.csv", "--by", "time", "--time-column", "when"], ExitCode.DATA, "no column 'when'"),
        (
            ["--test", "b.csv", "--by", "time", "--time-column", "note"],
            ExitCode.DATA,
            "column 'note' has no time in row 1",
        ),
        (["--test", "b.csv", "--test-size", "7"], ExitCode.DATA, "test_size=7 of 7 rows leaves none"),
        (["--test", "b.csv", "--given", "c.csv"], ExitCode.DATA, "--given is for --by users"),
        (["--test", "nowhere/b.csv"], ExitCode.FILE, "no such folder"),
    ],
)
def test_errors_are_one_line(run, table, tmp_path, monkeypatch, options, code, message):
    monkeypatch.chdir(tmp_path)
    found, _, err = run(table, "--train", "a.csv", *options)
    assert found == code
    assert message in err
    assert err.startswith("factorec: ")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [table]  # no part without the others
