"""Small problems for the Gibbs sampler: rows in blocks, given to the core and to the reference alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from reference_gibbs import ReferenceGibbs
from scipy import sparse

from factorec import _core

OPTIONS: dict[str, Any] = {
    "draw": True,
    "n_levels": 0,
    "row_noise": False,
    "noise_shape": 60.0,
    "bipartite": False,
    "precision_linear": 1.0,
    "precision_factors": 1.0,
    "seed": 5,
    "n_threads": 1,
}


@dataclass
class Problem:
    """Entities of each block are rows over the block's own columns; `fields` are sizes of each block's fields."""

    entities: list[npt.NDArray[np.float32]]
    index: list[npt.NDArray[np.int64] | None]
    fields: list[list[int]]
    target: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32] | None = None
    n_factors: int = 3

    def __post_init__(self) -> None:
        rng = np.random.default_rng(8)
        self.n_features = sum(rows.shape[1] for rows in self.entities)
        self.linear = rng.normal(0, 0.3, self.n_features).astype(np.float32)
        self.factors = rng.normal(0, 0.5, (self.n_features, self.n_factors)).astype(np.float32)
        ends = np.cumsum([0, *(size for of_block in self.fields for size in of_block)]).tolist()
        self.ranges = list(pairwise(ends))

    def full_rows(self) -> list[npt.NDArray[np.float64]]:
        """The rows of each block over all columns."""
        out, begin = [], 0
        for rows, index in zip(self.entities, self.index, strict=True):
            full = np.zeros((len(self.target), self.n_features))
            full[:, begin : begin + rows.shape[1]] = rows if index is None else rows[index]
            out.append(full)
            begin += rows.shape[1]
        return out

    def blocks(self) -> list[Any]:
        out, begin = [], 0
        for rows, index in zip(self.entities, self.index, strict=True):
            matrix = sparse.csr_matrix(rows)
            indices = (matrix.indices + begin).astype(np.int32)
            out.append((index, (matrix.indptr, indices, matrix.data.astype(np.float32), self.n_features)))
            begin += rows.shape[1]
        return out

    def sampler(self, **options: Any) -> _core.GibbsSampler:
        bias = 0.0 if options.get("n_levels") else 0.25
        return _core.GibbsSampler(
            self.blocks(), self.target, self.weight, self.ranges, OPTIONS | options, bias, self.linear, self.factors
        )

    def reference(self, **options: Any) -> ReferenceGibbs:
        options.pop("n_threads", None)
        ranges = iter(self.ranges)
        return ReferenceGibbs(
            self.full_rows(),
            self.target.astype(float),
            np.ones(len(self.target)) if self.weight is None else self.weight.astype(float),
            [[next(ranges) for _ in of_block] for of_block in self.fields],
            0.0 if options.get("n_levels") else 0.25,
            self.linear.astype(float),
            self.factors.astype(float),
            order=np.arange(len(self.target)) if self.index[0] is None else np.argsort(self.index[0], kind="stable"),
            **({"seed": OPTIONS["seed"]} | options),
        )


def with_levels(problem: Problem, n_levels: int) -> Problem:
    """The same rows, the targets ranks in `n_levels` groups of about the same size."""
    ranks = problem.target.argsort().argsort()
    return replace(problem, target=(ranks * n_levels // len(ranks)).astype(np.float32))


def parameters(sampler: _core.GibbsSampler, problem: Problem) -> tuple[float, npt.NDArray[Any], npt.NDArray[Any]]:
    linear, factors = np.empty_like(problem.linear), np.empty_like(problem.factors)
    sampler.copy_to(linear, factors)
    return sampler.bias, linear, factors


def one_hot(n: int, width: int | None = None) -> npt.NDArray[np.float32]:
    return np.eye(n, width, dtype=np.float32)


def make_problem(kind: str, n_rows: int = 60, **options: Any) -> Problem:
    """ "ids", "fields" (several fields a side, shared features, a context block between), "flat" (one block)."""
    rng = np.random.default_rng(3)
    target = rng.normal(3, 1, n_rows).astype(np.float32)
    n_users, n_items, n_days = 7, 9, 4
    users, items, days = (rng.integers(0, n, n_rows) for n in (n_users - 1, n_items - 2, n_days))
    if kind == "ids":  # the last ones have no rows; one item has a value that is not 1, one no feature
        of_items = one_hot(n_items)
        of_items[2] *= 0.5
        of_items[3] = 0
        return Problem([one_hot(n_users), of_items], [users, items], [[n_users], [n_items]], target, **options)
    history = (rng.random((n_users, 5)) < 0.4) * rng.normal(1, 0.3, (n_users, 5))
    genres = (rng.random((n_items, 4)) < 0.5) * 0.7
    groups = one_hot(3)[rng.integers(0, 3, n_users)]
    of_users = np.hstack([one_hot(n_users), groups, history]).astype(np.float32)
    of_items = np.hstack([one_hot(n_items), genres]).astype(np.float32)
    if kind == "flat":
        rows = np.hstack([of_users[users], of_items[items]])
        return Problem([rows], [None], [[n_users, 3, 5, n_items, 4]], target, **options)
    entities = [of_users, one_hot(n_days), of_items]
    return Problem(entities, [users, days, items], [[n_users, 3, 5], [n_days], [n_items, 4]], target, **options)
