"""What arrays a file may hold, and the check that it holds exactly these."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError

__all__ = ["DTYPES", "Schema", "TensorSpec", "check_tensors"]

# The types of a model file by their safetensors code; little-endian whatever the machine is.
DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("u1"),
}


@dataclass(frozen=True)
class TensorSpec:
    """What one array must be.

    Parameters
    ----------
    dtype : str or tuple of str
        Its dtype, or the ones that it may have.
    shape : tuple of int or str
        Its shape. A name stands for a size that is the same wherever the name occurs in the schema; ``"n+1"``
        for one more than ``"n"``.
    finite : bool
        Whether NaN and infinity are refused. This reads the array.
    optional : bool
        Whether it may be missing.

    Examples
    --------
    >>> TensorSpec("float32", ("n_features", "n_factors"))
    TensorSpec(dtype='float32', shape=('n_features', 'n_factors'), finite=True, optional=False)
    """

    dtype: str | tuple[str, ...]
    shape: tuple[int | str, ...]
    finite: bool = True
    optional: bool = False


Schema = Mapping[str, TensorSpec]


def check_tensors(tensors: Mapping[str, npt.NDArray[Any]], schema: Schema) -> None:
    """Check that `tensors` are what `schema` says, and nothing else.

    Parameters
    ----------
    tensors : dict of str to ndarray
    schema : dict of str to TensorSpec

    Raises
    ------
    FormatError
        Naming the first array that is unknown, missing, of another dtype or shape, or not finite.

    Examples
    --------
    >>> schema = {"linear": TensorSpec("float32", ("n",)), "factors": TensorSpec("float32", ("n", "k"))}
    >>> check_tensors({"linear": np.zeros(3, "f4"), "factors": np.zeros((2, 5), "f4")}, schema)
    Traceback (most recent call last):
    factorec.errors.FormatError: array 'factors' has the shape (2, 5), expected (n, k) with n = 3
    """
    for name in tensors:
        if name not in schema:
            raise FormatError(f"unknown array {name[:80]!r}")
    sizes: dict[str, int] = {}
    for name, spec in schema.items():
        if name not in tensors:
            if spec.optional:
                continue
            raise FormatError(f"array {name!r} is missing")
        _check_one(name, tensors[name], spec, sizes)


def _check_one(name: str, array: npt.NDArray[Any], spec: TensorSpec, sizes: dict[str, int]) -> None:
    allowed = (spec.dtype,) if isinstance(spec.dtype, str) else spec.dtype
    if array.dtype.name not in allowed:
        raise FormatError(f"array {name!r} has the dtype {array.dtype.name}, expected {' or '.join(allowed)}")
    known = dict(sizes)
    if array.ndim != len(spec.shape) or not all(map(_fits, array.shape, spec.shape, [sizes] * array.ndim)):
        expected = ", ".join(map(str, spec.shape)) + ("," if len(spec.shape) == 1 else "")
        where = ", ".join(f"{s} = {known[s]}" for s in dict.fromkeys(map(_symbol, spec.shape)) if s in known)
        raise FormatError(
            f"array {name!r} has the shape {array.shape}, expected ({expected})" + (f" with {where}" if where else "")
        )
    if spec.finite and array.dtype.kind == "f":
        _check_finite(name, array)


def _symbol(pattern: int | str) -> str:
    return str(pattern).removesuffix("+1")


def _fits(size: int, pattern: int | str, sizes: dict[str, int]) -> bool:
    if isinstance(pattern, int):
        return size == pattern
    if not re.fullmatch(r"[a-z_]\w*(\+1)?", pattern):
        raise ValueError(f"{pattern!r} is not a name or a name + 1")
    size -= pattern.endswith("+1")
    return size >= 0 and sizes.setdefault(_symbol(pattern), size) == size


def _check_finite(name: str, array: npt.NDArray[Any]) -> None:
    flat = array.reshape(-1)
    for start in range(0, flat.size, 1 << 20):  # in parts: no mask as large as the array
        bad = ~np.isfinite(flat[start : start + (1 << 20)])
        if bad.any():
            position = np.unravel_index(start + int(bad.argmax()), array.shape)
            where = ", ".join(str(int(p)) for p in position)
            raise FormatError(f"array {name!r} is not finite at [{where}]")
