"""How many threads a call may use."""

from __future__ import annotations

import numbers
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from joblib import cpu_count
from threadpoolctl import ThreadpoolController

from .errors import DataError

__all__ = ["one_blas_thread", "resolve_n_jobs"]

# OpenMP ends the process when the system refuses it a thread.
_MOST = 1024


def resolve_n_jobs(n_jobs: int | None) -> int:
    """Turn the ``n_jobs`` parameter into a number of threads.

    Parameters
    ----------
    n_jobs : int or None
        ``None``: the CPUs that this process may use (affinity and cgroup quota), at most ``OMP_NUM_THREADS``
        where that is set. A positive number is taken as it is. A negative number counts back from all CPUs,
        as in joblib: -1 is all of them.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    DataError
        If ``n_jobs`` is 0, not an integer, or more threads than any machine has use for.
    """
    if n_jobs is None:
        limit = cpu_count()
        first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
        if first.isdigit() and int(first) > 0:
            limit = min(limit, int(first))
        return max(1, int(limit))
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, numbers.Integral) or n_jobs == 0:
        raise DataError(f"n_jobs must be None, a positive or a negative integer, got {n_jobs!r}")
    if n_jobs > _MOST:
        raise DataError(f"n_jobs must be at most {_MOST}, got {n_jobs}")
    return int(n_jobs) if n_jobs > 0 else max(1, cpu_count() + 1 + int(n_jobs))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS to one thread in a block or, as a decorator, in a function; may be nested.

    For many small problems: OpenBLAS splits even a 64 x 64 one over its threads, and where another process holds
    a core they wait for each other so long that a solve takes fifty times its time (measured: 140 ms for 3).
    """
    with _blas().limit(limits=1, user_api="blas"):
        yield


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")  # looks through the loaded libraries: milliseconds
