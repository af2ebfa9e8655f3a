"""A user's own vector, re-solved from the user's own rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from .._losses import Loss, is_known_loss, wrong_target
from .._solve import Solution, solve
from .._threads import one_blas_thread
from ..errors import DataError
from ._rows import Array, OwnVectorRows, Parameters, as_rows, own_vector_rows

__all__ = [
    "Method",
    "Paper",
    "UserProblem",
    "paper_influence",
    "resolve",
    "resolved_scores",
    "rows_with_background",
]

Method = Literal["ridge", "paper"]


@dataclass(frozen=True, slots=True)
class UserProblem:
    """One user's rows beside their targets: all that a re-solve needs but the rows themselves, checked.

    Attributes
    ----------
    feature : int
        Column of the user's own id feature.
    target, weight : ndarray of shape (n,)
    penalty, prior_mean : ndarray of shape (k,)
    loss : {"squared", "logistic", "probit"} or OrderedLevels
    start : ndarray of shape (k,)
        The model's own vector.
    """

    feature: int
    target: Array
    weight: Array
    penalty: Array
    prior_mean: Array | None
    loss: Loss
    start: Array

    @classmethod
    def check(
        cls,
        p: Parameters,
        y: Any,
        *,
        n_rows: int,
        feature: Any,
        sample_weight: Any,
        l2: Any,
        loss: Loss,
        prior_mean: Any,
        needs_penalty: bool = True,
        who: str = "the user",
    ) -> UserProblem:
        """Check the arguments of one user; `who` names the user in messages."""
        n_features, k = p.factors.shape
        if k == 0:
            raise DataError("the model has no factors (n_factors=0), so no rating influences another score")
        if isinstance(feature, bool) or not isinstance(feature, (int, np.integer)):
            raise DataError(f"feature must be the column of the user's own id, an integer, got {feature!r}")
        if not 0 <= feature < n_features:
            raise DataError(f"feature {feature} is not a column of the model (0..{n_features - 1})")
        if not is_known_loss(loss):
            raise DataError(f"loss must be 'squared', 'logistic', 'probit' or OrderedLevels, got {loss!r}")
        if n_rows == 0:
            raise DataError(f"{who} has no ratings: nothing to explain a score with")
        target = _vector(y, n_rows, "y", who)
        if wrong := wrong_target(loss, target):
            row, rule = wrong
            raise DataError(f"y[{row}] = {target[row]:g} of {who}: {rule}")
        weight = np.ones(n_rows) if sample_weight is None else _vector(sample_weight, n_rows, "sample_weight", who)
        if (weight < 0).any():
            raise DataError(f"sample_weight of {who} is negative in row {int(np.argmax(weight < 0))}")
        penalty = _own_penalty(p, int(feature), l2) if needs_penalty else np.zeros(k)
        mean = None if prior_mean is None else _vector(prior_mean, k, "prior_mean", who)
        return cls(int(feature), target, weight, penalty, mean, loss, p.factors[feature].astype(np.float64))

    def rows(self, kept: npt.NDArray[np.intp]) -> UserProblem:
        """Keep some of the user's rows."""
        return replace(self, target=self.target[kept], weight=self.weight[kept])


def _vector(values: Any, n: int, name: str, who: str) -> Array:
    vector = np.asarray(values, dtype=np.float64)
    if vector.shape != (n,):
        raise DataError(f"{name} of {who} must have shape ({n},), got {vector.shape}")
    if not np.isfinite(vector).all():
        raise DataError(f"{name} of {who} is not finite at position {int(np.argmin(np.isfinite(vector)))}")
    return vector


def _own_penalty(p: Parameters, feature: int, l2: Any) -> Array:
    k = p.factors.shape[1]
    if l2 is None:
        penalties = getattr(p, "penalties", None)
        if penalties is None:
            raise DataError(
                "these parameters carry no penalties (they were not fitted by factorec): give l2=, the total "
                "penalty of the user's vector: the L2 per row times the summed weight of the user's rows"
            )
        l2 = penalties.factors[feature]
    penalty = np.asarray(l2, dtype=np.float64)
    if penalty.shape not in ((), (k,)):
        raise DataError(f"l2 must be a number or have shape ({k},), got shape {penalty.shape}")
    if not np.isfinite(penalty).all() or (penalty < 0).any():
        raise DataError("l2 must be finite and not negative")
    return np.array(np.broadcast_to(penalty, (k,)))


def resolve(problem: UserProblem, rated: OwnVectorRows) -> Solution:
    """Solve for the user's vector, from the model's own as the start."""
    return solve(
        rated.slope,
        rated.rest,
        problem.target,
        problem.weight,
        problem.penalty,
        prior_mean=problem.prior_mean,
        loss=problem.loss,
        start=problem.start,
    )


@dataclass(frozen=True, slots=True)
class Paper:
    """Influence by the published formula, with what it rests on.

    Attributes
    ----------
    influence : ndarray of shape (m, n)
    rank : int
        Of the matrix of the rated items; less than its columns: the least-norm solution was taken.
    condition : float
        Largest by smallest singular value that counts.
    """

    influence: Array
    rank: int
    condition: float


def paper_influence(rated: OwnVectorRows, wanted: OwnVectorRows, weight: Array) -> Paper:
    """``J = A A_R^+`` with ``A = [V, w]`` (Rastegarpanah et al. 2017), by SVD of ``A_R``, float64."""
    root = np.sqrt(weight)
    A_rated = np.column_stack([rated.slope, rated.level]) * root[:, None]
    A_wanted = np.column_stack([wanted.slope, wanted.level])
    u, s, vt = np.linalg.svd(A_rated, full_matrices=False)
    rank = int(np.count_nonzero(s > s[0] * max(A_rated.shape) * np.finfo(np.float64).eps))
    influence = ((A_wanted @ vt[:rank].T) / s[:rank]) @ u[:, :rank].T * root
    return Paper(influence, rank, float(s[0] / s[rank - 1]) if rank else float("inf"))


def rows_with_background(
    p: Parameters,
    problem: UserProblem,
    X_rated: sparse.csr_matrix,
    X_wanted: sparse.csr_matrix,
    X_background: Any,
    background_weight: Any,
    background_target: float = 0.0,
) -> tuple[OwnVectorRows, OwnVectorRows, UserProblem]:
    """Rows of (rated, wanted); the background is appended to the rated rows and to the problem."""
    blocks, names = [X_wanted, X_rated], ["X_wanted", "X_rated"]
    if X_background is not None:
        background = as_rows(X_background, p.factors.shape[0], "X_background")
        m = background.shape[0]
        weight = np.asarray(background_weight, dtype=np.float64)
        if weight.shape not in ((), (m,)) or not np.isfinite(weight).all() or (weight < 0).any():
            raise DataError("background_weight must be one number, or one per background row, finite and >= 0")
        blocks.append(background)
        names.append("X_background")
        problem = replace(
            problem,
            target=np.concatenate([problem.target, np.full(m, background_target)]),
            weight=np.concatenate([problem.weight, np.broadcast_to(weight, (m,))]),
        )
    rows = own_vector_rows(p, blocks, [problem.feature] * len(blocks), names)
    first = X_wanted.shape[0]
    return rows[first:], rows[:first], problem


@one_blas_thread()
def resolved_scores(
    p: Parameters,
    X_rated: Any,
    y: Any,
    X_wanted: Any,
    *,
    feature: int,
    sample_weight: Any = None,
    l2: Any = None,
    loss: Loss = "squared",
    prior_mean: Any = None,
    X_background: Any = None,
    background_weight: Any = 1.0,
    background_target: float = 0.0,
) -> Array:
    """Scores of one user's wanted rows with the user's vector re-solved: what explanations explain.

    Parameters
    ----------
    p, X_rated, y, X_wanted, feature, sample_weight, l2, loss, prior_mean
        As in `influence`.
    X_background : csr_matrix, optional
        Rows that join the solve: the items not rated, for a model trained with negatives.
    background_weight : float or ndarray
        The weight of each.
    background_target : float
        Their target.

    Returns
    -------
    ndarray of shape (n_wanted,), float64
        Raw scores: ratings, or log-odds.

    Raises
    ------
    DataError
        Wherever `influence` raises.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from scipy.sparse import csr_matrix
    >>> factors = np.array([[0.2, 0], [1, 0], [0, 1], [0.9, 0.1]])
    >>> p = SimpleNamespace(bias=3.5, linear=np.zeros(4), factors=factors)
    >>> X = csr_matrix([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]])
    >>> resolved_scores(p, X[:2], [4, 3], X, feature=0, l2=1.0)
    array([3.75, 3.25, 3.7 ])
    """
    X_rated = as_rows(X_rated, p.factors.shape[0], "X_rated")
    X_wanted = as_rows(X_wanted, p.factors.shape[0], "X_wanted")
    problem = UserProblem.check(
        p,
        y,
        n_rows=X_rated.shape[0],
        feature=feature,
        sample_weight=sample_weight,
        l2=l2,
        loss=loss,
        prior_mean=prior_mean,
    )
    rated, wanted, problem = rows_with_background(
        p, problem, X_rated, X_wanted, X_background, background_weight, background_target
    )
    vector = resolve(problem, rated).coefficients
    return wanted.rest + wanted.slope @ vector
