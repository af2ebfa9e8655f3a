"""Promise: BLAS is one thread wide inside, and what it was outside."""

from __future__ import annotations

import numpy as np  # noqa: F401 (brings a BLAS)
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from factorec._threads import one_blas_thread


def blas_threads():
    return {library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info()}


@pytest.fixture
def two():
    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("this BLAS cannot be given two threads")
        yield


@pytest.mark.usefixtures("two")
def test_limits_nest_and_end():
    with one_blas_thread():
        assert blas_threads() == {1}
        with one_blas_thread():
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == {2}
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        _ = 1 / 0
    assert blas_threads() == {2}
    assert one_blas_thread()(blas_threads)() == {1}
