"""LIBMF through its shared library: the wheel's Python module cannot choose the library that it loads."""

from __future__ import annotations

import ctypes
import importlib.util
import os
from pathlib import Path

import numpy as np

LOGISTIC = 5  # P_LR_MFC
SQUARED = 0  # P_L2_MFR


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


class _Node(ctypes.Structure):
    _fields_ = (("u", ctypes.c_int), ("v", ctypes.c_int), ("r", ctypes.c_float))


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

    def train(self, users, items, target, *, k, n_epochs, threads, loss=LOGISTIC, bins=20) -> None:
        """`mf_train` on (user, item, target); target -1 or +1 for the logistic loss.

        20 bins, the library's default, is also the fastest of 4, 8, 12, 16, 20, 26, 32 on ua.base.
        """
        nodes = np.empty(len(target), dtype=[("u", np.int32), ("v", np.int32), ("r", np.float32)])
        nodes["u"], nodes["v"], nodes["r"] = users, items, target
        problem = _Problem(int(users.max()) + 1, int(items.max()) + 1, len(nodes), nodes.ctypes.data)
        parameters = _Parameters(
            loss, k, threads, bins, n_epochs, 0.0, 0.05, 0.0, 0.05, 0.1, False, True, True
        )  # fmt: skip
        model = ctypes.c_void_p(self._library.mf_train(ctypes.byref(problem), parameters))
        self._library.mf_destroy_model(ctypes.byref(model))


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
