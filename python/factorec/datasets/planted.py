"""Interactions drawn from a factorization machine that is known, of any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack, identity

from ..errors import DataError

__all__ = ["PlantedFM", "make_planted_fm"]

CHUNK = 1 << 16  # rows scored at once
Floats = npt.NDArray[np.float32]
FeatureSpec = Mapping[str, int | tuple[int, int]]


@dataclass(frozen=True)
class PlantedFM:
    """Interactions, and the factorization machine that they were drawn from.

    Attributes
    ----------
    table : dict of str to ndarray
        The interactions: ``user_id`` and ``item_id`` (int64), ``rating`` (float32).
    users, items : dict of str to ndarray
        The catalogues: ``user_id`` or ``item_id``, and one column per side feature: int64, or lists of int in
        an object array where a feature has several values.
    bias : float
    linear : ndarray of shape (n_features,), float32
    factors : ndarray of shape (n_features, n_factors), float32
    user_rows, item_rows : csr_matrix of shape (n_users, n_features) and (n_items, n_features), float32
        The features of each user and item; ids count from 0, so an id is also its row here.
    field_ranges : dict of str to (int, int)
        The feature columns of each field, from start to stop: ``user_id``, the users' features, ``item_id``,
        the items' features.
    n_query_features : int
        Number of leading feature columns that belong to users.
    score : ndarray of shape (n_interactions,), float32
        The machine's score of each interaction, before noise.

    Examples
    --------
    >>> from factorec.datasets import make_planted_fm
    >>> planted = make_planted_fm(20, 10, 100, n_factors=2, seed=0)
    >>> planted.factors.shape, planted.field_ranges
    ((30, 2), {'user_id': (0, 20), 'item_id': (20, 30)})
    """

    table: dict[str, npt.NDArray[Any]]
    users: dict[str, npt.NDArray[Any]]
    items: dict[str, npt.NDArray[Any]]
    bias: float
    linear: Floats
    factors: Floats
    user_rows: csr_matrix
    item_rows: csr_matrix
    field_ranges: dict[str, tuple[int, int]]
    n_query_features: int
    score: Floats


def make_planted_fm(
    n_users: int = 1000,
    n_items: int = 500,
    n_interactions: int = 50_000,
    *,
    n_factors: int = 8,
    target: Literal["binary", "real"] = "binary",
    bias: float = 0.0,
    linear_scale: float = 0.5,
    interaction_scale: float = 1.0,
    noise: float = 1.0,
    item_popularity: float = 1.0,
    user_activity: float = 0.0,
    user_features: FeatureSpec | None = None,
    item_features: FeatureSpec | None = None,
    seed: int | np.random.Generator | None = None,
) -> PlantedFM:
    """Draw interactions from a factorization machine with random parameters.

    Parameters
    ----------
    n_users, n_items, n_interactions : int
        Sizes. Rows are drawn independently: a pair may occur twice, a rare user or item not at all.
    n_factors : int
        Number of factors of the machine.
    target : {"binary", "real"}
        ``"real"``: rating = score + `noise` · N(0, 1). ``"binary"``: rating = 1 where score + `noise` · L is
        positive, L of the standard logistic distribution, so that with ``noise=1`` the probability of a 1 is
        the logistic function of the score.
    bias : float
        The machine's bias, in units of the score.
    linear_scale : float
        Standard deviation of the linear weights.
    interaction_scale : float
        Standard deviation of ⟨v_f, v_g⟩ for two features f and g.
    noise : float
        See `target`; 0 is none.
    item_popularity, user_activity : float
        Exponents a of power laws: the r-th most frequent item has a share proportional to r^−a; 0 is uniform.
        Which item is the r-th is drawn too, independently of its parameters.
    user_features, item_features : mapping of str to int or (int, int), optional
        Side features. ``{"age": 7}``: one of 7 values each; ``{"genre": (18, 3)}``: 1 to 3 different of 18.
        Every value is a feature with x = 1.
    seed : int, numpy.random.Generator or None
        The same seed gives the same data.

    Returns
    -------
    PlantedFM
        Table, catalogues and truth, as plain arrays. 10 million rows take seconds and some 250 MB.

    Raises
    ------
    DataError
        If a size or scale is out of range, or a feature's name is taken.

    Examples
    --------
    >>> from factorec.datasets import make_planted_fm
    >>> data = make_planted_fm(100, 50, 2000, item_features={"genre": (5, 2)}, seed=0)
    >>> data.table["rating"].shape, data.factors.shape
    ((2000,), (155, 8))
    >>> data.field_ranges
    {'user_id': (0, 100), 'item_id': (100, 150), 'genre': (150, 155)}
    """
    for name, size in {"n_users": n_users, "n_items": n_items, "n_interactions": n_interactions}.items():
        if size < 1:
            raise DataError(f"{name} must be at least 1, got {size}")
    for name, value in {
        "n_factors": n_factors,
        "linear_scale": linear_scale,
        "interaction_scale": interaction_scale,
        "noise": noise,
        "item_popularity": item_popularity,
        "user_activity": user_activity,
    }.items():
        if not 0 <= value < np.inf:
            raise DataError(f"{name} must be finite and at least 0, got {value}")
    if target not in ("binary", "real"):
        raise DataError(f'target must be "binary" or "real", got {target!r}')
    rng = np.random.default_rng(seed)
    users, user_rows, user_ranges = _entities("user_id", n_users, user_features or {}, rng)
    items, item_rows, item_ranges = _entities("item_id", n_items, item_features or {}, rng)
    if taken := users.keys() & items.keys():
        raise DataError(f"user and item features need different names, got {', '.join(sorted(taken))} twice")
    n_query, n_features = user_rows.shape[1], user_rows.shape[1] + item_rows.shape[1]
    user_rows = csr_matrix((user_rows.data, user_rows.indices, user_rows.indptr), shape=(n_users, n_features))
    item_rows = csr_matrix((item_rows.data, item_rows.indices + n_query, item_rows.indptr), shape=(n_items, n_features))
    linear = rng.standard_normal(n_features, dtype=np.float32) * np.float32(linear_scale)
    # <v_f, v_g> has variance k s^4 when the entries of v have variance s^2
    deviation = np.float32((interaction_scale**2 / max(n_factors, 1)) ** 0.25)
    factors = rng.standard_normal((n_features, n_factors), dtype=np.float32) * deviation
    user_index = _draw(n_users, user_activity, n_interactions, rng)
    item_index = _draw(n_items, item_popularity, n_interactions, rng)
    score = _score(bias, linear, factors, user_rows, item_rows, user_index, item_index)
    return PlantedFM(
        table={"user_id": user_index, "item_id": item_index, "rating": _target(score, target, noise, rng)},
        users=users,
        items=items,
        bias=float(bias),
        linear=linear,
        factors=factors,
        user_rows=user_rows,
        item_rows=item_rows,
        field_ranges={
            **user_ranges,
            **{name: (start + n_query, stop + n_query) for name, (start, stop) in item_ranges.items()},
        },
        n_query_features=n_query,
        score=score,
    )


def _entities(
    key: str, n: int, features: FeatureSpec, rng: np.random.Generator
) -> tuple[dict[str, npt.NDArray[Any]], csr_matrix, dict[str, tuple[int, int]]]:
    """Make a catalogue of n users or items, their rows, and the columns of each field."""
    catalogue: dict[str, npt.NDArray[Any]] = {key: np.arange(n)}
    blocks = [identity(n, dtype=np.float32, format="csr")]
    ranges = {key: (0, n)}
    for name, spec in features.items():
        n_values, most = spec if isinstance(spec, tuple) else (spec, 1)
        if name in catalogue or not 1 <= most <= n_values:
            raise DataError(f"side feature {name!r}: expected a free name and 1 <= most <= n_values, got {spec}")
        counts = rng.integers(1, most, size=n, endpoint=True)
        # the first `count` entries of a random permutation of the values, for each entity
        values = _permutations(n, n_values, most, rng)
        chosen = values[np.arange(most) < counts[:, None]]
        indptr = np.concatenate([[0], np.cumsum(counts)])
        rows = csr_matrix((np.ones(len(chosen), dtype=np.float32), chosen, indptr), shape=(n, n_values))
        rows.sort_indices()
        if isinstance(spec, tuple):
            catalogue[name] = np.empty(n, dtype=object)
            catalogue[name][:] = [part.tolist() for part in np.split(rows.indices, indptr[1:-1])]
        else:
            catalogue[name] = chosen
        start = ranges[next(reversed(ranges))][1]
        ranges[name] = (start, start + n_values)
        blocks.append(rows)
    return catalogue, hstack(blocks, format="csr", dtype=np.float32), ranges


def _permutations(n: int, n_values: int, length: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw the first `length` entries of n random permutations (Fisher and Yates, all rows at once)."""
    chosen = np.empty((n, length), dtype=np.int64)
    for j in range(length):
        # the i-th of the values that are left: step over those taken, in ascending order
        pick = rng.integers(0, n_values - j, size=n)
        for taken in np.sort(chosen[:, :j], axis=1).T:
            pick += pick >= taken
        chosen[:, j] = pick
    return chosen


def _draw(n: int, exponent: float, size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Score as b + s(x_q) + s(x_i) + <V'x_q, V'x_i>, s(x) = w'x + (|V'x|^2 - sum_f x_f^2 |V_f|^2)/2."""
    shares = np.arange(1, n + 1, dtype=np.float64) ** -exponent
    counts = rng.multinomial(size, shares / shares.sum())
    drawn = np.repeat(rng.permutation(n), counts)
    rng.shuffle(drawn)
    return drawn


def _score(
    bias: float,
    linear: Floats,
    factors: Floats,
    user_rows: csr_matrix,
    item_rows: csr_matrix,
    user_index: npt.NDArray[np.int64],
    item_index: npt.NDArray[np.int64],
) -> Floats:
    """Score as b + s(x_q) + s(x_i) + <V'x_q, V'x_i>, s(x) = w'x + (|V'x|^2 - sum_f x_f^2 |V_f|^2) / 2."""
    sides = []
    for rows in (user_rows, item_rows):
        vectors = rows @ factors
        own = np.square(vectors).sum(axis=1) - rows @ np.square(factors).sum(axis=1)
        sides.append((vectors, rows @ linear + np.float32(0.5) * own))
    (user_vectors, user_offsets), (item_vectors, item_offsets) = sides
    score = np.empty(len(user_index), dtype=np.float32)
    for start in range(0, len(score), CHUNK):
        part = slice(start, start + CHUNK)
        u, i = user_index[part], item_index[part]
        products = np.einsum("rk,rk->r", user_vectors[u], item_vectors[i])
        score[part] = np.float32(bias) + user_offsets[u] + item_offsets[i] + products
    return score


def _target(score: Floats, target: str, noise: float, rng: np.random.Generator) -> Floats:
    values = np.empty_like(score)
    for start in range(0, len(score), CHUNK):
        part = score[start : start + CHUNK]
        draw = rng.standard_normal(len(part)) if target == "real" else rng.logistic(size=len(part))
        disturbed = part + noise * draw
        values[start : start + CHUNK] = disturbed if target == "real" else disturbed > 0
    return values
