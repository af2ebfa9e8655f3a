"""Implicit ALS as its normal equations, written out densely: what the core must agree with."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["objective", "solve_blocks", "solve_side", "sweep"]


def objective(
    queries: Any,
    items: Any,
    observed: np.ndarray,
    penalty: np.ndarray,
    factors: np.ndarray,
    unobserved_weight: float,
    query_exposure: np.ndarray | None = None,
    item_exposure: np.ndarray | None = None,
) -> float:
    """The objective: every pair for the target 0, and the observed ones for the target 1 besides."""
    scores = (queries @ factors) @ (items @ factors).T
    exposed = np.outer(_or_ones(query_exposure, queries), _or_ones(item_exposure, items))
    squares = (observed * (1 - scores) ** 2).sum() + unobserved_weight * (exposed * scores**2).sum()
    return 0.5 * float(squares + (penalty * (factors**2).sum(1)).sum())


def solve_side(
    own: Any,
    other: Any,
    observed: np.ndarray,
    penalty: np.ndarray,
    factors: np.ndarray,
    unobserved_weight: float,
    own_exposure: np.ndarray | None = None,
    other_exposure: np.ndarray | None = None,
) -> np.ndarray:
    """The factors of one side that minimise the objective, those of the other side given: one system for all of them.

    ``observed`` has a row for each entity of the own side.
    """
    columns = np.flatnonzero(np.asarray((own != 0).sum(0)).ravel())
    k = factors.shape[1]
    x, vectors = own[:, columns], other @ factors
    weight = observed + unobserved_weight * np.outer(_or_ones(own_exposure, own), _or_ones(other_exposure, other))
    # Hessian over (feature, factor): sum over pairs of weight (x_f o_j) (x_g o_l).
    gram = np.einsum("eo,oj,ol->ejl", weight, vectors, vectors, optimize=True)
    hessian = np.einsum("ef,eg,ejl->fjgl", x, x, gram, optimize=True).reshape(len(columns) * k, -1)
    hessian += np.diag(np.repeat(penalty[columns], k))
    slope = np.einsum("ef,eo,oj->fj", x, observed, vectors, optimize=True)
    solved = factors.copy()
    solved[columns] = np.linalg.solve(hessian, slope.ravel()).reshape(-1, k)
    return solved


def solve_blocks(
    own: Any,
    other: Any,
    observed: np.ndarray,
    penalty: np.ndarray,
    factors: np.ndarray,
    unobserved_weight: float,
    own_exposure: np.ndarray | None = None,
    other_exposure: np.ndarray | None = None,
    *,
    block_size: int,
) -> np.ndarray:
    """One step of each block of factors in turn, for a side of ids; entities without an observed pair get zeros."""
    factors = factors.copy()
    other_vectors = other @ factors
    weight = observed + unobserved_weight * np.outer(_or_ones(own_exposure, own), _or_ones(other_exposure, other))
    for e, column in enumerate(np.argmax(own, axis=1)):
        if not observed[e].any():
            factors[column] = 0
            continue
        for begin in range(0, factors.shape[1], block_size):
            block = slice(begin, begin + block_size)
            rest = factors[column].copy()
            rest[block] = 0
            o = other_vectors[:, block]
            hessian = (weight[e][:, None] * o).T @ o + penalty[column] * np.eye(o.shape[1])
            slope = o.T @ (observed[e] - weight[e] * (other_vectors @ rest))
            factors[column, block] = np.linalg.solve(hessian, slope)
    return factors


def sweep(
    queries: np.ndarray,
    items: np.ndarray,
    observed: np.ndarray,
    penalty: np.ndarray,
    factors: np.ndarray,
    unobserved_weight: float,
    query_exposure: np.ndarray | None = None,
    item_exposure: np.ndarray | None = None,
    *,
    block_size: int | None = None,
) -> np.ndarray:
    """Factors after the queries' were solved for, then the items'; sides of ids in blocks of factors, if given."""
    sides = [
        (queries, items, observed, query_exposure, item_exposure),
        (items, queries, observed.T, item_exposure, query_exposure),
    ]
    for own, other, pairs, own_exposure, other_exposure in sides:
        arguments = (own, other, pairs, penalty, factors, unobserved_weight, own_exposure, other_exposure)
        one_hot = ((own != 0).sum(1) == 1).all() and ((own != 0).sum(0) <= 1).all()
        if block_size is not None and one_hot:
            factors = solve_blocks(*arguments, block_size=block_size)
        else:
            factors = solve_side(*arguments)
    return factors


def _or_ones(exposure: np.ndarray | None, side: Any) -> np.ndarray:
    return np.ones(side.shape[0]) if exposure is None else exposure
