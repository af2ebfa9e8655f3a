"""A pipeline as one job: what is done already is not done again."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from sklearn.base import clone

from .. import __version__
from .._atomic import atomic_file
from .._table_files import kinds_in, kinds_of, read_table
from ..encoding.tables import column, column_names
from ..errors import QualityGateError
from ..model_selection import train_test_split
from ..recommender import Recommender, load
from ..recommender.requests import Request
from ..sinks import is_database, open_sink, without_secrets
from .config import Config, load_config
from .work import Inputs, Record, Work, key_of

__all__ = ["Outcome", "run"]

_LEARNING = ("columns", "recommender", "estimator", "fields")


@dataclass
class Outcome:
    """What a run did.

    Attributes
    ----------
    stages : dict of str to {"done", "unchanged", "would run"}
        In order: ``trial`` (if a gate splits the interactions), ``check`` (if there is a gate), ``train``,
        ``publish``, ``lists``.
    metrics : dict of str to float or None
        What the gate measured; None where a metric is not defined.

    Examples
    --------
    >>> Outcome({"train": "done", "publish": "done", "lists": "done"}).changed
    True
    """

    stages: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether any stage was done, or would be."""
        return any(how != "unchanged" for how in self.stages.values())


def run(
    path: str | os.PathLike[str],
    *,
    force: bool = False,
    dry_run: bool = False,
    log: Callable[[str], None] | None = None,
) -> Outcome:
    """Run the pipeline that a TOML file describes, as far as it is not done.

    Stages are ``trial`` and ``check`` (with a gate), ``train``, ``publish`` (the model appears under its name) and
    ``lists`` (the best items appear in the sink). The folder ``work`` keeps a record of each, under a key: a digest of
    the version of this library, of the contents of the tables, and of the parts of the file that bear on the stage. A
    stage whose key is recorded, and whose files are as it left them, is not done again; so a job that was killed goes
    on where it was. Lists that are appended to a database carry the time at which their stage first began, and take the
    place of lists of that time, so that a run that was killed after writing them does not add them twice.

    Parameters
    ----------
    path : path-like
        A TOML file, see `load_config`.
    force : bool
        Do everything again.
    dry_run : bool
        Only say what would be done; nothing is written, and no lock is taken.
    log : callable, optional
        Gets one line for each stage.

    Returns
    -------
    Outcome

    Raises
    ------
    DataError
        If the file or a table cannot be used.
    QualityGateError
        If the model does not pass the gate; what was published before stays.
    PipelineBusyError
        If another process runs the job.
    OSError
        If a file cannot be read or written; `DatabaseError` for a database.

    Examples
    --------
    >>> import tempfile, factorec as fr
    >>> folder = Path(tempfile.mkdtemp())
    >>> fr.sinks.write_table(fr.datasets.make_planted_fm(50, 20, 900, target="real", seed=0).table, folder / "r.csv")
    >>> _ = (folder / "job.toml").write_text('''
    ... work = "work"
    ... model = "model.factorec"
    ... data.interactions = "r.csv"
    ... estimator = {class = "FMRegressor", n_factors = 4, n_epochs = 3, random_state = 0}
    ... sink.target = "lists.jsonl"
    ... ''')
    >>> run(folder / "job.toml").stages
    {'train': 'done', 'publish': 'done', 'lists': 'done'}
    >>> run(folder / "job.toml").stages
    {'train': 'unchanged', 'publish': 'unchanged', 'lists': 'unchanged'}
    """
    config = load_config(path)
    work = Work(config.work)
    with nullcontext() if dry_run else work.locked():
        return _Job(config, work, force, dry_run, log or (lambda line: None)).run()


class _Job:
    def __init__(self, config: Config, work: Work, force: bool, dry_run: bool, log: Callable[[str], None]) -> None:
        self.config, self.work, self.force, self.dry_run, self.log = config, work, force, dry_run, log
        self.inputs, self.outcome = Inputs(), Outcome()

    def run(self) -> Outcome:
        config, gate, raw = self.config, self.config.gate, self.config.raw
        digests = {name: self.inputs.digest(path) for name, path in config.data.items()}
        learn_key = key_of(__version__, digests, [raw.get(part) for part in _LEARNING])
        model = self.work.folder / "model.factorec"
        if gate is not None and gate.splitter is not None:
            trial = self.work.folder / "trial.factorec"
            trial_key = key_of("trial", learn_key, raw["gate"]["split"], raw["gate"].get("size"))
            self._stage("trial", trial_key, lambda: self._train(self._parts[0], trial), [trial])
            self._gate(trial_key, trial)
            if not gate.refit:
                learn_key, model = trial_key, trial
        if model.stem == "model":
            self._stage("train", learn_key, lambda: self._train(self._rows, model), [model])
        if gate is not None and gate.splitter is None:
            self._gate(learn_key, model)
        self._stage("publish", key_of(learn_key, str(config.model)), lambda: self._publish(model), [config.model])
        self._lists(learn_key, model)
        return self.outcome

    # ---- stages ----

    def _gate(self, model_key: str, model: Path) -> None:
        gate = self.config.gate
        if gate is None:
            return
        key = key_of("check", model_key, gate.n, self.inputs.digest(gate.test))
        record = self._stage("check", key, lambda: self._check(model), [])
        if record is None:
            return
        self.outcome.metrics = record["metrics"]
        wrong = []
        for name, value in record["metrics"].items():
            shown = "not defined" if value is None else f"{value:.4f}"
            if name in gate.minima and not (value is not None and value >= gate.minima[name]):
                wrong.append(f"{name} is {shown}, at least {gate.minima[name]:g} is wanted")
            if name in gate.maxima and not (value is not None and value <= gate.maxima[name]):
                wrong.append(f"{name} is {shown}, at most {gate.maxima[name]:g} is wanted")
        missing = sorted({*gate.minima, *gate.maxima} - set(record["metrics"]))
        wrong += [f"{name} could not be measured" for name in missing]
        if wrong:
            raise QualityGateError(f"the model does not pass, nothing is published: {'; '.join(wrong)}")

    def _lists(self, model_key: str, model: Path) -> None:
        config = self.config
        tables = [self.inputs.digest(config.recommend[name]) for name in ("users", "items", "exclude")]
        target = without_secrets(config.target)
        key = key_of("lists", model_key, config.raw.get("recommend"), tables, target, config.sink)
        begun = self.work.record("lists")
        same = begun.get("key") == key and not begun.get("done") and not self.force
        moment = begun["time"] if same else datetime.now(UTC).isoformat()

        def write() -> Record:
            self.work.write("lists", {"key": key, "time": moment}, [])
            return {"time": moment} | self._write_lists(model, datetime.fromisoformat(moment))

        self._stage("lists", key, write, [] if is_database(config.target) else [Path(config.target)])

    def _stage(self, name: str, key: str, do: Callable[[], Record], files: list[Path]) -> Record | None:
        record = self.work.record(name)
        if record.get("key") == key and record.get("done") and not self.force:
            self.outcome.stages[name] = "unchanged"
            self.log(f"{name}: unchanged, done at {record['done']}")
            return record
        if self.dry_run:
            self.outcome.stages[name] = "would run"
            self.log(f"{name}: would run")
            return None
        began = time.perf_counter()
        record = do()
        self.inputs.check()
        record |= {"key": key, "done": datetime.now(UTC).isoformat(timespec="seconds")}
        self.work.write(name, record, files)
        self.outcome.stages[name] = "done"
        self.log(f"{name}: {record.pop('says')}, in {time.perf_counter() - began:.2f} s")
        return record

    # ---- what they do ----

    @cached_property
    def _rows(self) -> Any:
        path = self.config.data["interactions"]
        assert path is not None
        rec = self.config.recommender
        return read_table(path, dict.fromkeys((rec.user, rec.item)))

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        gate = self.config.gate
        assert gate is not None
        train, test = train_test_split(self._rows, gate.splitter)
        return train, test

    def _train(self, rows: Any, path: Path) -> Record:
        rec: Recommender = clone(self.config.recommender)
        ids = kinds_in(rows, (rec.user, rec.item))
        tables = {name: self.config.data[name] for name in ("items", "users", "validation")}
        rec.fit(rows, **{name: None if table is None else read_table(table, ids) for name, table in tables.items()})
        rec.save(path)
        n_users, n_items = len(rec.encoder_.users_), len(rec.encoder_.items_)
        return {"says": f"fitted on {rows.num_rows:,} rows of {n_users:,} users and {n_items:,} items"}

    def _check(self, model: Path) -> Record:
        gate = self.config.gate
        assert gate is not None
        rec = load(model)
        test = self._parts[1] if gate.test is None else read_table(gate.test, kinds_of(rec))
        judged = rec.evaluate(test, n=gate.n)
        found = judged.points | judged.ranking
        metrics = {name: None if math.isnan(value) else value for name, value in found.items()}
        shown = ", ".join(f"{name} {found[name]:.4f}" for name in found if name in gate.minima or name in gate.maxima)
        return {"metrics": metrics, "says": f"{shown or 'none of the wanted metrics'} on {test.num_rows:,} rows"}

    def _publish(self, model: Path) -> Record:
        with open(model, "rb") as source, atomic_file(self.config.model) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        return {"says": f"{self.config.model}, {model.stat().st_size:,} bytes"}

    def _write_lists(self, model: Path, moment: datetime) -> Record:
        config, options = self.config, dict(self.config.recommend)
        rec = load(model)
        ids, batch_size, n = kinds_of(rec), options.pop("batch_size"), options.pop("n")
        users, items, exclude = (
            None if path is None else read_table(path, ids) for path in map(options.pop, ("users", "items", "exclude"))
        )
        if exclude is not None and rec.user not in column_names(exclude):
            exclude = column(exclude, rec.item)
        request = Request.read(
            rec,
            None if users is None else column(users, rec.user),
            n,
            items=None if items is None else column(items, rec.item),
            exclude=exclude,
            **options,
        )
        for name in ("_rows", "_parts"):  # tables that only training needed
            self.__dict__.pop(name, None)
        lines = 0
        with open_sink(config.target, **config.sink, time=moment) as sink:
            for batch in request.batches(batch_size):
                sink.write(batch.to_columns())
                lines += int(batch.counts.sum())
        where = without_secrets(config.target)
        return {"says": f"{lines:,} recommendations for {len(request.users):,} users into {where}"}
