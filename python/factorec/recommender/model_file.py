"""A recommender as a model file, and back."""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from ..encoding import STATE_SCHEMA, Encoder, fields_from_json, fields_to_json
from ..encoding.declared import has_history
from ..errors import DataError, FormatError
from ..fm import BaseFM, FMClassifier, FMParameters, FMRegressor, Penalties
from ..fm._checks import check_settings
from ..formats import model_file
from ..formats.arrays import csr_schema, ids_schema, pack_ids, unpack_csr, unpack_ids
from ..formats.schema import TensorSpec
from .fitting import check_columns
from .interactions import History
from .recommendations import BACKENDS
from .solver_state import SOLVER_SCHEMA, pack_solver_state, unpack_solver_state

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["load", "save"]

_ESTIMATORS: dict[str, type[BaseFM]] = {"FMClassifier": FMClassifier, "FMRegressor": FMRegressor}
_LATER = {"duplicates", "uncatalogued"}  # parameters that the first files do not have; they had the defaults
_FEATURES = ("n_features",)

_SCHEMA = {
    "bias": TensorSpec("float64", ()),
    "linear": TensorSpec("float32", _FEATURES),
    "factors": TensorSpec("float32", ("n_features", "n_factors")),
    "penalties.linear": TensorSpec("float64", _FEATURES),
    "penalties.factors": TensorSpec("float64", _FEATURES),
    **SOLVER_SCHEMA,
    "metrics": TensorSpec("float64", ("n_metrics", "n_epochs"), finite=False),  # AUC of one class is NaN
    **STATE_SCHEMA,
    **ids_schema("titles", "n_items"),
    "popularity": TensorSpec("int64", ("n_items",)),
    **csr_schema("history", "n_users", optional=True),
    **{
        f"history.{name}": TensorSpec("float32", ("n_stored_of_history",), optional=True)
        for name in ("target", "label", "weight")
    },
    "history.context": TensorSpec("int32", ("n_context_fields", "n_stored_of_history"), optional=True),
}


def save(rec: Recommender, path: str | PathLike[str], *, history: bool) -> None:
    """Write a fitted recommender."""
    estimator, p = rec.estimator_, rec.estimator_.parameters_
    if type(estimator) not in _ESTIMATORS.values():
        raise DataError(
            f"a recommender with a {type(estimator).__name__} cannot be saved, only with {' or '.join(_ESTIMATORS)}"
        )
    if not history and has_history(rec.encoder_.declared_fields_):
        raise DataError(
            "the History fields of this model say what each user met, and scores are made of them: it cannot be saved "
            "without its users' history; save it with history=True, or fit without these fields"
        )
    penalties = p.penalties
    assert penalties is not None  # training sets it
    encoder_metadata, encoder_tensors = rec.encoder_.state()
    solver_tensors, solver_metadata = pack_solver_state(estimator.solver_state_)
    records = [(part, metric, values) for part, of in estimator.history_.items() for metric, values in of.items()]
    tensors: dict[str, NDArray[Any]] = {
        "bias": np.array(p.bias, dtype=np.float64),
        "linear": p.linear,
        "factors": p.factors,
        "penalties.linear": penalties.linear,
        "penalties.factors": penalties.factors,
        **solver_tensors,
        "metrics": np.array([values for *_, values in records], dtype=np.float64).reshape(len(records), -1),
        **encoder_tensors,
        "popularity": rec.popularity_,
    }
    if rec.titles_ is not None:
        tensors |= pack_ids("titles", rec.titles_)
    if history and rec.interactions_ is not None:
        met = rec.interactions_
        tensors |= {"history.indptr": met.indptr, "history.indices": met.items}
        tensors |= {"history.label": met.label, "history.weight": met.weight}
        if met.target is not None:
            tensors["history.target"] = met.target
        if met.context:
            tensors["history.context"] = np.stack(list(met.context.values()))
    metadata = {
        "class": "Recommender",
        "parameters": {
            name: _to_json(name, value) for name, value in rec.get_params(deep=False).items() if name != "estimator"
        },
        "estimator": type(estimator).__name__,
        "estimator_parameters": {name: _to_json(name, value) for name, value in estimator.get_params().items()},
        **solver_metadata,
        "penalties_per_row": {field: list(pair) for field, pair in penalties.per_row.items()},
        "encoder": encoder_metadata,
        "field_ranges": {field: list(span) for field, span in rec.encoder_.field_ranges_.items()},
        "metrics": [[part, metric] for part, metric, _ in records],
        "target_range": None if is_classifier(estimator) else list(estimator.target_range_),
        "table": rec.backend_,
    }
    model_file.write(path, tensors, metadata)


def load(path: str | PathLike[str]) -> Recommender:
    """Read a model that `Recommender.save` wrote.

    Large arrays are views of the file; nothing in it is executed.

    Parameters
    ----------
    path : path

    Returns
    -------
    Recommender
        Fitted. Ranks, predicts and explains with the same bits as the one saved, and goes on learning with
        `Recommender.partial_fit`.

    Raises
    ------
    FormatError
        If the file is not a whole model of a known version, or holds anything unexpected.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import factorec as fr
    >>> data = fr.datasets.make_planted_fm(100, 40, 2000, target="real", seed=0)
    >>> rec = fr.Recommender(fr.FMRegressor(n_factors=4, random_state=0)).fit(data.table)
    >>> path = tempfile.mkdtemp() + "/model.factorec"
    >>> rec.save(path)
    >>> bool((fr.load(path).recommend().scores == rec.recommend().scores).all())
    True
    """
    tensors, metadata = model_file.read(path, schema=_SCHEMA, classes={"Recommender"})
    try:
        return _restore(tensors, metadata)
    except (FormatError, DataError, KeyError, TypeError, ValueError, AttributeError) as error:
        # What the checks below do not name themselves is still a file that is not what it should be.
        reason = error if isinstance(error, (FormatError, DataError)) else f"unexpected metadata ({error!r})"
        raise FormatError(f"{fspath(path)}: {reason}") from error


def _restore(tensors: dict[str, NDArray[Any]], metadata: dict[str, Any]) -> Recommender:
    from .recommender import Recommender

    kind = metadata["estimator"]
    if kind not in _ESTIMATORS:
        raise FormatError(f"the estimator is {kind!r:.80}, expected one of {', '.join(_ESTIMATORS)}")
    unfitted: BaseFM = _construct(_ESTIMATORS[kind], metadata["estimator_parameters"])
    estimator: Any = _construct(_ESTIMATORS[kind], metadata["estimator_parameters"])
    rec: Recommender = _construct(Recommender, metadata["parameters"], estimator=unfitted)
    columns = check_columns(rec)
    check_settings(unfitted)

    # Files of version 0.1 know no fields: without metadata of its own an encoder has ids alone.
    encoder = Encoder.from_state(rec.user, rec.item, rec.fields, metadata.get("encoder", {}), tensors)
    encoder.set_params(duplicates=rec.duplicates, uncatalogued=rec.uncatalogued)
    n_features, n_users, n_items = len(tensors["linear"]), len(encoder.users_), len(encoder.items_)
    ranges = {field: list(span) for field, span in encoder.field_ranges_.items()}
    if metadata["field_ranges"] != ranges or encoder.n_features_ != n_features:
        raise FormatError(f"fields {metadata['field_ranges']!r:.200} do not fit {n_users} users and {n_items} items")

    estimator.solver_state_ = unpack_solver_state(tensors, metadata)
    per_row = {str(field): (float(a), float(b)) for field, (a, b) in metadata["penalties_per_row"].items()}
    estimator.parameters_ = FMParameters(
        float(tensors["bias"]),
        tensors["linear"],
        tensors["factors"],
        Penalties(tensors["penalties.linear"], tensors["penalties.factors"], per_row),
        encoder.n_query_features_,
    )
    if estimator.n_factors != estimator.parameters_.n_factors:
        raise FormatError(f"{estimator.parameters_.n_factors} factors, but n_factors={estimator.n_factors}")
    if len(metadata["metrics"]) != len(tensors["metrics"]):
        raise FormatError(f"{len(tensors['metrics'])} recorded metrics, {len(metadata['metrics'])} names for them")
    estimator.history_ = {}
    for (part, metric), values in zip(metadata["metrics"], tensors["metrics"], strict=True):
        estimator.history_.setdefault(str(part), {})[str(metric)] = values
    estimator.n_features_in_ = n_features
    if columns.binary:
        estimator.classes_ = np.array([0, 1])
    else:
        low, high = metadata["target_range"]
        estimator.target_range_ = (float(low), float(high))

    rec.estimator_, rec.encoder_ = estimator, encoder
    rec.interactions_ = _history(tensors, encoder, binary=columns.binary)
    if (tensors["popularity"] < 0).any():
        raise FormatError("array 'popularity' holds a negative count")
    rec.popularity_ = tensors["popularity"]
    titled = any(name.startswith("titles") for name in tensors)
    rec.titles_ = unpack_ids(tensors, "titles", n_items) if titled else None
    if metadata["table"] not in BACKENDS:
        raise FormatError(f"the kind of table is {metadata['table']!r:.80}, expected one of {', '.join(BACKENDS)}")
    rec.backend_ = metadata["table"]
    return rec


def _history(tensors: dict[str, NDArray[Any]], encoder: Encoder, *, binary: bool) -> History | None:
    present = [name for name in tensors if name.startswith("history.")]
    if not present:
        return None
    structure = unpack_csr(tensors, "history", len(encoder.items_))
    for name in ("history.label", "history.weight"):
        if name not in tensors:
            raise FormatError(f"array {name!r} is missing")
    label, weight = tensors["history.label"], tensors["history.weight"]
    if binary and not np.isin(label, (0, 1)).all():
        raise FormatError("array 'history.label' holds values that are neither 0 nor 1")
    if (weight < 0).any():
        raise FormatError("array 'history.weight' holds a negative weight")
    return History(
        structure.indptr.astype(np.int64, copy=False),
        structure.indices.astype(np.int32, copy=False),
        tensors.get("history.target"),
        label,
        weight,
        _contexts(tensors, encoder),
    )


def _contexts(tensors: dict[str, NDArray[Any]], encoder: Encoder) -> dict[str, NDArray[np.int32]]:
    """The context of each row of the history, by field."""
    fields = [field.field_name for field in encoder.declared_fields_["context"]]
    stored = tensors.get("history.context", np.empty((0, 0), np.int32))
    if len(stored) != len(fields):
        raise FormatError(f"array 'history.context' has {len(stored)} contexts, there are {len(fields)}")
    for name, index in zip(fields, stored, strict=True):
        if index.size and (index.min() < -1 or index.max() >= len(encoder.entities(name))):
            raise FormatError(f"array 'history.context' leaves the values of {name!r}")
    return dict(zip(fields, stored, strict=True))


def _construct(kind: type[Any], parameters: Any, **more: Any) -> Any:
    """An object of a class from the allow-list, with exactly the parameters that its constructor has."""
    values = {
        name: fields_from_json(value) if name == "fields" else _from_json(value) for name, value in parameters.items()
    }
    expected = set(kind._get_param_names()) - set(more)
    odd_names = set(values) ^ expected
    if odd_names - (expected & _LATER):
        odd = ", ".join(sorted(odd_names))[:200]
        raise FormatError(f"parameters of {kind.__name__} that are unknown or missing: {odd}")
    return kind(**values, **more)


def _to_json(name: str, value: Any) -> Any:
    """A constructor parameter as JSON; dicts as pairs, since JSON has only strings as keys."""
    if name == "random_state" and not isinstance(value, (int, np.integer)):
        return None  # a generator is used up by fit; the seed drawn from it is in the solver's state
    if name == "fields":
        return fields_to_json(value)
    if isinstance(value, dict):
        return {"pairs": [[_to_json("", key), _to_json("", item)] for key, item in value.items()]}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise DataError(f"parameter {name!r} cannot be saved: {value!r:.80} is no number, text or dict of these")


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {_from_json(key): _from_json(item) for key, item in value["pairs"]}
    return value
