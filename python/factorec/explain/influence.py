"""How each rating of a user moves the user's other scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from scipy import sparse

from .._losses import Loss
from .._threads import one_blas_thread
from ..errors import DataError
from ._resolve import Method, UserProblem, paper_influence, resolve
from ._rows import Array, Parameters, as_rows, own_vector_rows

__all__ = ["influence"]

_CHUNK_ROWS = 32_768  # rows of many users taken apart at once: bounds memory, spreads the cost of each numpy call


@overload
def influence(
    p: Parameters,
    X_rated: Sequence[Any],
    y: Sequence[Any],
    X_wanted: Sequence[Any],
    *,
    feature: Sequence[int],
    sample_weight: Sequence[Any] | None = None,
    l2: Any = None,
    loss: Loss = "squared",
    method: Method = "ridge",
    prior_mean: Any = None,
) -> list[Array]: ...


@overload
def influence(
    p: Parameters,
    X_rated: Any,
    y: Any,
    X_wanted: Any,
    *,
    feature: int,
    sample_weight: Any = None,
    l2: Any = None,
    loss: Loss = "squared",
    method: Method = "ridge",
    prior_mean: Any = None,
) -> Array: ...


@one_blas_thread()
def influence(
    p: Parameters,
    X_rated: Any,
    y: Any,
    X_wanted: Any,
    *,
    feature: Any,
    sample_weight: Any = None,
    l2: Any = None,
    loss: Loss = "squared",
    method: Method = "ridge",
    prior_mean: Any = None,
) -> Array | list[Array]:
    r"""Influence of each of a user's ratings on other scores of the same user.

    With everything but the user's own vector held fixed, that vector is what the user's ratings make it. The
    influence ``J[i, k]`` says how the score of wanted row i moves when the target of rated row k moves:

    .. math:: J_{ik} = \partial \hat y_i / \partial y_k = \omega_k \, t_k \, h_i' H^{-1} h_k, \qquad
              H = \sum_k \omega_k S_k h_k h_k' + \mathrm{diag}(\lambda_u)

    where ``h_k`` is the slope of score k in the user's vector (for ids alone: the item's vector), ``S_k`` the
    curvature of the loss at the re-solved vector (1, or probability times its complement), ``omega_k`` the
    row's weight, ``lambda_u`` the penalty on the user's vector and ``t_k`` how much the slope of the loss changes
    with the target: 1 for the squared and the logistic loss; for ordered levels the mean change to the two levels
    beside the given one, per unit of the target.

    Parameters
    ----------
    p : FMParameters
        Or anything with ``bias`` (float), ``linear`` (n_features,), ``factors`` (n_features, n_factors) and,
        unless `l2` is given, ``penalties.factors`` (n_features,) or (n_features, n_factors).
    X_rated : csr_matrix of shape (n_rated, n_features)
        The user's rows, every one that the model was trained on: likes and dislikes. Taken as they are: to
        leave an item out of its own explanation, leave its row out.
    y : array-like of shape (n_rated,)
        Their targets; 0 and 1 for "logistic" and "probit", the levels for `OrderedLevels`.
    X_wanted : csr_matrix of shape (n_wanted, n_features)
        Rows of the same user whose scores are in question.
    feature : int
        The column of the user's own id. Every row must hold it.
    sample_weight : array-like of shape (n_rated,), optional
        Row weights as in training; 1 by default.
    l2 : float or array-like of shape (n_factors,), optional
        The total penalty ``lambda_u`` on the user's vector. By default the one that training charged, from
        ``p.penalties``. For parameters from elsewhere: the L2 per row times the summed weight of the user's
        rows. For many users a list has one entry per user.
    loss : {"squared", "logistic", "probit"} or OrderedLevels
        The loss that the model was trained with.
    method : {"ridge", "paper"}
        "ridge" is the formula above. "paper" is the published one, for a squared loss without penalty:
        ``J = A A_R^+`` with ``A = [V, w]`` (by SVD; least norm where the user rated fewer items than there
        are columns). V holds the slopes ``h``, w the rest of each score but the bias and the user's own weight.
    prior_mean : array-like of shape (n_factors,), optional
        What the penalty draws the user's vector to; 0 by default.

    Returns
    -------
    ndarray of shape (n_wanted, n_rated), float64
        In rating units per rating point, or log-odds (probits) per unit of the target. Lists for `X_rated`,
        `y`, `X_wanted`, `feature` (and `sample_weight`), one entry per user, give a list.

    Raises
    ------
    DataError
        If a user has no ratings, a row lacks the user's feature, or no penalty is known.

    References
    ----------
    Rastegarpanah, Crovella, Gummadi. Exploring explanations for matrix factorization recommender systems.
    FATREC 2017.

    Examples
    --------
    A user (column 0) who rated the first two of three items (columns 1 to 3); the third is like the first:

    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from scipy.sparse import csr_matrix
    >>> factors = np.array([[0.5, 0], [1, 0], [0, 1], [0.9, 0.1]])
    >>> p = SimpleNamespace(bias=3.5, linear=np.zeros(4), factors=factors)
    >>> X = csr_matrix([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]])
    >>> influence(p, X[:2], [4, 3], X[2:], feature=0, l2=1.0)
    array([[0.45, 0.05]])
    """
    if method not in ("ridge", "paper"):
        raise DataError(f"method must be 'ridge' or 'paper', got {method!r}")
    options: dict[str, Any] = {"loss": loss, "needs_penalty": method == "ridge"}
    if isinstance(X_rated, (list, tuple)) and (not X_rated or not np.isscalar(X_rated[0])):
        users = _many(X_rated, y, X_wanted, feature, sample_weight, l2, prior_mean)
        return list(_influences(p, users, method, options, many=True))
    one = [(X_rated, y, X_wanted, feature, sample_weight, l2, prior_mean)]
    return next(_influences(p, one, method, options, many=False))


_User = tuple[Any, Any, Any, Any, Any, Any, Any]


def _many(*arguments: Any) -> list[_User]:
    """Zip per-user lists; what is not a list (`l2`, `prior_mean`, an absent weight) is shared."""
    names = ("X_rated", "y", "X_wanted", "feature", "sample_weight", "l2", "prior_mean")
    n = len(arguments[0])
    columns = []
    for name, argument in zip(names, arguments, strict=True):
        per_user = isinstance(argument, (list, tuple)) or (name == "feature" and np.ndim(argument) == 1)
        if not per_user and name in ("y", "X_wanted", "feature"):
            raise DataError(f"X_rated is a list, one entry per user, so {name} must be one too")
        if per_user and len(argument) != n:
            raise DataError(f"{name} has {len(argument)} entries for {n} users")
        columns.append(list(argument) if per_user else [argument] * n)
    return list(zip(*columns, strict=True))


def _influences(
    p: Parameters, users: Sequence[_User], method: Method, options: dict[str, Any], *, many: bool
) -> Iterator[Array]:
    n_features = p.factors.shape[0]
    blocks: list[sparse.csr_matrix] = []
    names: list[str] = []
    problems: list[UserProblem] = []
    n_rows = 0
    for position, (X_rated, y, X_wanted, feature, sample_weight, l2, prior_mean) in enumerate(users):
        who = f"user {position} of the list" if many else "the user"
        suffix = f"[{position}]" if many else ""
        names += [f"X_rated{suffix}", f"X_wanted{suffix}"]
        blocks += [as_rows(X_rated, n_features, names[-2]), as_rows(X_wanted, n_features, names[-1])]
        problems.append(
            UserProblem.check(
                p,
                y,
                n_rows=blocks[-2].shape[0],
                feature=feature,
                sample_weight=sample_weight,
                l2=l2,
                prior_mean=prior_mean,
                who=who,
                **options,
            )
        )
        n_rows += blocks[-2].shape[0] + blocks[-1].shape[0]
        if n_rows >= _CHUNK_ROWS or position == len(users) - 1:
            yield from _chunk(p, blocks, names, problems, method)
            blocks, names, problems, n_rows = [], [], [], 0


def _chunk(
    p: Parameters,
    blocks: list[sparse.csr_matrix],
    names: list[str],
    problems: list[UserProblem],
    method: Method,
) -> Iterator[Array]:
    rows = own_vector_rows(p, blocks, [problem.feature for problem in problems for _ in range(2)], names)
    stop = 0
    for problem, X_rated, X_wanted in zip(problems, blocks[::2], blocks[1::2], strict=True):
        start, middle = stop, stop + X_rated.shape[0]
        stop = middle + X_wanted.shape[0]
        rated, wanted = rows[start:middle], rows[middle:stop]
        if method == "paper":
            yield paper_influence(rated, wanted, problem.weight).influence
        else:
            solution = resolve(problem, rated)
            yield solution.gain(wanted.slope) * (problem.weight * solution.target_slope)
