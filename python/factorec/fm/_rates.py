"""Learning rates per feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._checks import check_real
from ._rows import RowArrays
from ._tuned import NO_FIELD, Tuned, by_field

__all__ = ["LearningRates"]

BLOCKS = ("bias", "linear", "factors")


class LearningRates:
    """The parameter ``learning_rate``, resolved to the bias's rate and one per feature for w and one for V.

    Attributes
    ----------
    bias : float
    linear, factors : ndarray of float32, shape (n_features,)
    """

    def __init__(self, value: Any, rows: RowArrays, tuned: Mapping[str, Tuned], ids: Tuned) -> None:
        given: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
        for key, one in given.items():
            check_real(f"learning_rate[{key!r}]", one, low=0)
        if value is not None and not isinstance(value, Mapping):
            check_real("learning_rate", value, low=0, above=True)
        defaults = {name: of.learning_rate for name, of in tuned.items()}
        fields = by_field("learning_rate", value, defaults, besides=BLOCKS)
        scalar = ids.learning_rate if value is None or isinstance(value, Mapping) else float(value)
        self.bias = float(given.get("bias", scalar))

        def of_block(block: str) -> Any:
            rates = np.empty(rows.n_features, np.float32)
            spans = {NO_FIELD: (0, rows.n_features), **rows.field_ranges}
            for name, (start, stop) in spans.items():
                rates[start:stop] = fields[name] if name in given else given.get(block, fields[name])
            return rates

        self.linear, self.factors = of_block("linear"), of_block("factors")
        shown = {block: given.get(block, scalar) for block in BLOCKS} | dict(given)
        self._shown = ", ".join(f"{name} {rate:g}" for name, rate in shown.items())

    def __str__(self) -> str:
        """The rates by name, as errors show them."""
        return self._shown
