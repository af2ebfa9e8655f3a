"""A fitted encoder as plain arrays and JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, vstack

from ..errors import FormatError
from ..formats.arrays import csr_schema, ids_schema, pack_csr, pack_ids, unpack_csr, unpack_ids
from ..formats.schema import TensorSpec
from ._sparse import one_hot
from .declared import Declared, declared, fields_from_json, fields_to_json
from .fields import Declaration, Field, History, IdField, Precomputed
from .fields.base import Learnt
from .layout import Context, Layout, Side
from .vocabulary import Vocabulary

__all__ = ["STATE_SCHEMA", "from_state", "to_state"]

Tensors = Mapping[str, npt.NDArray[Any]]

# What `Encoder.state` returns. Columns are missing where every entity is trained, in order.
STATE_SCHEMA: dict[str, TensorSpec] = {
    **ids_schema("users", "n_users"),
    **ids_schema("items", "n_items"),
    **csr_schema("user.rows", "n_users"),
    **csr_schema("item.rows", "n_items"),
    "user.columns": TensorSpec("int64", ("n_users",), optional=True),
    "item.columns": TensorSpec("int64", ("n_items",), optional=True),
    **csr_schema("context.rows", "n_contexts", optional=True),
    **ids_schema("fields.texts", "n_texts"),
    "fields.numbers": TensorSpec("float64", ("n_numbers",), optional=True),
}


def to_state(layout: Layout, fields: Declared) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Take a layout apart."""
    tensors: dict[str, npt.NDArray[Any]] = {}
    for side, name in (("user", "users"), ("item", "items")):
        entities = layout.entities[side]
        assert entities.vocabulary is not None
        tensors |= pack_ids(name, entities.vocabulary.ids)
        tensors |= pack_csr(f"{side}.rows", entities.rows)
        if (np.diff(entities.columns) != 1).any() or entities.columns[0] < 0:
            tensors[f"{side}.columns"] = entities.columns
    metadata: dict[str, Any] = {"fields": fields_to_json(fields), "learnt": [], "contexts": []}
    if layout.contexts:
        rows = [layout.entities[name].rows for name in layout.contexts]
        metadata["contexts"] = [int(part.shape[0]) for part in rows]
        tensors |= pack_csr("context.rows", vstack(rows, format="csr", dtype=np.float32))
    texts: list[str] = []
    numbers: list[float] = []
    for field in layout.fields.values():
        if not isinstance(field, IdField):
            learnt = field.learnt()
            metadata["learnt"].append([learnt.notes, len(learnt.texts), len(learnt.numbers)])
            texts += learnt.texts
            numbers += learnt.numbers
    if texts:
        tensors |= pack_ids("fields.texts", np.array(texts, dtype=object))
    if numbers:
        tensors["fields.numbers"] = np.array(numbers, dtype=np.float64)
    return metadata, tensors


def from_state(user: Any, item: Any, metadata: Mapping[str, Any], tensors: Tensors) -> tuple[Layout, Declared]:
    """Put a layout together; without metadata (files of version 0.1) there are no fields."""
    ids = {"user": _ids(tensors, "users", user), "item": _ids(tensors, "items", item)}
    columns = {side: _columns(tensors, side, len(ids[side])) for side in ids}
    trained = {side: _trained(side, ids[side], columns[side]) for side in ids}
    declarations = declared(fields_from_json(metadata.get("fields")))
    learnt = iter(_learnt(metadata.get("learnt", ()), tensors))
    met = {"user": trained["item"], "context": None, "item": trained["user"]}
    fitted: dict[str, list[Field]] = {
        side: [_restored(field, learnt, met[side]) for field in declarations[side]] for side in met
    }
    if next(learnt, None) is not None:
        raise FormatError("more fields were learnt than are declared")
    widths = {side: sum(field.n_columns for field in fitted[side]) for side in fitted}
    n_trained = {side: len(trained[side]) for side in ids}
    starts = {"user": 0, "context": n_trained["user"] + widths["user"]}
    starts["item"] = starts["context"] + widths["context"]
    n_features = starts["item"] + n_trained["item"] + widths["item"]
    sides = {
        side: _side(tensors, side, ids[side], trained[side], fitted[side], starts[side], n_features) for side in ids
    }
    contexts = _contexts(tensors, metadata.get("contexts", ()), fitted["context"], starts["context"], n_features)
    return Layout(sides["user"], contexts, sides["item"]), declarations


def _ids(tensors: Tensors, name: str, column: Any) -> Vocabulary:
    ids = Vocabulary(unpack_ids(tensors, name), name=column)
    if not len(ids):
        raise FormatError(f"there are no {name}")
    return ids


def _columns(tensors: Tensors, side: str, n: int) -> npt.NDArray[np.int64]:
    """Columns of the entities' own ids, from 0 for users, from anywhere for items."""
    columns = tensors.get(f"{side}.columns")
    if columns is None:
        return np.arange(n)
    return np.asarray(columns, dtype=np.int64)


def _trained(side: str, ids: Vocabulary, columns: npt.NDArray[np.int64]) -> Vocabulary:
    """The ids with a column of their own, in the order of these, which must follow each other."""
    trained = np.flatnonzero(columns >= 0)
    order = trained[np.argsort(columns[trained])]
    if not len(trained) or (np.diff(columns[order]) != 1).any():
        raise FormatError(f"array '{side}.columns' does not number the ids")
    in_order = np.array_equal(order, np.arange(len(ids)))
    return ids if in_order else Vocabulary(ids.ids[order], name=ids.name)


def _side(
    tensors: Tensors,
    side: str,
    ids: Vocabulary,
    trained: Vocabulary,
    fields: list[Field],
    start: int,
    n_features: int,
) -> Side:
    columns = _columns(tensors, side, len(ids))
    if f"{side}.columns" in tensors:
        columns = np.where(columns < 0, -1, columns - start)
    if columns.max() != len(trained) - 1:
        raise FormatError(f"array '{side}.columns' does not number the ids")
    id_field = IdField(str(ids.name), trained, ids.name)
    rows = unpack_csr(tensors, f"{side}.rows", n_features)
    stop = start + len(trained) + sum(field.n_columns for field in fields)
    outside = (rows.indices < start) | (rows.indices >= stop)
    own = rows[:, start : start + len(trained)] if rows.shape[0] == len(ids) and not outside.any() else None
    if own is None or abs(own - one_hot(columns, len(trained))).sum():
        raise FormatError(f"matrix '{side}.rows' does not fit the ids")
    features = csr_matrix(rows[:, start + len(trained) : stop])
    return Side(id_field, tuple(fields), ids, features)


def _contexts(tensors: Tensors, counts: Any, fields: list[Field], start: int, n_features: int) -> list[Context]:
    if len(counts) != len(fields):
        raise FormatError(f"entities of {len(counts)} contexts, but there are {len(fields)}")
    contexts = []
    first = 0
    rows = unpack_csr(tensors, "context.rows", n_features) if fields else None
    for field, count in zip(fields, counts, strict=True):
        assert rows is not None
        part = rows[first : first + int(count)]
        stop = start + field.n_columns
        if part.shape[0] != count or ((part.indices < start) | (part.indices >= stop)).any():
            raise FormatError(f"matrix 'context.rows' does not fit the context {field.name!r}")
        contexts.append(Context(field, csr_matrix(part[:, start:stop])))
        first, start = first + int(count), stop
    return contexts


def _learnt(entries: Any, tensors: Tensors) -> list[Learnt]:
    texts = unpack_ids(tensors, "fields.texts").tolist() if any(t.startswith("fields.texts") for t in tensors) else []
    numbers = tensors["fields.numbers"].tolist() if "fields.numbers" in tensors else []
    found, text, number = [], 0, 0
    for notes, n_texts, n_numbers in entries:
        found.append(Learnt(dict(notes), texts[text : text + n_texts], numbers[number : number + n_numbers]))
        if min(n_texts, n_numbers) < 0 or (len(found[-1].texts), len(found[-1].numbers)) != (n_texts, n_numbers):
            raise FormatError("the fields do not fit arrays 'fields.texts' and 'fields.numbers'")
        text, number = text + n_texts, number + n_numbers
    if (text, number) != (len(texts), len(numbers)):
        raise FormatError("arrays 'fields.texts' and 'fields.numbers' hold more than the fields")
    return found


def _restored(declaration: Declaration, learnt: Any, met: Vocabulary | None) -> Field:
    """The field of a file; `met` are the ids that a history is over."""
    found = next(learnt, None)
    if found is None:
        raise FormatError(f"nothing was learnt about field {declaration.field_name!r}")
    try:
        if not isinstance(declaration, Precomputed):  # whose parameters are not all in a file
            declaration.check()
        if isinstance(declaration, History) and met is not None:
            if found != Learnt({"n_columns": len(met)}):
                raise ValueError(f"it is over {len(met)} ids, {found.notes!r:.80} was learnt")
            return declaration.fit_ids(met)
        return declaration.restore_field(found)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise FormatError(f"field {declaration.field_name!r} cannot be restored ({error})") from None
