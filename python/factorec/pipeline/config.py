"""The configuration of a pipeline: a TOML file, read and checked as a whole."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..encoding import Categorical, Datetime, History, MultiLabel, Numeric
from ..encoding.notation import fields_from_text
from ..errors import DataError
from ..fm import FMClassifier, FMOrdinal, FMRanker, FMRegressor
from ..model_selection import LeaveLastN, RandomSplit, TemporalSplit
from ..recommender import Recommender
from ..recommender.checks import check_columns
from ..recommender.estimators import unfitted
from ..sinks import SUFFIXES, is_database, without_secrets
from ._reader import REQUIRED, Key, Reader

__all__ = ["Config", "Gate", "load_config"]

_ESTIMATORS: dict[str, Any] = {kind.__name__: kind for kind in (FMRanker, FMClassifier, FMRegressor, FMOrdinal)}
_FIELDS: dict[str, Any] = {
    "categorical": Categorical,
    "multilabel": MultiLabel,
    "numeric": Numeric,
    "datetime": Datetime,
    "history": History,
}
_SIDES = ("user", "item", "context")
_LIKES, _RATINGS = ("log_loss", "accuracy", "f1", "auc"), ("rmse", "mae")
_POINTS = {"FMRanker": (), "FMClassifier": _LIKES, "FMRegressor": _RATINGS, "FMOrdinal": (*_RATINGS, *_LIKES)}
_RANKING = ("precision", "recall", "ndcg", "map")

_TOP = {
    "work": Key((Path,), REQUIRED),
    "model": Key((Path,), REQUIRED),
    "data": Key((dict,), REQUIRED),
    "columns": Key((dict,), {}),
    "recommender": Key((dict,), {}),
    "estimator": Key((dict,), {}),
    "fields": Key((dict, str)),
    "gate": Key((dict,)),
    "recommend": Key((dict,), {}),
    "sink": Key((dict,), REQUIRED),
}
_DATA = {
    "interactions": Key((Path,), REQUIRED),
    "items": Key((Path,)),
    "users": Key((Path,)),
    "validation": Key((Path,)),
}
_COLUMNS = {
    "user": Key((str,), "user_id"),
    "item": Key((str,), "item_id"),
    "target": Key((str, bool), "rating"),
    "weight": Key((str,)),
    "time": Key((str,)),
    "title": Key((str,)),
}
_RECOMMENDER = {
    "like_threshold": Key((float,)),
    "negatives": Key((int,), 0, low=0),
    "soft_positives": Key((float, dict)),
    "search_with": Key((str,), "samples", choices=("samples", "mean")),
    "duplicates": Key((str,), "raise", choices=("raise", "first", "last")),
    "uncatalogued": Key((str,), "ignore", choices=("ignore", "raise")),
}
_GATE = {
    "test": Key((Path,)),
    "split": Key((str,), choices=("last", "time", "random")),
    "size": Key((float,)),
    "refit": Key((bool,), True),
    "n": Key((int,), 10, low=1),
    "min": Key((dict,), {}),
    "max": Key((dict,), {}),
}
_RECOMMEND = {
    "n": Key((int,), 100, low=1),
    "users": Key((Path,)),
    "items": Key((Path,)),
    "exclude": Key((Path,)),
    "context": Key((dict,)),
    "exclude_seen": Key((bool,), True),
    "cold_items": Key((bool,), False),
    "unknown": Key((str,), "raise", choices=("raise", "popular")),
    "min_score": Key((float,)),
    "min_probability": Key((float,)),
    "batch_size": Key((int,), low=1),
}
_SINK = {
    "target": Key((str,)),
    "target_env": Key((str,)),
    "table": Key((str,), "recommendations"),
    "schema": Key((str,)),
    "mode": Key((str,), "replace", choices=("replace", "append")),
    "model": Key((str,), "factorec"),
    "titles": Key((bool,)),
}


@dataclass(frozen=True)
class Gate:
    """What a model must reach on interactions that it has not seen, or else nothing is published.

    Attributes
    ----------
    test : Path or None
        A table of held-out interactions.
    splitter : splitter or None
        What holds them out of the interactions.
    refit : bool
        With a splitter: whether the model that is published learns from all rows.
    n : int
        Length of the lists that are judged.
    minima, maxima : dict of str to float
        By metric.
    """

    test: Path | None
    splitter: Any
    refit: bool
    n: int
    minima: dict[str, float]
    maxima: dict[str, float]


@dataclass(frozen=True)
class Config:
    """A pipeline as it is to run; made by `load_config`.

    Attributes
    ----------
    path : Path
        The file it comes from.
    work, model : Path
        Folder of the job's own files; where the model goes.
    data : dict of str to Path or None
        ``interactions``, ``items``, ``users``, ``validation``.
    recommender : Recommender
        Not fitted.
    gate : Gate or None
    recommend : dict
        Arguments of `Recommender.recommend`; tables as paths.
    target : str
        Of the sink; may hold a password.
    sink : dict
        The options of `factorec.sinks.open_sink`.
    raw : dict
        The file as it is written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "job.toml"
    >>> _ = path.write_text('''
    ... work = "work"
    ... model = "model.factorec"
    ... data.interactions = "ratings.csv"
    ... estimator = {class = "FMRegressor", n_factors = 8}
    ... sink.target = "lists.parquet"
    ... ''')
    >>> config = load_config(path)
    >>> config.recommender.estimator
    FMRegressor(n_factors=8)
    >>> config.recommend["n"]
    100
    """

    path: Path
    work: Path
    model: Path
    data: dict[str, Path | None]
    recommender: Recommender
    gate: Gate | None
    recommend: dict[str, Any]
    target: str = field(repr=False)
    sink: dict[str, Any]
    raw: dict[str, Any] = field(repr=False)


def load_config(path: str | os.PathLike[str]) -> Config:
    """Read the configuration of a pipeline.

    Parameters
    ----------
    path : path-like
        A TOML file; ``docs/pipeline.toml`` has all keys. Paths in it are relative to its folder.

    Returns
    -------
    Config

    Raises
    ------
    DataError
        Naming everything that is wrong, each by its path in the file.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "job.toml"
    >>> _ = path.write_text("estimator = {class = 'FMClassifier', n_factor = 8}")
    >>> try:
    ...     load_config(path)
    ... except DataError as error:
    ...     print(str(error).split("; ")[-1])
    estimator.n_factor: unknown key, did you mean n_factors?
    """
    path = Path(path)
    with open(path, "rb") as file:
        try:
            raw = tomllib.load(file)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: not TOML: {error}") from None
    reader = Reader(path.resolve().parent)
    top = reader.table("", raw, _TOP)
    data = reader.table("data", top["data"] or {}, _DATA)
    gate = None if top["gate"] is None else reader.table("gate", top["gate"], _GATE)
    recommend = reader.table("recommend", top["recommend"], _RECOMMEND)
    sink = reader.table("sink", top["sink"] or {}, _SINK)
    target = _target(reader, sink)
    recommender = _recommender(reader, top)
    checked = None if gate is None else _gate(reader, gate, recommender)
    _folder(reader, "model", top["model"])
    if recommender is not None and isinstance(recommender.fields, dict) and recommender.fields.get("context"):
        if recommend["context"] is None:
            reader.fault("recommend.context", "is missing, the model has context fields; {} ranks without any")
    elif recommend["context"] is not None and recommender is not None and recommender.fields != "auto":
        reader.fault("recommend.context", "is given, but there are no fields.context")
    if recommender is not None and not reader.faults:
        try:
            unfitted(recommender)._check_settings()
            check_columns(recommender)
        except DataError as error:
            reader.fault("estimator", str(error))
    if reader.faults:
        raise DataError(f"{path}: {'; '.join(reader.faults)}")
    assert recommender is not None
    return Config(path, top["work"], top["model"], data, recommender, checked, recommend, target, sink, raw)


def _recommender(reader: Reader, top: dict[str, Any]) -> Recommender | None:
    columns = reader.table("columns", top["columns"], _COLUMNS)
    if columns["target"] is True:
        reader.fault("columns.target", "must be the name of a column, or false where every row is a like")
    columns["target"] = columns["target"] or None
    settings = reader.table("recommender", top["recommender"], _RECOMMENDER)
    settings["soft_positives"] = _grades(reader, settings["soft_positives"])
    fields = _fields(reader, top["fields"])
    given = dict(top["estimator"] or {})
    kind = given.pop("class", "FMRanker")
    if kind not in _ESTIMATORS:
        reader.fault("estimator.class", f"must be one of {', '.join(_ESTIMATORS)}, got {kind!r:.80}")
        return None
    known = set(_ESTIMATORS[kind]._get_param_names()) - {"warm_start", "verbose"}
    reader.unknown("estimator", given, known | {"class"})
    estimator = _ESTIMATORS[kind](**{name: value for name, value in given.items() if name in known})
    return Recommender(estimator, **columns, **settings, fields=fields)


def _grades(reader: Reader, raw: Any) -> Any:
    """Grades by target; the keys of a table are text."""
    if not isinstance(raw, dict):
        return raw
    try:
        return {float(target): grade for target, grade in raw.items()}
    except ValueError:
        return reader.fault("recommender.soft_positives", f"must name grades by target, got {raw!r:.80}")


def _fields(reader: Reader, raw: Any) -> Any:
    if raw is None:
        return None
    if isinstance(raw, str):
        try:
            return fields_from_text(raw)
        except DataError as error:
            return reader.fault("fields", str(error))
    if not isinstance(raw, dict):
        return reader.fault("fields", f"must be text, as --fields takes it, or lists by side, got {raw!r:.80}")
    reader.unknown("fields", raw, _SIDES)
    fields: dict[str, list[Any]] = {}
    for side in _SIDES:
        entries = raw.get(side, [])
        if not isinstance(entries, list):
            reader.fault(f"fields.{side}", f"must be a list of columns or tables: [[fields.{side}]]")
            continue
        fields[side] = [_field(reader, f"fields.{side}[{place}]", entry) for place, entry in enumerate(entries)]
    return fields


def _field(reader: Reader, path: str, raw: Any) -> Any:
    if isinstance(raw, str):
        return raw
    if not isinstance(raw, dict):
        reader.fault(path, f"must be the name of a column or a table, got {raw!r:.80}")
        return None
    options = dict(raw)
    given = options.pop("kind", "categorical")
    kind = str(given).lower()
    if kind not in _FIELDS:
        reader.fault(f"{path}.kind", f"must be one of {', '.join(_FIELDS)}, got {given!r:.80}")
        return None
    known = _FIELDS[kind]._get_param_names()
    reader.unknown(path, options, [*known, "kind"])
    if "column" in known and "column" not in options:
        reader.fault(f"{path}.column", "is missing")
        return None
    return _FIELDS[kind](**{name: value for name, value in options.items() if name in known})


def _gate(reader: Reader, raw: dict[str, Any], rec: Recommender | None) -> Gate | None:
    if (raw["test"] is None) == (raw["split"] is None):
        reader.fault("gate", "needs test (a table) or split, and not both")
    if not raw["min"] and not raw["max"]:
        reader.fault("gate", "needs gate.min or gate.max")
    bounds: dict[str, dict[str, float]] = {"min": {}, "max": {}}
    if rec is not None:
        names = [*_POINTS[type(rec.estimator).__name__], *(f"{name}@{raw['n']}" for name in _RANKING)]
        for side in bounds:
            bounds[side] = reader.table(f"gate.{side}", raw[side], dict.fromkeys(names, Key((float,))))
    splitter: Any = None
    size = raw["size"]
    if raw["split"] is None:
        if size is not None:
            reader.fault("gate.size", "goes with gate.split")
    elif rec is not None:
        if raw["split"] != "random" and rec.time is None:
            reader.fault("columns.time", f"is missing; gate.split = {raw['split']!r} needs it")
        if raw["split"] == "last":
            splitter = LeaveLastN(1 if size is None else int(size), user=rec.user, time=rec.time)
        elif raw["split"] == "time":
            splitter = TemporalSplit(0.1 if size is None else size, time=rec.time)
        else:
            splitter = RandomSplit(0.1 if size is None else size, random_state=0)
    minima, maxima = ({k: v for k, v in bounds[side].items() if v is not None} for side in ("min", "max"))
    return Gate(raw["test"], splitter, raw["refit"], raw["n"], minima, maxima)


def _folder(reader: Reader, path: str, target: Path | None) -> None:
    """What is to be written must have a folder before the work begins."""
    if target is not None and not target.parent.is_dir():
        reader.fault(path, f"there is no folder {target.parent}")


def _target(reader: Reader, sink: dict[str, Any]) -> str:
    """Take the target out of the options; errors never show it, since it may hold a password."""
    target, variable = sink.pop("target"), sink.pop("target_env")
    path = "sink.target"
    if (target is None) == (variable is None):
        reader.fault("sink", "needs target, or target_env (the environment variable that holds it), and not both")
        return ""
    if variable is not None:
        path = "sink.target_env"
        target = os.environ.get(variable)
        if not target:
            reader.fault(path, f"the environment variable {variable} is not set")
            return ""
    if not isinstance(target, str):
        return ""
    if target.startswith("sqlite:///") and not target.startswith("sqlite:////"):
        target = f"sqlite:///{reader.folder / target.removeprefix('sqlite:///')}"
    if is_database(target):
        try:
            without_secrets(target)
        except (DataError, OSError) as error:
            reader.fault(path, str(error))
        return target
    if Path(target).suffix.lower() not in SUFFIXES:
        reader.fault(path, f"the ending must be one of {', '.join(SUFFIXES)}, or it must be the URI of a database")
    elif sink["mode"] == "append" or sink["schema"] is not None:
        reader.fault("sink", "mode = 'append' and schema are for databases")
    _folder(reader, path, reader.folder / target)
    return str(reader.folder / target)
