"""What is searched: distributions of settings, and what a draw from them means for an estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..encoding import Encoder
from ..errors import DataError
from ..fm import FMOrdinal
from ..recommender.estimators import learns, unfitted
from ._optuna import optuna

__all__ = ["check_space", "declare_fields", "defaults", "estimator_params", "search_space"]

SIDE = "side"
BY_FIELD = ("learning_rate", "l2_linear", "l2_factors")
BLOCKS = ("bias", "linear", "factors")

# (lowest, highest) of learning rate, L2 of linear weights, L2 of factors, each on a log scale.
_BOUNDS = {
    "ratings": ((0.01, 0.2), (0.001, 0.3), (0.01, 0.5)),
    "likes": ((0.02, 0.3), (0.0003, 0.1), (0.005, 0.3)),
    "likes, negatives": ((0.02, 0.3), (0.00005, 0.02), (0.001, 0.1)),
    "levels": ((0.01, 0.3), (0.001, 0.1), (0.01, 0.3)),
    "lists": ((0.01, 0.5), (0.00001, 1.0), (0.0005, 1.0)),
}
_SIDE_RATE = (0.002, 0.2)  # many rows share a feature that is no id: its rate is lower
_ADAM_RATE = (0.0005, 0.05)  # of every feature
# Solvers without a rate, by what they search of L2; sizes of their machines, whose cost grows with the square.
_SOLVED = {"als": ("l2_linear", "l2_factors"), "ials": ("l2_factors",), "gibbs": ()}
_UNOBSERVED = (0.01, 2.0)
_SIZES = {"als": (8, 16, 31), "ials": (32, 64, 128), "gibbs": (7, 15, 31)}


def search_space(rec: Any, *, side: bool | None = None) -> dict[str, Any]:
    """Return the distributions that `tune` draws from where none are given.

    The number of epochs is not among them: early stopping finds it in every trial.

    Parameters
    ----------
    rec : Recommender
        Its estimator and `negatives` decide the bounds.
    side : bool, optional
        Whether fields that are no ids get a learning rate and L2 of their own (``"l2_factors/side"``, ...); None:
        if `rec` has `fields`.

    Returns
    -------
    dict of str to optuna.distributions.BaseDistribution
        By parameter of the estimator. ``"parameter/field"`` is the value of one field and ``"parameter/side"`` that
        of all fields that are no ids, of ``learning_rate``, ``l2_linear`` and ``l2_factors``.

    Raises
    ------
    ImportError
        If Optuna is not installed.

    Examples
    --------
    >>> import factorec as fr
    >>> list(search_space(fr.Recommender(fr.FMRegressor())))
    ['learning_rate', 'l2_linear', 'l2_factors', 'l2_count_power', 'init_scale', 'n_factors']
    """
    distributions = optuna().distributions

    def between(bounds: tuple[float, float]) -> Any:
        return distributions.FloatDistribution(*bounds, log=True)

    estimator = unfitted(rec)
    solver = estimator.solver
    with_side = rec.fields is not None if side is None else side
    (rates, *l2), side_rate = _BOUNDS[_kind(rec)], _SIDE_RATE
    if solver == "adam":  # decay is the L2 of a row shared by a batch
        share = 1 / estimator._batch_rows()
        rates = side_rate = _ADAM_RATE
        l2 = [(low * share, high * share) for low, high in l2]
    names = _SOLVED.get(solver, BY_FIELD)
    space = {name: between(of) for name, of in zip(BY_FIELD, (rates, *l2), strict=True) if name in names}
    if with_side:
        space |= {f"{name}/{SIDE}": distribution for name, distribution in space.items()}
        if "learning_rate" in space:
            space[f"learning_rate/{SIDE}"] = between(side_rate)
    if solver == "ials" and estimator.unobserved_weight is not None:  # None: a rule that follows the table
        space["unobserved_weight"] = between(_UNOBSERVED)
    if solver == "gibbs":
        space["row_noise"] = distributions.CategoricalDistribution((True, False))
    else:
        space["l2_count_power"] = distributions.CategoricalDistribution((0.0, 0.25, 0.5))
    if solver not in _SOLVED:
        space["init_scale"] = between((0.005, 0.1))
    choice = sorted({*_SIZES.get(solver, (16, 32, 64, 128)), estimator.n_factors})
    space["n_factors"] = distributions.CategoricalDistribution(tuple(choice))
    return space


def _kind(rec: Any) -> str:
    estimator = unfitted(rec)
    what: str = learns(estimator)
    if what == "likes" and rec.negatives:
        return "likes, negatives"
    return "levels" if isinstance(estimator, FMOrdinal) else what


def check_space(space: Mapping[str, Any], estimator: Any, side: Sequence[str]) -> None:
    """Refuse keys that name no parameter or no field, and values that are no distributions."""
    base = optuna().distributions.BaseDistribution
    known = estimator.get_params(deep=False)
    for key, distribution in space.items():
        name, slash, field = str(key).partition("/")
        if name not in known or name in ("n_epochs", "early_stopping", "random_state", "warm_start"):
            raise DataError(f"space: {key!r} is no parameter of {type(estimator).__name__} that can be searched")
        if slash and (name not in BY_FIELD or field not in (SIDE, *side)):
            fields = ", ".join(side) or "none"
            raise DataError(
                f"space: {key!r}: only {', '.join(BY_FIELD)} can be set by field; fields that are no ids: {fields}"
            )
        if not isinstance(distribution, base):
            raise DataError(f"space[{key!r}] must be an Optuna distribution, got {distribution!r}")


def declare_fields(rec: Any, table: Any, **catalogues: Any) -> tuple[str, ...]:
    """The names of a recommender's fields that are no ids; fields left to be chosen are chosen, once for all trials."""
    if rec.fields is None:
        return ()
    encoder = Encoder(rec.user, rec.item, fields=rec.fields).fit(table, **catalogues)
    rec.set_params(fields=encoder.declared_fields_)
    return tuple(name for name in encoder.field_ranges_ if name not in (str(rec.user), str(rec.item)))


def estimator_params(chosen: Mapping[str, Any], rec: Any, side: Sequence[str]) -> dict[str, Any]:
    """Parameters of the estimator from a draw: those by field become dicts."""
    params = {key: value for key, value in chosen.items() if "/" not in key}
    ids = (str(rec.user), str(rec.item))
    by_field: dict[str, dict[str, float]] = {}
    # All side fields first, so that a field's own value stands above theirs.
    for key in sorted((key for key in chosen if "/" in key), key=lambda key: not key.endswith(f"/{SIDE}")):
        name, _, field = key.partition("/")
        values = by_field.setdefault(name, {})
        values |= dict.fromkeys(side if field == SIDE else (field,), chosen[key])
    for name, values in by_field.items():
        if name in params:
            others = BLOCKS if name == "learning_rate" else (*ids, *side)
            values = dict.fromkeys(others, params[name]) | values
        params[name] = values
    return params


def defaults(space: Mapping[str, Any], rec: Any) -> dict[str, Any]:
    """The recommender's own settings as a draw, as far as the space holds them: what is tried first."""
    estimator = unfitted(rec)
    ids, others = _tuned(estimator, negatives=bool(rec.negatives))
    first = {}
    for key, distribution in space.items():
        name, slash, _ = key.partition("/")
        value = getattr(estimator, name)
        if name == "l2_count_power":
            value = estimator._count_power()
        elif value is None and name in BY_FIELD:
            value = getattr(others if slash else ids, name)
        if _contains(distribution, value):
            first[key] = value
    return first


def _tuned(estimator: Any, *, negatives: bool) -> tuple[Any, Any]:
    """What stands for None, of ids and of other fields."""
    ids, others = estimator._tuned_by_side(negatives=negatives)
    return ids, others


def _contains(distribution: Any, value: Any) -> bool:
    if hasattr(distribution, "choices"):
        return value in distribution.choices
    return isinstance(value, int | float) and bool(distribution.low <= value <= distribution.high)
