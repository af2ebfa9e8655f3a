"""Rows as a sampler takes them: blocks of distinct entities, and the fields whose features share a prior.

A block of ids costs a sweep one visit a row. Other features are drawn from sums over each entity's rows, so that a
flat matrix is cut into blocks of distinct rows: features that an id determines (a user's age) stand in the id's
block, as in a `TrainingSet`, every other field in one of its own.

Fields of large numbers are divided by their root mean square: sums of their squares, and of products of those, would
not fit float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ._problem import Problem
from ._rows import CsrTuple, csr_tuple

__all__ = ["SamplerRows"]

Blocks = list[tuple[npt.NDArray[Any] | None, CsrTuple]]
# Name (None: columns of no field), first column, the one after the last.
Span = tuple[str | None, int, int]


@dataclass
class SamplerRows:
    """Blocks and fields for the core.

    ``has_ids``: the first field of the first and of the last block are ids, which may have row noise. ``unit``: what
    the values of each field were divided by.
    """

    blocks: Blocks
    fields: list[Span]
    has_ids: bool
    unit: npt.NDArray[np.float64]

    def per_feature(self) -> npt.NDArray[np.float32]:
        """The unit of each feature."""
        return np.repeat(self.unit, [stop - start for _, start, stop in self.fields]).astype(np.float32)

    @classmethod
    def of(cls, problem: Problem) -> SamplerRows:
        """The rows of a problem."""
        rows = problem.rows
        if problem.training_set is not None:
            fields = _spans(rows.field_ranges, rows.n_features)
            blocks, unit = _divided(rows.blocks, fields)
            return cls(blocks, fields, True, unit)
        grid = sorted(rows.grid)
        named = set(rows.field_ranges.values())
        fields = _spans(rows.field_ranges, rows.n_features, [span for span in grid if span not in named])
        blocks, unit = _divided(_cut(problem.source, fields, grid), fields)
        return cls(blocks, fields, bool(grid), unit)


def _spans(ranges: Any, n_features: int, nameless: Any = ()) -> list[Span]:
    """The fields in column order, and between them the columns that are in none."""
    known: list[Span] = [(name, *span) for name, span in ranges.items()] + [(None, *span) for span in nameless]
    spans: list[Span] = []
    covered = 0
    for name, start, stop in sorted(known, key=lambda span: span[1:]):
        if start == stop:
            continue
        if covered < start:
            spans.append((None, covered, start))
        spans.append((name, start, stop))
        covered = stop
    if covered < n_features:
        spans.append((None, covered, n_features))
    return spans


def _divided(blocks: Blocks, fields: list[Span]) -> tuple[Blocks, npt.NDArray[np.float64]]:
    """The blocks with each field in its unit: the root mean square of what is stored, at least 1."""
    n = np.zeros(len(fields))
    squares = np.zeros(len(fields))
    field_of = np.repeat(np.arange(len(fields)), [stop - start for _, start, stop in fields])
    for _, (_, indices, values, _) in blocks:
        of_entry = field_of[indices]
        n += np.bincount(of_entry, minlength=len(fields))
        x = np.ones(len(indices)) if values is None else values.astype(np.float64)
        squares += np.bincount(of_entry, x * x, len(fields))
    unit = np.maximum(np.sqrt(squares / np.maximum(n, 1.0)), 1.0)
    if (unit == 1).all():
        return blocks, unit
    divided: Blocks = []
    for index, (indptr, indices, values, n_columns) in blocks:
        if values is not None:
            values = (values / unit[field_of[indices]]).astype(np.float32)
        divided.append((index, (indptr, indices, values, n_columns)))
    return divided, unit


@dataclass
class _Part:
    """The columns of a field: a number of each row, and what the rows with that number hold."""

    index: npt.NDArray[np.int64]
    entities: Any


def _cut(X: Any, fields: list[Span], grid: list[tuple[int, int]]) -> Blocks:
    if not X.has_sorted_indices:
        X = X.copy()
        X.sort_indices()
    field_of = np.repeat(np.arange(len(fields)), [stop - start for _, start, stop in fields])[X.indices]
    row_of = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    ids: list[_Part] = []
    others: list[_Part] = []
    growing: _Part | None = None  # the block of ids that the columns before belong to
    for number, (_, start, stop) in enumerate(fields):
        entries = np.flatnonzero(field_of == number)
        if (start, stop) in grid:
            growing = _Part(X.indices[entries].astype(np.int64) - start, _identity(start, stop, X.shape[1]))
            ids.append(growing)
            continue
        part = _distinct_rows(X, entries, row_of[entries])
        added = None if growing is None else _of_ids(part, growing)
        if growing is not None and added is not None:
            growing.entities = sp.csr_array(growing.entities + added)  # of other columns: nothing is summed
            growing.entities.sort_indices()
        else:
            growing = None  # a block's columns follow each other
            others.append(part)
    parts = [*ids[:1], *others, *ids[1:]]
    parts = [part for part in parts if part.entities.nnz] or parts[:1]
    return [(part.index, csr_tuple(part.entities)) for part in parts]


def _identity(start: int, stop: int, n_features: int) -> Any:
    n = stop - start
    columns = np.arange(start, stop, dtype=np.int64)
    return sp.csr_array((np.ones(n, np.float32), columns, np.arange(n + 1, dtype=np.int64)), (n, n_features))


def _of_ids(part: _Part, ids: _Part) -> Any:
    """What each id adds, where every id has the same in all of its rows; None otherwise."""
    n_ids = ids.entities.shape[0]
    entity = np.full(n_ids, -1, np.int64)
    entity[ids.index] = part.index
    if not np.array_equal(entity[ids.index], part.index):
        return None
    known = np.flatnonzero(entity >= 0)
    place = sp.csr_array((np.ones(len(known), np.float32), (known, entity[known])), (n_ids, part.entities.shape[0]))
    return place @ part.entities


def _distinct_rows(X: Any, entries: npt.NDArray[Any], row_of: npt.NDArray[Any]) -> _Part:
    """The distinct rows among the given entries, numbered by their first row."""
    n_rows, n_features = X.shape
    columns, values = X.indices[entries].astype(np.int64), X.data[entries]
    lengths = np.bincount(row_of, minlength=n_rows)
    begin = np.concatenate([[0], np.cumsum(lengths)])
    # Rows by length, as bytes side by side: those that are equal are found by sorting.
    index = np.empty(n_rows, np.int64)
    first_rows: list[npt.NDArray[Any]] = []
    n_found = 0
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        at = begin[rows][:, None] + np.arange(length)
        words = np.column_stack([columns[at], values[at].astype(np.float64).view(np.int64)])
        if length == 1 and (values[at] == 1).all():
            _, first, inverse = np.unique(columns[at[:, 0]], return_index=True, return_inverse=True)
        elif length:
            keys = np.ascontiguousarray(words).view(np.dtype((np.void, words.shape[1] * 8)))[:, 0]
            _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        else:
            first, inverse = np.zeros(1, np.int64), np.zeros(len(rows), np.int64)
        index[rows] = inverse + n_found
        first_rows.append(rows[first])
        n_found += len(first)
    first_row = np.concatenate(first_rows)
    order = np.argsort(first_row)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    taken = first_row[order]
    at = np.concatenate([np.arange(begin[row], begin[row + 1]) for row in taken])
    indptr = np.concatenate([[0], np.cumsum(lengths[taken])])
    return _Part(rank[index], sp.csr_array((values[at], columns[at], indptr), (len(taken), n_features)))
