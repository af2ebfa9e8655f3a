"""A pipeline is one job: done once however often it is started, finished after a kill, checked before it publishes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import factorec as fr
from factorec.cli._exit import ExitCode, exit_code
from factorec.errors import DataError, PipelineBusyError, QualityGateError
from factorec.pipeline import load_config, run

STAGES = ["trial", "check", "train", "publish", "lists"]
CONFIG = """
work = "work"
model = "model.factorec"

[data]
interactions = "ratings.parquet"
items = "items.csv"
users = "users.csv"

[columns]
title = "title"

[recommender]
like_threshold = 0.0
negatives = 2

[estimator]
class = "FMClassifier"
n_factors = 4
n_epochs = 3
random_state = 0

[[fields.user]]
column = "age"
kind = "Numeric"

[[fields.item]]
column = "genres"
kind = "MultiLabel"
separator = "|"

[gate]
split = "random"
size = 0.2
min = { auc = 0.3 }
max = { log_loss = 5 }

[recommend]
n = 5
batch_size = 32

[sink]
target = "sqlite:///lists.db"
mode = "append"
model = "nightly"
"""


@pytest.fixture
def folder(tmp_path):
    table = fr.datasets.make_planted_fm(120, 40, 4000, target="real", seed=0).table
    pq.write_table(pa.table(table), tmp_path / "ratings.parquet")
    genres = ["drama", "comedy|crime", ""]
    items = "".join(f"{i},Film {i},{genres[i % 3]}\n" for i in range(40))
    (tmp_path / "items.csv").write_text("item_id,title,genres\n" + items)
    (tmp_path / "users.csv").write_text("user_id,age\n" + "".join(f"{u},{20 + u % 40}\n" for u in range(120)))
    write(tmp_path)
    return tmp_path


def write(folder, *changes):
    text = CONFIG
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "job.toml").write_text(text)
    return folder / "job.toml"


def stages(folder, **options):
    return list(run(folder / "job.toml", **options).stages.values())


def rows(folder, sql="SELECT count(*), count(DISTINCT time) FROM recommendations"):
    with contextlib.closing(sqlite3.connect(folder / "lists.db")) as connection:
        return connection.execute(sql).fetchall()


def test_the_whole_way(folder):
    lines = []
    outcome = run(folder / "job.toml", log=lines.append)
    assert outcome.stages == dict.fromkeys(STAGES, "done")
    assert outcome.metrics["auc"] > 0.3
    assert [line.split(":")[0] for line in lines] == STAGES
    assert all(re.search(r", in \d+\.\d\d s$", line) for line in lines)
    rec = fr.load(folder / "model.factorec")
    assert list(rec.encoder_.field_ranges_) == ["user_id", "age", "item_id", "genres"]
    expected = rec.recommend(n=5).to_columns()
    got = rows(folder, "SELECT user_id, rank, item_id, score, model FROM recommendations ORDER BY user_id, rank")
    for position, name in enumerate(("user_id", "rank", "item_id", "score")):
        assert [row[position] for row in got] == expected[name].tolist()
    assert {row[4] for row in got} == {"nightly"}


def test_the_published_model_is_the_one_that_python_gives(folder):
    run(folder / "job.toml")
    rec = fr.Recommender(
        fr.FMClassifier(n_factors=4, n_epochs=3, random_state=0),
        like_threshold=0.0,
        negatives=2,
        fields={"user": [fr.Numeric("age")], "item": [fr.MultiLabel("genres", separator="|")]},
    )
    config = tomllib.loads(CONFIG)
    read = pa.csv.read_csv
    rec.fit(
        pq.read_table(folder / config["data"]["interactions"]),
        items=read(folder / "items.csv"),
        users=read(folder / "users.csv"),
    )
    published = fr.load(folder / "model.factorec")
    assert np.array_equal(rec.recommend(n=5).scores, published.recommend(n=5).scores)


def test_nothing_changed_does_nothing(folder):
    run(folder / "job.toml")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    os.utime(folder / "ratings.parquet", ns=(1, 1))  # another date, the same content
    before[folder / "ratings.parquet"] = 1
    lines = []
    outcome = run(folder / "job.toml", log=lines.append)
    assert not outcome.changed
    assert outcome.metrics
    assert all("unchanged" in line for line in lines)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("change", "done"),
    [
        (("n = 5", "n = 6"), ["lists"]),
        (('model = "nightly"', 'model = "other"'), ["lists"]),
        (("auc = 0.3", "auc = 0.31"), []),
        (("size = 0.2", "size = 0.3"), ["trial", "check"]),
        (("n_epochs = 3", "n_epochs = 4"), STAGES),
        (('model = "model.factorec"', 'model = "m.factorec"'), ["publish"]),
    ],
)
def test_a_change_of_the_file_repeats_what_hangs_on_it(folder, change, done):
    run(folder / "job.toml")
    write(folder, change)
    assert [name for name, how in run(folder / "job.toml").stages.items() if how == "done"] == done


@pytest.mark.parametrize("name", ["ratings.parquet", "items.csv", "users.csv"])
def test_a_change_of_a_table_repeats_everything(folder, name):
    run(folder / "job.toml")
    if name.endswith(".csv"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace("Film 3,", "Film x,").replace("0,20\n", "0,21\n"))
    else:
        pq.write_table(pq.read_table(folder / name).slice(1), folder / name)
    assert stages(folder) == ["done"] * 5


def test_what_was_lost_is_made_again(folder):
    write(folder, ('"sqlite:///lists.db"', '"lists.csv"'), ('mode = "append"', 'mode = "replace"'))
    run(folder / "job.toml")
    first = (folder / "lists.csv").read_bytes()
    (folder / "lists.csv").unlink()
    (folder / "model.factorec").write_text("something else")
    assert stages(folder) == ["unchanged", "unchanged", "unchanged", "done", "done"]
    assert (folder / "lists.csv").read_bytes() == first
    assert fr.load(folder / "model.factorec")


def test_force_and_dry_run(folder):
    assert stages(folder, dry_run=True) == ["would run"] + ["would run"] * 4
    assert not (folder / "work").exists()
    assert stages(folder) == ["done"] * 5
    assert stages(folder, dry_run=True) == ["unchanged"] * 5
    assert stages(folder, force=True) == ["done"] * 5
    assert rows(folder) == [(1200, 2)]  # asked for again, so appended again


def test_without_a_gate(folder):
    path = write(folder)
    text = path.read_text()
    path.write_text(text[: text.index("[gate]")] + text[text.index("[recommend]") :])
    assert list(run(path).stages) == ["train", "publish", "lists"]


@pytest.mark.parametrize("refit", [True, False])
def test_split_and_refit(folder, refit):
    write(folder, ("size = 0.2", f"size = 0.2\nrefit = {str(refit).lower()}"))
    outcome = run(folder / "job.toml")
    assert list(outcome.stages) == (STAGES if refit else ["trial", "check", "publish", "lists"])
    n_rows = len(pq.read_table(folder / "ratings.parquet"))
    assert len(fr.load(folder / "model.factorec").interactions_.items) == (n_rows if refit else n_rows - n_rows // 5)


def test_gate_with_a_table(folder):
    pq.write_table(pq.read_table(folder / "ratings.parquet").slice(0, 500), folder / "test.parquet")
    write(folder, ('split = "random"\nsize = 0.2', 'test = "test.parquet"'))
    assert run(folder / "job.toml").stages == dict.fromkeys(["train", "check", "publish", "lists"], "done")
    pq.write_table(pq.read_table(folder / "ratings.parquet").slice(0, 400), folder / "test.parquet")
    assert stages(folder) == ["unchanged", "done", "unchanged", "unchanged"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("auc = 0.3", "auc = 0.99"), r"auc is 0\.\d{4}, at least 0\.99 is wanted"),
        (("log_loss = 5", "log_loss = 0.01"), r"log_loss is \d\.\d{4}, at most 0\.01 is wanted"),
    ],
)
def test_gate_stops_before_anything_is_published(folder, change, message):
    run(folder / "job.toml")
    published = (folder / "model.factorec").read_bytes()
    write(folder, change, ("n_epochs = 3", "n_epochs = 2"))
    for _ in range(2):  # a second run does not get past it either
        with pytest.raises(QualityGateError, match=message) as caught:
            run(folder / "job.toml")
    assert exit_code(caught.value) is ExitCode.GATE
    assert (folder / "model.factorec").read_bytes() == published
    assert rows(folder) == [(600, 1)]


def test_second_run_at_once_is_refused(folder):
    (folder / "work").mkdir()
    with open(folder / "work" / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(PipelineBusyError, match="another run of this job is under way") as caught:
            run(folder / "job.toml")
        assert exit_code(caught.value) is ExitCode.BUSY
        assert stages(folder, dry_run=True) == ["would run"] * 5  # may look
    assert stages(folder) == ["done"] * 5


# ---- killed ----


@pytest.mark.parametrize(
    "when", ["work/lock", "work/trial.json", "work/train.json", "model.factorec", "work/lists.json"]
)
def test_killed_job_goes_on_where_it_was(folder, when):
    """SIGKILL as soon as a file appears; what was recorded by then is not done again, and no list is there twice."""
    write(folder, ("n_epochs = 3", "n_epochs = 30"))
    command = [sys.executable, "-m", "factorec", "pipeline", folder / "job.toml"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while not (folder / when).exists():
            assert process.poll() is None
            time.sleep(0.001)
        process.kill()
    records = {name: read_record(folder / "work" / f"{name}.json") for name in STAGES}
    done = [name for name in STAGES if records[name].get("done")]
    after = run(folder / "job.toml").stages
    assert [name for name in STAGES if after[name] == "unchanged"] == done
    assert rows(folder) == [(600, 1)]
    expected = fr.load(folder / "model.factorec").recommend(n=5).to_columns()["item_id"].tolist()
    assert rows(folder, "SELECT item_id FROM recommendations ORDER BY user_id, rank") == [(i,) for i in expected]
    assert not list((folder / "work").glob(".factorec-*"))
    assert not run(folder / "job.toml").changed


def read_record(path: Path):
    return json.loads(path.read_text()) if path.exists() else {}


def test_killed_between_writing_lists_and_recording_it(folder):
    """The lists are there, the record says that they were begun: the next run must not append them again."""
    run(folder / "job.toml")
    before = rows(folder, "SELECT * FROM recommendations ORDER BY user_id, rank")
    path = folder / "work" / "lists.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({"key": record["key"], "time": record["time"]}))
    assert stages(folder) == ["unchanged"] * 4 + ["done"]
    assert rows(folder, "SELECT * FROM recommendations ORDER BY user_id, rank") == before


def test_ctrl_c(folder):
    write(folder, ("n_epochs = 3", "n_epochs = 1000000000"))
    command = [sys.executable, "-m", "factorec", "pipeline", folder / "job.toml"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while not (folder / "work" / "lock").exists():
            time.sleep(0.01)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == ExitCode.INTERRUPTED
    assert not (folder / "model.factorec").exists()


def test_full_disk_leaves_what_was_published(folder):
    """The system refuses to let the new model grow."""
    run(folder / "job.toml")
    published = (folder / "model.factorec").read_bytes()
    write(folder, ("n_factors = 4", "n_factors = 64"))
    script = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)); import factorec.cli; "
    command = [sys.executable, "-c", script + "factorec.cli.main()", "pipeline", folder / "job.toml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == ExitCode.FILE
    assert "File too large" in done.stderr
    assert (folder / "model.factorec").read_bytes() == published
    assert stages(folder) == ["done"] * 5


def test_table_that_changes_under_the_job(folder, monkeypatch):
    save = fr.Recommender.save

    def save_late(self, path, **options):
        pq.write_table(pq.read_table(folder / "ratings.parquet").slice(5), folder / "ratings.parquet")
        save(self, path, **options)

    monkeypatch.setattr(fr.Recommender, "save", save_late)
    with pytest.raises(DataError, match=r"ratings\.parquet was changed while the job ran; run it again"):
        run(folder / "job.toml")
    monkeypatch.undo()
    assert stages(folder) == ["done"] * 5


# ---- the command ----


def test_command(folder):
    def call(*arguments):
        command = [sys.executable, "-m", "factorec", "pipeline", folder / "job.toml", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    done = call()
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 5
    assert call("--dry-run").stdout.count("unchanged") == 5
    write(folder, ("auc = 0.3", "auc = 0.99"))
    refused = call()
    assert refused.returncode == ExitCode.GATE
    assert refused.stderr.startswith("factorec: the model does not pass, nothing is published: auc is 0.")


# ---- the file ----


@pytest.mark.parametrize(
    ("recommender", "estimator", "gate"),
    [
        ("soft_positives = 0.2", "", '{ "ndcg@10" = 0.0 }'),
        ("soft_positives = { -1 = 0.0, 0 = 0.5 }\nlike_threshold = 1", 'class = "FMRanker"\nsolver = "ials"', "{}"),
        ('search_with = "mean"', 'class = "FMRegressor"\nsolver = "gibbs"\nn_epochs = 12', "{ rmse = 0.0 }"),
        ("", 'class = "FMOrdinal"', "{ rmse = 0.0, log_loss = 0.0 }"),
    ],
    ids=["default", "grades by target", "sampled", "levels"],
)
def test_every_estimator_makes_lists(folder, recommender, estimator, gate):
    table = fr.datasets.make_planted_fm(120, 40, 4000, target="real", seed=0).table
    table["rating"] = np.clip(np.round(table["rating"]), -1, 1)
    pq.write_table(pa.table(table), folder / "ratings.parquet")
    path = write(
        folder,
        ("negatives = 2", recommender),
        *([("like_threshold = 0.0", "")] if "like_threshold" in recommender else []),
        ('class = "FMClassifier"\nn_factors = 4\nn_epochs = 3', estimator),
        ("min = { auc = 0.3 }", f"min = {gate}"),
        ("max = { log_loss = 5 }", 'max = { "map@10" = 1 }'),
    )
    assert set(run(path).stages.values()) == {"done"}
    assert set(run(path).stages.values()) == {"unchanged"}
    assert fr.load(folder / "model.factorec").recommend(n=2).counts.min() > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("n_factors", "n_factor"), r"estimator\.n_factor: unknown key, did you mean n_factors\?"),
        (("[estimator]", "[estimater]"), r"estimater: unknown key, did you mean estimator\?"),
        (('"FMClassifier"', '"FM"'), r"estimator\.class: must be one of FMRanker, .*FMOrdinal, got 'FM'"),
        (("n_factors = 4", "n_factors = 0"), r"estimator: n_factors must be .*, got 0"),
        (("negatives = 2", "negatives = -2"), r"recommender\.negatives: must be at least 0, got -2"),
        (("negatives = 2", "soft_positives = {a = 1}"), r"recommender\.soft_positives: must name grades by target"),
        (("negatives = 2", 'search_with = "all"'), r"recommender\.search_with: must be one of 'samples', 'mean'"),
        (("negatives = 2", "soft_positives = 0.5"), r"estimator: soft_positives are for FMRanker"),
        (("like_threshold = 0.0", 'like_threshold = "4"'), r"recommender\.like_threshold: must be a number, got '4'"),
        (('interactions = "ratings.parquet"', ""), r"data\.interactions: is missing"),
        (('column = "age"', 'colum = "age"'), r"fields\.user\[0\]\.colum: unknown key, did you mean column\?"),
        (('"Numeric"', '"Numerical"'), r"fields\.user\[0\]\.kind: must be one of .*, got 'Numerical'"),
        (("[[fields.item]]", "[[fields.film]]"), r"fields\.film: unknown key"),
        (('split = "random"', 'split = "weekly"'), r"gate\.split: must be one of 'last', 'time', 'random'"),
        (('split = "random"', 'split = "last"'), r"columns\.time: is missing; gate\.split = 'last' needs it"),
        (('split = "random"', 'test = "t.csv"'), r"gate\.size: goes with gate\.split"),
        (("auc = 0.3", "acu = 0.3"), r"gate\.min\.acu: unknown key, did you mean auc\?"),
        (("n = 5", 'n = "5"'), r"recommend\.n: must be a whole number, got '5'"),
        (('mode = "append"', 'mode = "upsert"'), r"sink\.mode: must be one of 'replace', 'append', got 'upsert'"),
        (('"sqlite:///lists.db"', '"lists.xlsx"'), r"sink\.target: the ending must be one of \.csv"),
        (('"sqlite:///lists.db"', '"lists.csv"'), r"sink: mode = 'append' and schema are for databases"),
        (('"sqlite:///lists.db"', '"postgresql://u:sec/ret@h/d"'), r"sink\.target: cannot read the postgresql:// URI"),
        (('target = "sqlite:///lists.db"', 'target_env = "NOT_SET"'), r"environment variable NOT_SET is not set"),
        (('"sqlite:///lists.db"', '"sqlite:///none/lists.db"'), r"sink\.target: .*no such folder"),
        (('"model.factorec"', '"none/model.factorec"'), r"model: there is no folder .*none"),
        (
            ("[recommend]", "[recommend]\ncontext = {hour = 3}"),
            r"recommend\.context: is given, but there are no fields",
        ),
        (("[recommend]", '[[fields.context]]\ncolumn = "hour"\n[recommend]'), r"recommend\.context: is missing"),
        (("[data]", "[data"), "not TOML"),
    ],
)
def test_faults_are_named_by_their_path(folder, change, message):
    path = write(folder, change)
    with pytest.raises(DataError, match=message) as caught:
        load_config(path)
    assert "ret@" not in str(caught.value)
    with pytest.raises(DataError):
        run(path)
    assert not (folder / "work").exists()


def test_histories_and_times_are_kinds_of_fields(folder):
    more = '[[fields.user]]\nkind = "history"\n[[fields.context]]\nkind = "datetime"\ncolumn = "at"\npart = "hour"\n'
    path = write(folder, ("[gate]", more + "[gate]"), ("[recommend]", "[recommend]\ncontext = {at = 0}"))
    fields = load_config(path).recommender.fields
    assert repr(fields["user"][1]) == "History()"
    assert repr(fields["context"]) == "[Datetime(column='at', part='hour')]"
    with pytest.raises(DataError, match=r"fields\.user\[1\]\.column: unknown key"):
        load_config(write(folder, ("[gate]", '[[fields.user]]\nkind = "history"\ncolumn = "age"\n[gate]')))


def test_all_faults_are_named_at_once(folder):
    path = write(folder, ("n_factors", "n_factor"), ("n = 5", "n = 0"))
    with pytest.raises(DataError, match=r"estimator\.n_factor.*|recommend\.n") as caught:
        load_config(path)
    assert "n_factor:" in str(caught.value)
    assert "recommend.n: must be at least 1" in str(caught.value)


def test_example_in_the_docs_has_every_key():
    from factorec.pipeline import config as keys

    path = Path(__file__).parents[2] / "docs" / "pipeline.toml"
    assert load_config(path).recommend["n"] == 100
    text = path.read_text()
    sections = {"data": keys._DATA, "columns": keys._COLUMNS, "recommender": keys._RECOMMENDER, "gate": keys._GATE}
    sections |= {"recommend": keys._RECOMMEND, "sink": keys._SINK}
    settable = {*keys._COLUMNS, *keys._RECOMMENDER, "fields", "estimator"}
    assert settable == set(fr.Recommender._get_param_names())
    for section, known in sections.items():
        part = re.split(r"\n\[", text.split(f"\n[{section}]")[1])[0]
        assert {name for name in known if not re.search(rf"\b{name} = ", part)} == set()


def test_target_from_the_environment(folder, monkeypatch):
    monkeypatch.setenv("LISTS", "postgresql://ann:hidden@db/shop")
    config = load_config(write(folder, ('target = "sqlite:///lists.db"', 'target_env = "LISTS"')))
    assert config.target == "postgresql://ann:hidden@db/shop"
    assert "hidden" not in repr(config)


def test_missing_table(folder):
    (folder / "users.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"users\.csv"):
        run(folder / "job.toml")
