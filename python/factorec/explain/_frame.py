"""Contributions as the kind of table that the user has."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import narwhals as nw
import numpy.typing as npt

from ..errors import DataError

__all__ = ["make_frame"]

_BACKENDS = ("pandas", "polars", "pyarrow")


def make_frame(columns: Mapping[str, npt.NDArray[Any]], backend: str | None) -> Any:
    """Build a native table of `backend`, or of the first backend installed."""
    if backend is None:
        backend = next((name for name in _BACKENDS if find_spec(name)), None)
    if backend not in _BACKENDS:
        raise DataError(f"backend must be one of {', '.join(_BACKENDS)} (and installed), got {backend!r}")
    # Object arrays become lists, so that each backend finds the type by itself.
    data = {name: values.tolist() if values.dtype.kind in "OUS" else values for name, values in columns.items()}
    kind: Any = backend
    return nw.from_dict(data, backend=kind).to_native()
