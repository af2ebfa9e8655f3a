"""Files appear whole or not at all (promises 6 and 8)."""

import errno
import io
import os
import stat
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from factorec import _atomic
from factorec.formats import model_file


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    return path


def assert_old(path):
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_error_in_the_block_leaves_the_old_file(path, error):
    def write():
        with _atomic.atomic_file(path) as file:
            file.write(b"new" * 100_000)
            raise error

    with pytest.raises(error):
        write()
    assert_old(path)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failing_step_leaves_the_old_file(path, monkeypatch, step):
    def fail(*args):
        raise OSError(errno.EIO, "disk on fire")

    monkeypatch.setattr(_atomic.os, step, fail)
    with pytest.raises(OSError, match="disk on fire"), _atomic.atomic_file(path) as file:
        file.write(b"new")
    assert_old(path)


@pytest.mark.parametrize("size", [1, 10_000_000])
def test_full_disk_leaves_the_old_file(path, monkeypatch, size):
    """Whether it shows at once or only when the buffer is flushed."""

    class Full(io.FileIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_atomic, "open", lambda p, mode: io.BufferedWriter(Full(p, mode)), raising=False)
    with pytest.raises(OSError, match="No space left") as raised, _atomic.atomic_file(path) as file:
        file.write(b"x" * size)
    assert raised.value.filename == os.path.realpath(path)
    assert_old(path)


def test_file_size_limit_leaves_the_old_model(tmp_path):
    """The system itself refuses to write on, in the middle of a large array."""
    path = tmp_path / "model.factorec"
    model_file.write(path, {"a": np.zeros(5)}, {"class": "A"})
    before = path.read_bytes()
    script = """
        import resource, sys
        import numpy as np
        from factorec.formats import model_file
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        try:
            model_file.write(sys.argv[1], {"a": np.zeros(1_000_000)}, {"class": "A"})
        except OSError as error:
            print(type(error).__name__, error.errno)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["OSError", str(errno.EFBIG)]
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def test_mode_is_that_of_any_new_file(tmp_path):
    with _atomic.atomic_file(tmp_path / "a"):
        pass
    (tmp_path / "b").touch()
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)


def test_symbolic_link_is_followed(tmp_path, path):
    link = tmp_path / "link"
    link.symlink_to(path)
    with _atomic.atomic_file(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"


def test_what_cannot_be_replaced(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot write x\.csv: no such folder"):
        _atomic.atomic_file(tmp_path / "none" / "x.csv").__enter__()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for target in (tmp_path, fifo):
        with pytest.raises(OSError, match="not a regular file"):
            _atomic.atomic_file(target).__enter__()
    assert stat.S_ISFIFO(fifo.stat().st_mode)
