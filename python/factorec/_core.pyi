"""The compiled core: functions over numpy arrays. Not a public interface."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_Csr = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.float32] | None, int]

PANEL_ITEMS: int
MAX_CODED_FACTORS: int

def simd_level() -> str: ...
def available_simd_levels() -> list[str]: ...
def pin_simd_level(level: str) -> None: ...
def has_openmp() -> bool: ...
def forked() -> bool: ...
def check_csr(matrix: tuple[Any, ...], n_threads: int = 1) -> tuple[bool, bool]: ...
def read_json_rows(
    text: bytes, begin: int, n_features: int, lines: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]: ...
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
    metric: str,
    exclude: tuple[Any, ...] | None,
    allowed: npt.NDArray[np.uint32] | None,
    ids: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    counts: npt.NDArray[np.int64],
    n_threads: int,
) -> None: ...
def can_code() -> bool: ...
def code_bytes(n_items: int, n_factors: int) -> int: ...
def pack_codes(
    vectors: npt.NDArray[np.float32],
    offsets: npt.NDArray[np.float32] | None,
    normalise: bool,
    items: tuple[npt.NDArray[Any] | None, ...],
    n_threads: int,
) -> bool: ...
def search_codes(
    items: tuple[npt.NDArray[Any] | None, ...],
    queries: npt.NDArray[np.float32],
    metric: str,
    exclude: tuple[Any, ...] | None,
    allowed: npt.NDArray[np.uint32] | None,
    ids: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    counts: npt.NDArray[np.int64],
    n_threads: int,
) -> None: ...
def recordio_encode(
    n_rows: int,
    features: npt.NDArray[Any] | tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], int] | None,
    labels: list[tuple[str, npt.NDArray[Any]]],
    begin: int,
    end: int,
    n_threads: int,
) -> bytes: ...
def recordio_starts(
    data: bytes, begin: int, max_records: int, is_last: bool, offset: int, record: int
) -> npt.NDArray[np.int64]: ...
def recordio_decode(
    data: bytes, begin: int, end: int, n_features: int, offset: int, record: int, n_threads: int
) -> tuple[int, list[tuple[bool, str, Any]]]: ...
def recordio_messages(data: bytes, begin: int, end: int, offset: int, record: int) -> list[tuple[Any, ...]]: ...
def scores(
    blocks: list[tuple[npt.NDArray[Any] | None, _Csr]],
    n_rows: int,
    bias: float,
    linear: npt.NDArray[np.float32],
    factors: npt.NDArray[np.float32],
    n_threads: int,
    single: bool = False,
    n_query_features: int | None = None,
) -> npt.NDArray[Any]: ...
def vectors(
    blocks: list[tuple[npt.NDArray[Any] | None, _Csr]],
    n_rows: int,
    linear: npt.NDArray[np.float32],
    factors: npt.NDArray[np.float32],
    n_threads: int,
) -> npt.NDArray[np.float32]: ...
def feature_weights(
    blocks: list[tuple[npt.NDArray[Any] | None, _Csr]],
    n_rows: int,
    n_features: int,
    weight: npt.NDArray[np.float32] | None,
    n_threads: int,
) -> npt.NDArray[np.float64]: ...
def choose_grid(
    blocks: list[tuple[npt.NDArray[Any] | None, _Csr]],
    n_rows: int,
    n_features: int,
    candidates: list[tuple[int, int]],
    n_threads: int,
) -> list[tuple[int, int]]: ...
def draw_negatives(
    seen: _Csr, users: npt.NDArray[Any], per_positive: int, seed: int, epoch: int, n_threads: int
) -> npt.NDArray[np.int64]: ...

class Trainer:
    def __init__(
        self,
        blocks: list[tuple[npt.NDArray[Any] | None, _Csr]],
        target: npt.NDArray[np.float32],
        weight: npt.NDArray[np.float32] | None,
        features: tuple[
            npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]
        ],
        grid_candidates: list[tuple[int, int]],
        negatives: tuple[int, _Csr] | None,
        options: dict[str, Any],
        parameters: tuple[
            float,
            npt.NDArray[np.float32],
            npt.NDArray[np.float32],
            float,
            npt.NDArray[np.float32],
            npt.NDArray[np.float32],
        ],
        moments: tuple[Any, ...] | None = None,
        cuts: tuple[npt.NDArray[np.float64], ...] | None = None,
    ) -> None: ...
    def epoch(self, number: int) -> dict[str, Any]: ...
    def copy_to(
        self,
        linear: npt.NDArray[np.float32],
        factors: npt.NDArray[np.float32],
        linear_accumulator: npt.NDArray[np.float32],
        factors_accumulator: npt.NDArray[np.float32],
        moments: tuple[npt.NDArray[np.float32], ...] | None = None,
    ) -> tuple[float, float, float, float, int]: ...
    def cuts(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]: ...
    def steps(self) -> npt.NDArray[np.int64]: ...
    def finite(self) -> bool: ...
    @property
    def has_grid(self) -> bool: ...
    @property
    def has_pairs(self) -> bool: ...

class GibbsSampler:
    def __init__(
        self,
        blocks: list[tuple[npt.NDArray[Any] | None, _Csr]],
        target: npt.NDArray[np.float32],
        weight: npt.NDArray[np.float32] | None,
        fields: Sequence[tuple[int, int]],
        options: dict[str, Any],
        bias: float,
        linear: npt.NDArray[np.float32],
        factors: npt.NDArray[np.float32],
    ) -> None: ...
    def sweep(self, number: int) -> float: ...
    def set_drawing(self, draw: bool) -> None: ...
    @property
    def bias(self) -> float: ...
    @property
    def noise_precision(self) -> float: ...
    @property
    def cuts(self) -> list[float]: ...
    def copy_to(self, linear: npt.NDArray[np.float32], factors: npt.NDArray[np.float32]) -> None: ...
    def copy_noise_to(self, log_noise: npt.NDArray[np.float32]) -> None: ...
    def priors(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]: ...

class ImplicitAls:
    def __init__(
        self,
        queries: _Csr,
        items: _Csr,
        observed: _Csr,
        penalty: npt.NDArray[np.float32],
        factors: npt.NDArray[np.float32],
        options: dict[str, Any],
        query_exposure: npt.NDArray[np.float32] | None = None,
        item_exposure: npt.NDArray[np.float32] | None = None,
    ) -> None: ...
    def sweep(self) -> float: ...
    def copy_to(self, factors: npt.NDArray[np.float32]) -> None: ...

class RankingTrainer:
    def __init__(
        self,
        blocks: list[tuple[npt.NDArray[Any] | None, _Csr]],
        n_rows: int,
        weight: npt.NDArray[np.float32] | None,
        features: tuple[
            npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]
        ],
        seen: _Csr,
        popularity: npt.NDArray[np.int64] | None,
        options: dict[str, Any],
        parameters: tuple[
            npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]
        ],
    ) -> None: ...
    def epoch(self, number: int) -> tuple[float, float]: ...
    def copy_to(
        self,
        linear: npt.NDArray[np.float32],
        factors: npt.NDArray[np.float32],
        linear_accumulator: npt.NDArray[np.float32],
        factors_accumulator: npt.NDArray[np.float32],
    ) -> None: ...
    def charged(self) -> npt.NDArray[np.float64]: ...
    def finite(self) -> bool: ...
