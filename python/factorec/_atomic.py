"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_file"]


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a binary file that replaces `path` when the block ends, and leaves it alone when the block fails.

    The data go to a temporary file in the same folder, which is flushed to disk and then renamed. Until then
    an old file at `path` stays as it was, and so it does after any error, a full disk and Ctrl-C included.
    A process that is killed leaves a file ``.factorec-*.tmp`` behind, nothing else.

    Parameters
    ----------
    path : path-like
        Where the file is to be. A symbolic link is followed.

    Yields
    ------
    binary file
        Buffered, for writing; not to be closed by the block.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    OSError
        If `path` is there and not a regular file, or the system refuses a step.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "numbers.bin"
    >>> with atomic_file(path) as file:
    ...     _ = file.write(b"1 2 3")
    >>> path.read_bytes()
    b'1 2 3'
    """
    target = Path(os.path.realpath(path))
    folder = target.parent
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"cannot write {target.name}: no such folder", str(folder))
    # A rename would replace a device such as /dev/null by a file, and cannot replace a folder.
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "cannot write: it is there and is not a regular file", str(target))
    temporary = folder / f".factorec-{secrets.token_hex(8)}.tmp"
    # Not tempfile: its files are private, and the result should have the mode that open() gives.
    file: BinaryIO = open(temporary, "xb")  # noqa: SIM115 (closed below, with errors that matter)
    try:
        yield file
        file.flush()
        os.fsync(file.fileno())
        file.close()
        os.replace(temporary, target)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(target)  # "no space left on device" comes without a name
        # What is still buffered is of no interest, nor is that it could not be written.
        with contextlib.suppress(OSError):
            file.close()
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
