"""A recommender as a model file, and back."""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..encoding import STATE_SCHEMA, Encoder
from ..encoding.declared import has_history
from ..errors import DataError, FormatError
from ..formats import model_file
from ..formats.arrays import csr_schema, ids_schema, pack_ids, unpack_csr, unpack_ids
from ..formats.schema import TensorSpec
from .checks import check_columns
from .estimator_state import estimator_schema, make_estimator, pack_estimator, unpack_estimator
from .estimators import Learns, learns
from .interactions import History
from .json_parameters import construct, to_json
from .recommendations import BACKENDS

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["load", "save"]

_SCHEMA = {
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


def schema(metadata: dict[str, Any]) -> dict[str, TensorSpec]:
    """Every array that a file with these metadata may hold."""
    return estimator_schema(metadata) | _SCHEMA


def save(rec: Recommender, path: str | PathLike[str], *, history: bool) -> None:
    """Write a fitted recommender."""
    if not history and has_history(rec.encoder_.declared_fields_):
        raise DataError(
            "the History fields of this model say what each user met, and scores are made of them: it cannot be saved "
            "without its users' history; save it with history=True, or fit without these fields"
        )
    tensors, of_estimator = pack_estimator(rec.estimator_)
    encoder_metadata, encoder_tensors = rec.encoder_.state()
    tensors |= encoder_tensors
    tensors["popularity"] = rec.popularity_
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
            name: to_json(name, value) for name, value in rec.get_params(deep=False).items() if name != "estimator"
        },
        **of_estimator,
        "encoder": encoder_metadata,
        "field_ranges": {field: list(span) for field, span in rec.encoder_.field_ranges_.items()},
        "table": rec.backend_,
    }
    if rec.estimator is None:
        metadata["default_estimator"] = True
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
    tensors, metadata = model_file.read(path, schema=schema, classes={"Recommender"})
    try:
        return _restore(tensors, metadata)
    except (FormatError, DataError, KeyError, TypeError, ValueError, AttributeError) as error:
        # What the checks below do not name themselves is still a file that is not what it should be.
        reason = error if isinstance(error, (FormatError, DataError)) else f"unexpected metadata ({error!r})"
        raise FormatError(f"{fspath(path)}: {reason}") from error


def _restore(tensors: dict[str, NDArray[Any]], metadata: dict[str, Any]) -> Recommender:
    from .recommender import Recommender

    given = None if metadata.get("default_estimator") is True else make_estimator(metadata)
    rec: Recommender = construct(Recommender, metadata["parameters"], estimator=given)
    columns = check_columns(rec)

    # Files of version 0.1 know no fields: without metadata of its own an encoder has ids alone.
    encoder = Encoder.from_state(rec.user, rec.item, rec.fields, metadata.get("encoder", {}), tensors)
    encoder.set_params(duplicates=rec.duplicates, uncatalogued=rec.uncatalogued)
    n_features, n_users, n_items = len(tensors["linear"]), len(encoder.users_), len(encoder.items_)
    ranges = {field: list(span) for field, span in encoder.field_ranges_.items()}
    if metadata["field_ranges"] != ranges or encoder.n_features_ != n_features:
        raise FormatError(f"fields {metadata['field_ranges']!r:.200} do not fit {n_users} users and {n_items} items")

    estimator = unpack_estimator(tensors, metadata, encoder)
    if learns(estimator) != columns.learns:
        raise FormatError(f"the estimator is a {type(estimator).__name__}, which is not the default")
    rec.estimator_, rec.encoder_ = estimator, encoder
    rec.interactions_ = _history(tensors, encoder, columns.learns)
    if (tensors["popularity"] < 0).any():
        raise FormatError("array 'popularity' holds a negative count")
    rec.popularity_ = tensors["popularity"]
    titled = any(name.startswith("titles") for name in tensors)
    rec.titles_ = unpack_ids(tensors, "titles", n_items) if titled else None
    if metadata["table"] not in BACKENDS:
        raise FormatError(f"the kind of table is {metadata['table']!r:.80}, expected one of {', '.join(BACKENDS)}")
    rec.backend_ = metadata["table"]
    return rec


def _history(tensors: dict[str, NDArray[Any]], encoder: Encoder, what: Learns) -> History | None:
    present = [name for name in tensors if name.startswith("history.")]
    if not present:
        return None
    structure = unpack_csr(tensors, "history", len(encoder.items_))
    for name in ("history.label", "history.weight"):
        if name not in tensors:
            raise FormatError(f"array {name!r} is missing")
    label, weight = tensors["history.label"], tensors["history.weight"]
    if what == "likes" and not np.isin(label, (0, 1)).all():
        raise FormatError("array 'history.label' holds values that are neither 0 nor 1")
    if what == "lists" and (label < 0).any():
        raise FormatError("array 'history.label' holds a negative grade")
    if "levels" in tensors and not np.isin(label, tensors["levels"]).all():
        raise FormatError("array 'history.label' holds values that are none of 'levels'")
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
