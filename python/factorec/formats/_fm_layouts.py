"""The two layouts that the arrays of a factorization machine come in.

======================  ============================================  ==========================
trained on              names                                         shapes
======================  ============================================  ==========================
sparse records          v, w1_weight, w0_weight                       (N, k), (N, 1), one entry
dense records           v, Linear_Plus_Bias_weight and _bias          (k, N), (1, N), (1,)
======================  ============================================  ==========================
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ._limits import check_size
from .mxnet_params import MXNetArray
from .mxnet_symbol import OUTPUTS

__all__ = ["SPARSE", "Model", "normalise"]

SPARSE = {"linear": "w1_weight", "bias": "w0_weight"}
_DENSE = {"linear": "Linear_Plus_Bias_weight", "bias": "Linear_Plus_Bias_bias"}


class Model(NamedTuple):
    """The parameters, and what they predict if ``meta.json`` says so."""

    bias: float
    linear: npt.NDArray[np.float32]
    factors: npt.NDArray[np.float32]
    predictor_type: str | None


def normalise(arrays: Mapping[str, MXNetArray], meta: dict[str, Any], name: str, limit: int) -> Model:
    """Bring the arrays of either layout into one.

    Parameters
    ----------
    arrays : dict of str to array
        Of `read_params`.
    meta : dict
        ``meta.json``: sizes that it states must be those of the arrays.
    name : str
        For errors.
    limit : int
        The most bytes that a sparse array may fill.

    Raises
    ------
    FormatError
        If the arrays are no model, or `meta` contradicts them.
    """
    found = {key.removeprefix("arg:"): array for key, array in arrays.items() if array is not None}
    if "v" not in found:
        raise FormatError(f"{name}: no array 'arg:v', found {sorted(found)[:20]}: not a factorization machine")
    stated = _Stated.in_meta(meta, name)
    factors = _dense(found["v"], "v", name, limit)
    if factors.ndim != 2 or factors.size == 0:
        raise FormatError(f"{name}: 'v' has shape {factors.shape}, expected two dimensions")
    is_sparse, is_dense = (any(key in found for key in names.values()) for names in (SPARSE, _DENSE))
    if is_sparse and is_dense:
        raise FormatError(f"{name}: holds arrays of both layouts, {sorted(found)[:20]}")
    # The names decide. Only if neither is there, without bias and linear weights, the shape must.
    if is_dense or (not is_sparse and stated.is_transposed(factors.shape)):
        factors = np.ascontiguousarray(factors.T)
    for key, expected, actual in zip(
        ("feature_dim", "num_factors"), (stated.n_features, stated.n_factors), factors.shape, strict=True
    ):
        if expected not in (None, actual):
            raise FormatError(f"{name}: 'v' is for {key} {actual}, meta.json says {expected}")
    names = _DENSE if is_dense else SPARSE
    linear, bias = np.zeros(len(factors), np.float32), np.zeros(1, np.float32)
    if names["linear"] in found:
        linear = _dense(found[names["linear"]], names["linear"], name, limit).reshape(-1)
    if len(linear) != len(factors):
        raise FormatError(f"{name}: {names['linear']!r} is for {len(linear)} features, 'v' for {len(factors)}")
    if names["bias"] in found:
        bias = _dense(found[names["bias"]], names["bias"], name, limit).reshape(-1)
    if len(bias) != 1:
        raise FormatError(f"{name}: {names['bias']!r} has {len(bias)} entries, expected one")
    return Model(float(bias[0]), linear, factors, stated.predictor_type)


@dataclass(frozen=True)
class _Stated:
    """What ``meta.json`` says of the model; None where it says nothing."""

    n_features: int | None
    n_factors: int | None
    predictor_type: str | None

    @classmethod
    def in_meta(cls, meta: dict[str, Any], name: str) -> _Stated:
        given = meta.get("training_parameters", {})
        if not isinstance(given, dict):
            raise FormatError(f"{name}: meta.json: training_parameters must be an object")
        sizes: list[int | None] = []
        for key in ("feature_dim", "num_factors"):
            value = given.get(key)  # a number, or a string as hyperparameters travel
            if value is not None and (isinstance(value, bool) or not re.fullmatch(r"[1-9][0-9]{0,17}", str(value))):
                raise FormatError(f"{name}: meta.json has the {key} {str(value)!r:.80}, expected an integer")
            sizes.append(None if value is None else int(value))
        kind = given.get("predictor_type")
        if kind is not None and (not isinstance(kind, str) or kind not in OUTPUTS):
            known = " or ".join(OUTPUTS)
            raise FormatError(f"{name}: meta.json has the predictor_type {str(kind)!r:.80}, expected {known}")
        return cls(sizes[0], sizes[1], kind)

    def is_transposed(self, shape: tuple[int, ...]) -> bool:
        return self.n_features not in (None, shape[0]) and self.n_features == shape[1]


def _dense(array: MXNetArray, key: str, name: str, limit: int) -> npt.NDArray[np.float32]:
    if not isinstance(array, np.ndarray):
        assert array is not None
        n_entries = math.prod(map(int, array.shape))
        check_size(n_entries * array.dtype.itemsize, limit, f"{name}: {key!r} of shape {array.shape}")
        array = array.toarray()
    if array.dtype.kind not in "fiu":
        raise FormatError(f"{name}: {key!r} has the dtype {array.dtype}, expected numbers")
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(values).all():
        raise FormatError(f"{name}: {key!r} holds values that are not finite")
    return values
