"""One score explained: rows of a user in, an `Explanation` out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .._losses import Loss
from .._threads import one_blas_thread
from ..errors import DataError
from ._resolve import Method, UserProblem, paper_influence, resolve, rows_with_background
from ._rows import Array, Parameters, as_rows
from .explanation import Explanation
from .score_parts import ScoreParts

__all__ = ["explain_item"]


@one_blas_thread()
def explain_item(
    p: Parameters,
    X_rated: Any,
    y: Any,
    x_wanted: Any,
    *,
    feature: int,
    rated_ids: Any,
    item_id: Any,
    user_id: Any = None,
    ratings: Any = None,
    titles: Any = None,
    title: str | None = None,
    sample_weight: Any = None,
    l2: Any = None,
    loss: Loss = "squared",
    method: Method = "ridge",
    prior_mean: Any = None,
    X_background: Any = None,
    background_weight: Any = 1.0,
    background_target: float = 0.0,
    noun: str = "item",
    backend: str | None = None,
    parts: ScoreParts | None = None,
    unit: str | None = None,
    stand_in: str | None = None,
) -> Explanation:
    """Explain one score of one user.

    The impact of rated item k on the score of the wanted item i, in units of the score, is

    ``impact_ik = J_ik (S_k h_k'p + r_k)``

    with ``J`` as in `influence`, ``p`` the re-solved vector, ``r_k`` the slope of the loss (target - prediction) and
    ``S_k`` its curvature there. Impacts and what does not depend on the vector sum to the re-solved score.

    Parameters
    ----------
    p, feature, sample_weight, l2, loss, method, prior_mean
        As in `influence`.
    X_rated : csr_matrix of shape (n_rated, n_features)
        The user's rows that the model was trained on.
    y : array-like of shape (n_rated,)
        Their targets.
    x_wanted : csr_matrix of shape (1, n_features)
        The row whose score is to be explained.
    item_id : object
        The item of that row.
    user_id, title, noun, backend, parts, unit, stand_in
        As in `Explanation`; `parts` of `x_wanted`, by `decompose`.
    rated_ids : array-like of shape (n_rated,)
        The item of each rated row. Rows of `item_id` itself are left out; repeated rows of one item sum to
        one line.
    ratings, titles : array-like of shape (n_rated,), optional
        Of each rated row; an item rated repeatedly shows its mean rating.
    X_background : csr_matrix of shape (m, n_features), optional
        Rows of the user with every item not rated: for a model trained with ``negatives``, or that learns lists.
    background_weight : float or array-like of shape (m,)
        ``negatives * (summed weight of the user's positives) / m``.
    background_target : float

    Returns
    -------
    Explanation

    Raises
    ------
    DataError
        If nothing but the item itself is rated, and wherever `influence` raises.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from scipy.sparse import csr_matrix
    >>> factors = np.array([[0.2, 0], [1, 0], [0, 1], [0.9, 0.1]])
    >>> p = SimpleNamespace(bias=3.5, linear=np.zeros(4), factors=factors)
    >>> X = csr_matrix([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]])
    >>> why = explain_item(p, X[:2], [4, 3], X[2:], feature=0, rated_ids=["Heat", "Big"], item_id="Ronin", l2=1.0)
    >>> why.rest, why.impact, why.resolved_score
    (3.5, array([ 0.225, -0.025]), 3.7)
    """
    if method not in ("ridge", "paper"):
        raise DataError(f"method must be 'ridge' or 'paper', got {method!r}")
    if method == "paper" and X_background is not None:
        raise DataError("X_background is only for method='ridge': the published formula knows ratings alone")
    n_features = p.factors.shape[0]
    X_rated = as_rows(X_rated, n_features, "X_rated")
    x_wanted = as_rows(x_wanted, n_features, "x_wanted")
    if x_wanted.shape[0] != 1:
        raise DataError(f"x_wanted must be one row, got {x_wanted.shape[0]}")
    who = "the user" if user_id is None else f"user {_shown(user_id)}"
    problem = UserProblem.check(
        p,
        y,
        n_rows=X_rated.shape[0],
        feature=feature,
        sample_weight=sample_weight,
        l2=l2,
        loss=loss,
        prior_mean=prior_mean,
        needs_penalty=method == "ridge",
        who=who,
    )
    ids = _per_row(rated_ids, "rated_ids", problem)
    shown_ratings = None if ratings is None else _per_row(ratings, "ratings", problem)
    shown_titles = None if titles is None else _per_row(np.asarray(titles, dtype=object), "titles", problem)
    other = ids != item_id
    left_out = not other.all()
    kept = np.flatnonzero(other & (problem.weight > 0))
    if not len(kept):
        raise DataError(f"{who} has rated nothing but {noun} {_shown(item_id)} itself: nothing else explains its score")
    if len(kept) < len(ids):
        X_rated, ids, problem = X_rated[kept], ids[kept], problem.rows(kept)
    _, first, line, count = np.unique(ids, return_index=True, return_inverse=True, return_counts=True)

    def summed(values: Array) -> Array:
        return np.bincount(line, weights=values, minlength=len(first)).astype(np.float64, copy=False)

    n = len(kept)
    result: dict[str, Any]
    if method == "paper":
        rated, wanted, _ = rows_with_background(p, problem, X_rated, x_wanted, None, 0.0)
        paper = paper_influence(rated, wanted, problem.weight)
        J = paper.influence[0]
        impact = J * problem.target
        result = {
            "rest": 0.0,
            "resolved_score": float(impact.sum()),
            "rank": paper.rank,
            "condition": paper.condition,
        }
    else:
        rated, wanted, problem = rows_with_background(
            p, problem, X_rated, x_wanted, X_background, background_weight, background_target
        )
        solution = resolve(problem, rated)
        gain = solution.gain(wanted.slope)[0]
        pull = rated.slope @ solution.coefficients
        share = gain * problem.weight
        J = share * solution.target_slope
        impact = share * (solution.curvature * pull + solution.residual)
        result = {
            "rest": float(wanted.rest[0]),
            "resolved_score": float(wanted.rest[0] + wanted.slope[0] @ solution.coefficients),
            "background": None if X_background is None else float(impact[n:].sum()),
        }
        if problem.prior_mean is not None:
            mean = problem.prior_mean
            spread = problem.weight * solution.curvature * (rated.slope @ mean)
            result["prior"] = float(wanted.slope[0] @ mean - gain @ spread)
    if shown_ratings is not None:
        shown_ratings = shown_ratings[kept]
        # The mean, where an item was rated repeatedly; otherwise the ratings in their own type.
        repeated = len(first) < n
        shown_ratings = summed(shown_ratings.astype(np.float64)) / count if repeated else shown_ratings[first]
    return Explanation(
        user_id=user_id,
        item_id=item_id,
        item_ids=ids[first],
        influence=summed(J[:n]),
        impact=summed(impact[:n]),
        score=float(wanted.rest[0] + wanted.slope[0] @ problem.start) if parts is None else parts.score,
        ratings=shown_ratings,
        titles=None if shown_titles is None else shown_titles[kept][first],
        title=title,
        method=method,
        loss=loss,
        left_out=left_out,
        noun=noun,
        backend=backend,
        parts=parts,
        unit=unit,
        stand_in=stand_in,
        **result,
    )


def _per_row(values: Any, name: str, problem: UserProblem) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.shape != problem.target.shape:
        raise DataError(f"{name} must have shape {problem.target.shape}, one entry per rated row, got {array.shape}")
    return array


def _shown(given: Any) -> str:
    """Write an id as the user would; numpy's scalars name their type."""
    return repr(given.item() if isinstance(given, np.generic) else given)
