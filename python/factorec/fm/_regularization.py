"""L2 per feature: what a row is charged, and what training charges in total."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from ._rows import RowArrays
from ._tuned import NO_FIELD, Tuned, by_field
from .penalties import Penalties
from .training_set import TrainingSet

__all__ = ["Regularization", "combined", "entity_features", "total_weights"]


def total_weights(
    rows: RowArrays,
    weight: npt.NDArray[np.float32] | None,
    target: npt.NDArray[np.float64],
    data: TrainingSet | None,
) -> npt.NDArray[np.float64]:
    """Sum of row weights of each feature over an epoch, expected negatives included, (n_features,)."""
    totals = _core.feature_weights(rows.blocks, rows.n_rows, rows.n_features, weight, rows.n_threads)
    if data is None or data.negatives is None:
        return totals
    positive = np.flatnonzero(target == 1)
    row_weight = np.ones(len(positive)) if weight is None else weight[positive].astype(np.float64)
    m = float(data.negatives.n_per_positive)
    of_user, of_item = data.negatives.expected(data.blocks[0].index[positive], row_weight)
    # A user with unseen items gets m negatives a positive: those rows hold the user's and the context's features.
    has_unseen = np.diff(data.negatives.seen.indptr) < data.negatives.seen.shape[1]
    row_negatives = m * row_weight * has_unseen[data.blocks[0].index[positive]]
    totals = totals + entity_features(data.blocks[0].rows, of_user) + entity_features(data.blocks[-1].rows, of_item)
    for block in data.blocks[1:-1]:
        of_entity = np.bincount(block.index[positive], row_negatives, block.rows.shape[0])
        totals += entity_features(block.rows, of_entity)
    return totals


def entity_features(rows: Any, of_entity: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Sum over the entities in which each feature is stored, as the core counts: a stored 0 is charged too."""
    return np.bincount(rows.indices, np.repeat(of_entity, np.diff(rows.indptr)), rows.shape[1]).astype(np.float64)


class Regularization:
    """The parameters ``l2_linear``, ``l2_factors`` and ``l2_count_power``, resolved to one value a feature."""

    def __init__(
        self,
        l2_linear: float | Mapping[str, float] | None,
        l2_factors: float | Mapping[str, float] | None,
        count_power: float,
        rows: RowArrays,
        totals: npt.NDArray[np.float64],
        tuned: Mapping[str, Tuned],
    ) -> None:
        self.totals = totals
        linear = by_field("l2_linear", l2_linear, {name: of.l2_linear for name, of in tuned.items()})
        factors = by_field("l2_factors", l2_factors, {name: of.l2_factors for name, of in tuned.items()})
        spans = self.spans = rows.field_ranges or {NO_FIELD: (0, rows.n_features)}
        self.fields = {name: (linear[name], factors[name]) for name in spans}
        self.linear = np.full(rows.n_features, linear[NO_FIELD], np.float32)
        self.factors = np.full(rows.n_features, factors[NO_FIELD], np.float32)
        for name, (start, stop) in spans.items():
            scale = _count_scale(totals[start:stop], count_power)
            self.linear[start:stop] = self.fields[name][0] * scale
            self.factors[start:stop] = self.fields[name][1] * scale

    def penalties(self, target_scale: float = 1.0) -> Penalties:
        """What the objective charged, in the units of the returned parameters.

        With the target divided by sigma, w is sigma times and V sqrt(sigma) times what was trained, so the
        squared error in the target's units has sigma**2 lambda (w/sigma)**2 and sigma**2 lambda |V|**2/sigma.
        """
        return Penalties(
            self.totals * self.linear,
            self.totals * self.factors * target_scale,
            {name: (linear, factors * target_scale) for name, (linear, factors) in self.fields.items()},
        )

    def penalties_of_steps(self, steps: npt.NDArray[np.float64], target_scale: float = 1.0) -> Penalties:
        """What decay charges: once a step of a feature, in rows' worth, whatever rows the step was for.

        What a row is charged follows from that: the mean over the features of a field.
        """
        shares = steps / np.where(self.totals > 0, self.totals, np.inf)
        per_row = {}
        for name, (linear, factors) in self.fields.items():
            start, stop = self.spans[name]
            occurring = shares[start:stop][self.totals[start:stop] > 0]
            share = float(occurring.mean()) if len(occurring) else 1.0
            per_row[name] = (linear * share, factors * share * target_scale)
        return Penalties(steps * self.linear, steps * self.factors * target_scale, per_row)


def combined(before: Penalties, now: Penalties, shares: tuple[float, float]) -> Penalties:
    """The weighted sum of what two runs charged; a row is charged as in the later one."""
    return Penalties(
        shares[0] * before.linear + shares[1] * now.linear,
        shares[0] * before.factors + shares[1] * now.factors,
        now.per_row,
    )


def _count_scale(totals: npt.NDArray[np.float64], power: float) -> npt.NDArray[np.float64]:
    """(n_f / mean n of the field)^-power, 1 for features that do not occur."""
    scale = np.ones_like(totals)
    occurring = totals > 0
    if power and occurring.any():
        scale[occurring] = (totals[occurring] / totals[occurring].mean()) ** -power
    return scale
