"""LIBMF through its shared library: the wheel's Python module cannot choose the library that it loads.

With two threads LIBMF can deadlock, so what is timed runs in a child process that is given up after a while.

Usage of the child: python benchmarks/peers.py < request.json, which prints one line of JSON per round.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

LOGISTIC = 5  # P_LR_MFC
SQUARED = 0  # P_L2_MFR
NODE = np.dtype([("u", np.int32), ("v", np.int32), ("r", np.float32)])


class _Parameters(ctypes.Structure):
    _fields_ = (
        ("fun", ctypes.c_int),
        ("k", ctypes.c_int),
        ("nr_threads", ctypes.c_int),
        ("nr_bins", ctypes.c_int),
        ("nr_iters", ctypes.c_int),
        ("lambda_p1", ctypes.c_float),
        ("lambda_p2", ctypes.c_float),
        ("lambda_q1", ctypes.c_float),
        ("lambda_q2", ctypes.c_float),
        ("eta", ctypes.c_float),
        ("do_nmf", ctypes.c_bool),
        ("quiet", ctypes.c_bool),
        ("copy_data", ctypes.c_bool),
    )


class _Problem(ctypes.Structure):
    _fields_ = (("m", ctypes.c_int), ("n", ctypes.c_int), ("nnz", ctypes.c_longlong), ("r", ctypes.c_void_p))


class Libmf:
    """One build of LIBMF."""

    def __init__(self, library: Path) -> None:
        self.path = library
        self._library = ctypes.CDLL(str(library))
        self._library.mf_train.restype = ctypes.c_void_p
        self._library.mf_train.argtypes = (ctypes.POINTER(_Problem), _Parameters)
        self._library.mf_destroy_model.argtypes = (ctypes.POINTER(ctypes.c_void_p),)
        for loss in (self._library.calc_rmse, self._library.calc_logloss):
            loss.restype, loss.argtypes = ctypes.c_double, (ctypes.POINTER(_Problem), ctypes.c_void_p)

    def train(self, nodes: np.ndarray, *, k: int, n_epochs: int, threads: int, loss: int, bins: int = 20) -> float:
        """`mf_train` on rows of `NODE`, target -1 or +1 for the logistic loss; returns the seconds that it took.

        20 bins, the library's default, is also the fastest of 4, 8, 12, 16, 20, 26, 32 on ua.base.
        """
        return self._train(nodes, (loss, k, threads, bins, n_epochs))[0]

    def training_loss(self, nodes: np.ndarray, *, k: int, n_epochs: int, threads: int, loss: int) -> float:
        """RMSE or log loss of the rows that were trained on."""
        return self._train(nodes, (loss, k, threads, 20, n_epochs), evaluate=True)[1]

    def _train(self, nodes: np.ndarray, chosen: tuple[int, ...], evaluate: bool = False) -> tuple[float, float]:
        problem = _Problem(int(nodes["u"].max()) + 1, int(nodes["v"].max()) + 1, len(nodes), nodes.ctypes.data)
        parameters = _Parameters(*chosen, 0.0, 0.05, 0.0, 0.05, 0.1, False, True, True)
        start = time.perf_counter()
        model = ctypes.c_void_p(self._library.mf_train(ctypes.byref(problem), parameters))
        seconds = time.perf_counter() - start
        metric = self._library.calc_logloss if chosen[0] == LOGISTIC else self._library.calc_rmse
        value = metric(ctypes.byref(problem), model) if evaluate else np.nan
        self._library.mf_destroy_model(ctypes.byref(model))
        return seconds, value


def epoch_seconds(
    library: Path,
    users: np.ndarray,
    items: np.ndarray,
    target: np.ndarray,
    *,
    epochs: tuple[int, int],
    rounds: int,
    timeout: float,
    **options: int,
) -> tuple[list[float], float]:
    """Seconds of an epoch, one per round, and the training loss at last; no seconds where LIBMF hung twice.

    An epoch is the difference of a long run and a short one, divided by the epochs between them. Rounds that were done
    before a child hung count.
    """
    nodes = np.empty(len(target), dtype=NODE)
    nodes["u"], nodes["v"], nodes["r"] = users, items, target
    measured: list[float] = []
    loss = float("nan")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "nodes.npy")
        np.save(path, nodes)
        for _ in range(2):
            request = {"library": str(library), "nodes": str(path), "epochs": epochs, "options": options}
            lines = _child({**request, "rounds": rounds - len(measured)}, timeout)
            measured += [line["seconds"] for line in lines if "seconds" in line]
            loss = next((line["loss"] for line in lines if "loss" in line), loss)
            if len(measured) == rounds:
                break
    return measured, loss


def _child(request: dict[str, Any], timeout: float) -> list[dict[str, float]]:
    """What the child printed until it was done, or until it had hung for too long."""
    try:
        done = subprocess.run(
            [sys.executable, __file__], input=json.dumps(request).encode(), stdout=subprocess.PIPE, timeout=timeout
        )
        done.check_returncode()
        printed = done.stdout
    except subprocess.TimeoutExpired as hung:
        printed = hung.stdout or b""
    return [json.loads(line) for line in printed.splitlines()]


def _serve() -> None:
    request = json.load(sys.stdin)
    libmf, nodes = Libmf(Path(request["library"])), np.load(request["nodes"])
    (short, long), options = request["epochs"], request["options"]
    print(json.dumps({"loss": libmf.training_loss(nodes, n_epochs=long, **options)}), flush=True)
    for _ in range(request["rounds"]):
        times = [libmf.train(nodes, n_epochs=n_epochs, **options) for n_epochs in (short, long)]
        print(json.dumps({"seconds": (times[1] - times[0]) / (long - short)}), flush=True)


def best_build() -> Libmf | None:
    """The LIBMF of this environment (README: how to build it with AVX and -march=native)."""
    specification = importlib.util.find_spec("libmf")
    if specification is None or specification.origin is None:
        return None
    return _library_in(Path(specification.origin).parents[1])


def plain_build() -> Libmf | None:
    """LIBMF as `pip install libmf` builds it, in the folder that FACTOREC_BENCH_LIBMF_PLAIN names."""
    folder = os.environ.get("FACTOREC_BENCH_LIBMF_PLAIN")
    return _library_in(Path(folder)) if folder else None


def _library_in(folder: Path) -> Libmf | None:
    found = sorted(folder.glob("libmf*.so"))
    return Libmf(found[0]) if found else None


if __name__ == "__main__":
    _serve()
