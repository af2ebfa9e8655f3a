"""The compiled core: functions over numpy arrays. Not a public interface."""

from typing import Any

import numpy as np
import numpy.typing as npt

_Csr = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.float32] | None, int]

PANEL_ITEMS: int

def simd_level() -> str: ...
def available_simd_levels() -> list[str]: ...
def pin_simd_level(level: str) -> None: ...
def has_openmp() -> bool: ...
def forked() -> bool: ...
def check_csr(matrix: tuple[Any, ...]) -> tuple[bool, bool]: ...
def classification_metrics(
    scores: npt.NDArray[np.float32],
    target: npt.NDArray[np.float32],
    weight: npt.NDArray[np.float32] | None,
    n_threads: int,
) -> tuple[float, float, float, float]: ...
def regression_metrics(
    predictions: npt.NDArray[np.float32],
    target: npt.NDArray[np.float32],
    weight: npt.NDArray[np.float32] | None,
    n_threads: int,
) -> tuple[float, float]: ...
def pack_items(
    vectors: npt.NDArray[np.float32],
    offsets: npt.NDArray[np.float32] | None,
    normalise: bool,
    panels: npt.NDArray[np.float32],
    padded_offsets: npt.NDArray[np.float32],
    n_threads: int,
) -> None: ...
def search_items(
    panels: npt.NDArray[np.float32],
    offsets: npt.NDArray[np.float32],
    n_items: int,
    queries: npt.NDArray[np.float32],
    normalise: bool,
    exclude: tuple[Any, ...] | None,
    allowed: npt.NDArray[np.uint32] | None,
    ids: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    counts: npt.NDArray[np.int64],
    n_threads: int,
) -> None: ...
