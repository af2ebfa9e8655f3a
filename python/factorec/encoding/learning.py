"""From tables to a layout: what an encoder does when it is fitted."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from .._threads import resolve_n_jobs
from ..errors import DataError
from ._sparse import empty_rows
from .auto import infer_fields
from .catalogue import fit_side
from .contexts import context_entities
from .declared import Declared, check_names, declared
from .fields import Declaration, History
from .histories import histories
from .layout import Context, Layout
from .tables import check_lengths, series
from .vocabulary import Vocabulary

__all__ = ["learn", "map_blocks", "read_ids"]

T = TypeVar("T")


def read_ids(X: Any, names: Mapping[str, Hashable], contexts: Sequence[Declaration]) -> dict[str, Any]:
    """Read the columns of ids by side, and see that all columns needed are of one length."""
    columns = {side: series(X, name) for side, name in names.items()}
    check_lengths(X, [*names.values(), *(name for field in contexts for name in field.columns_read)])
    return columns


def learn(
    X: Any,
    tables: Mapping[str, Any],
    names: Mapping[str, Hashable],
    fields: Any,
    *,
    duplicates: str,
    uncatalogued: str,
    history: npt.ArrayLike | None = None,
) -> tuple[Layout, Declared, list[npt.NDArray[np.int64]]]:
    """Learn ids and fields.

    Parameters
    ----------
    X : table
    tables : dict
        The catalogues of ``"user"`` and ``"item"``.
    names : dict
        The columns of their ids.
    fields : dict, "auto" or None
    duplicates, uncatalogued : str
    history : array-like of bool, shape (n_rows,), optional
        The rows that histories know; None: all.

    Returns
    -------
    layout : Layout
    fields : dict of str to list
        What was declared, or inferred.
    indices : list of ndarray of shape (n_rows,), int64
        The entity of each row, by block.
    """
    for name, value, allowed in (
        ("duplicates", duplicates, ("raise", "first", "last")),
        ("uncatalogued", uncatalogued, ("ignore", "raise")),
    ):
        if value not in allowed:
            raise DataError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    if isinstance(fields, str) and fields == "auto":
        fields = infer_fields(tables, names)
    fields = declared(fields)
    check_names(names["user"], names["item"], fields)
    columns = read_ids(X, names, fields["context"])
    n = len(columns["user"])
    if not n:
        raise DataError("the table has no rows; there is nothing to learn ids from")
    found = map_blocks(lambda side: Vocabulary.from_values(columns[side], name=names[side]), list(names), n)
    learnt = dict(zip(names, found, strict=True))
    chosen = _chosen(history, n)
    sides = {
        side: fit_side(
            learnt[side][0],
            fields[side],
            tables[side],
            side=side,
            column=names[side],
            duplicates=duplicates,
            uncatalogued=uncatalogued,
            met=(learnt[other][0], _met(learnt[side], learnt[other], fields[side], chosen)),
        )
        for side, other in (("user", "item"), ("item", "user"))
    }

    def fit_context(name: str) -> tuple[Context, npt.NDArray[np.int64]]:
        field = by_name[name].fit_field(X)
        rows, index = context_entities(field, X)
        return Context(field, rows), index

    by_name = {declaration.field_name: declaration for declaration in fields["context"]}
    contexts = map_blocks(fit_context, list(by_name), n)
    layout = Layout(sides["user"], [context for context, _ in contexts], sides["item"])
    return layout, fields, [learnt["user"][1], *(index for _, index in contexts), learnt["item"][1]]


def _chosen(history: npt.ArrayLike | None, n: int) -> npt.NDArray[np.bool_] | slice:
    if history is None:
        return slice(None)
    chosen = np.asarray(history)
    if chosen.dtype != np.bool_ or chosen.shape != (n,):
        raise DataError(
            f"history must be a mask of {n} rows, True or False for each, got shape {chosen.shape} of {chosen.dtype}"
        )
    return chosen


def _met(
    own: tuple[Vocabulary, npt.NDArray[np.int64]],
    other: tuple[Vocabulary, npt.NDArray[np.int64]],
    declarations: Sequence[Declaration],
    chosen: npt.NDArray[np.bool_] | slice,
) -> csr_matrix:
    """The histories of a side's trained ids, empty where no field wants them."""
    shape = (len(own[0]), len(other[0]))
    if not any(isinstance(field, History) for field in declarations):
        return empty_rows(*shape)
    return histories(own[1][chosen], other[1][chosen], shape)


def map_blocks(function: Callable[[str], T], blocks: Sequence[str], n_rows: int) -> list[T]:
    """Apply a function to the name of every block, for long columns in threads: hashing runs outside the GIL."""
    threads = min(len(blocks), resolve_n_jobs(None))
    if threads <= 1 or n_rows < 100_000:
        return [function(block) for block in blocks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, blocks))
