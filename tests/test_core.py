"""What every call into the compiled core keeps: SIMD levels, threads, checks, Ctrl-C, fork."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from factorec import _core, errors
from factorec._threads import resolve_n_jobs


def run_python(code: str, *, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, which a hang ends."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.mark.parametrize("level", _core.available_simd_levels())
def test_environment_pins_the_simd_level(level):
    """Promise 9."""
    done = run_python("import factorec; print(factorec._core.simd_level())", FACTOREC_SIMD=level)
    assert done.stdout.strip() == level


@pytest.mark.parametrize("level", ["sse9", "AVX2 "])
def test_unknown_simd_level_is_an_error_that_names_it(level):
    """Promise 9."""
    done = run_python("import factorec", FACTOREC_SIMD=level)
    assert done.returncode != 0
    assert f"FACTOREC_SIMD: unknown SIMD level '{level}'" in done.stderr
    assert "baseline" in done.stderr


def test_n_jobs(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cpus = resolve_n_jobs(None)
    assert cpus >= 1
    assert resolve_n_jobs(3) == 3
    assert resolve_n_jobs(np.int64(2)) == 2
    assert resolve_n_jobs(-1) == cpus
    assert resolve_n_jobs(-1000) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "1,2")
    assert resolve_n_jobs(None) == 1


@pytest.mark.parametrize("n_jobs", [0, 1.5, "2", True, 2**40])
def test_bad_n_jobs_is_named(n_jobs):
    with pytest.raises(errors.DataError, match=f"n_jobs must be .* got {n_jobs!r}"):
        resolve_n_jobs(n_jobs)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_check_csr_names_the_position(dtype):
    """Promise 6: every later access is then within bounds."""
    indptr, indices = np.array([0, 2, 3], dtype), np.array([0, 4, 1], dtype)
    data = np.array([1, 1, 0.5], np.float32)
    assert _core.check_csr((indptr, indices, data, 5)) == (False, False)
    with pytest.raises(ValueError, match=r"row 0 has column 4, outside 0\.\.3"):
        _core.check_csr((indptr, indices, data, 4))
    with pytest.raises(ValueError, match=r"row 1, column 1 is NaN"):
        _core.check_csr((indptr, indices, np.array([1, 1, np.nan], np.float32), 5))


def test_a_huge_indptr_is_refused_before_it_is_followed():
    """Promise 6: index arithmetic beyond 2**31 neither wraps nor reads outside."""
    for huge in (2**31 + 7, 2**33, 2**62):
        indptr = np.array([0, huge, huge + 1], np.int64)
        with pytest.raises(ValueError, match=f"{huge}, beyond the 1 stored entries"):
            _core.check_csr((indptr, np.zeros(1, np.int32), None, 5))


def test_error_types():
    assert issubclass(errors.DataError, (errors.FactorecError, ValueError))
    for name, builtin in [
        ("DataError", ValueError),
        ("UnknownIdError", KeyError),
        ("DivergenceError", FloatingPointError),
        ("FormatError", ValueError),
        ("DatasetUnavailableError", OSError),
    ]:
        error = getattr(errors, name)
        assert issubclass(error, errors.FactorecError)
        assert issubclass(error, builtin)


WORK = {
    "search": """
        from factorec import ItemIndex
        index = ItemIndex(random.standard_normal((n, 64), dtype=np.float32), n_jobs=2)
        queries = random.standard_normal((n, 64), dtype=np.float32)
        small = lambda: index.search(queries[:5], n=3, n_jobs=2).ids.tolist()
        large = lambda: index.search(queries, n=3, n_jobs=2)
    """,
    "fit": """
        from factorec.fm import FMClassifier, TrainingSet
        def fit(n, n_epochs):
            ids = random.integers(0, 1000, (2, n))
            rows = TrainingSet.from_ids(*ids, random.integers(0, 2, n), n_users=1000, n_items=1000)
            settings = {"n_epochs": n_epochs, "learning_rate": 1e-3, "n_jobs": 2, "random_state": 0}
            model = FMClassifier(n_factors=16, **settings)
            return model.fit(rows).factors_.tolist()
        def small():
            global random
            random = np.random.default_rng(0)
            return fit(1000, 2)
        large = lambda: fit(n, 10_000)
    """,
    "records": """
        import io
        from factorec.formats.recordio import read_recordio, write_recordio
        rows = random.standard_normal((200_000, 2), dtype=np.float32)
        def small():
            file = io.BytesIO()
            write_recordio(file, rows, n_jobs=2)
            return read_recordio(file.getvalue(), n_jobs=2).features.tolist()
        large = lambda: [small() for _ in range(n)]
    """,
}
SETUP = "import os, signal, threading\nimport numpy as np\nrandom = np.random.default_rng(0)\n"


@pytest.mark.parametrize("work", WORK)
def test_ctrl_c_ends_a_call_and_leaves_everything_usable(work):
    """Promise 7. The work takes minutes, so a call that did not listen runs into the time limit."""
    code = (
        SETUP
        + "n = 500_000\n"
        + textwrap.dedent(WORK[work])
        + textwrap.dedent("""
            before = small()
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                large()
            except KeyboardInterrupt:
                print("interrupted", small() == before)
        """)
    )
    assert run_python(code).stdout == "interrupted True\n"


@pytest.mark.parametrize("work", WORK)
def test_a_fork_after_use_runs_on(work):
    """libgomp's threads do not survive a fork: a child that wanted them would hang."""
    code = (
        SETUP
        + "n = 1000\n"
        + textwrap.dedent(WORK[work])
        + textwrap.dedent("""
            before = small()
            child = os.fork()
            if child == 0:
                os._exit(0 if small() == before else 1)
            print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """)
    )
    assert run_python(code).stdout == "child 0\n"


@pytest.mark.parametrize(
    "call",
    [
        lambda: _core.check_csr(([0, 1], [0], None, 1)),
        lambda: _core.check_csr((np.array([0, 1]), np.array([0]), [1.0], 1)),
        lambda: _core.scores([([0], ONE_ROW)], 1, 0.0, FLOATS, FLOATS[:, None], 1),
        lambda: _core.feature_weights([(None, ONE_ROW)], 1, 1, [1.0], 1),
        lambda: _core.pack_items(FLOATS[:, None], [1.0], False, *PACKED, 1),
        lambda: _core.search_items(*PACKED, 1, FLOATS[:, None], "inner_product", None, [1], *FOUND, 1),
        lambda: _core.search_items(
            *PACKED, 1, FLOATS[:, None], "inner_product", ([0, 1], [0], None, 1), None, *FOUND, 1
        ),
    ],
)
def test_what_is_no_array_is_refused(call):
    """Promise 6: a list is not read as if it were the memory of an array."""
    with pytest.raises(ValueError, match="is no array of numpy but list"):
        call()


ONE_ROW = (np.array([0, 1]), np.array([0]), None, 1)
FLOATS = np.ones(1, dtype=np.float32)
PACKED = (np.zeros((1, 1, _core.PANEL_ITEMS), dtype=np.float32), np.zeros(_core.PANEL_ITEMS, dtype=np.float32))
FOUND = (np.zeros((1, 1), dtype=np.int64), np.zeros((1, 1), dtype=np.float32), np.zeros(1, dtype=np.int64))


def test_a_block_has_two_parts():
    with pytest.raises(ValueError, match="a block must be"):
        _core.scores([(None,)], 1, 0.0, FLOATS, FLOATS[:, None], 1)
