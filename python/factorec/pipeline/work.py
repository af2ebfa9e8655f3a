"""The folder of a job: its lock, and a record of every stage that is done."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .._atomic import atomic_file
from ..errors import DataError, PipelineBusyError

__all__ = ["Inputs", "Record", "Work", "key_of"]

Record = dict[str, Any]


def key_of(*parts: Any) -> str:
    """A digest of anything that JSON can hold; TOML's dates and times as text."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Inputs:
    """Files by what is in them: a copy with another date is the same, an edit that keeps the date is not."""

    def __init__(self) -> None:
        self._looked_at: dict[Path, tuple[int, ...]] = {}

    def digest(self, path: Path | None) -> str | None:
        """SHA-256 of a file."""
        if path is None:
            return None
        with open(path, "rb") as file:
            self._looked_at[path] = _signature(os.fstat(file.fileno()))
            return hashlib.file_digest(file, "sha256").hexdigest()

    def check(self) -> None:
        """Refuse to go on if a file has changed since its digest was taken: what was read may be neither."""
        for path, signature in self._looked_at.items():
            if _signature(path.stat()) != signature:
                raise DataError(f"{path} was changed while the job ran; run it again")


class Work:
    """The folder of a job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out. The system lets go of the lock when the process ends, however it does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PipelineBusyError(f"another run of this job is under way: {self.folder} is locked") from None
            for left in self.folder.glob(".factorec-*.tmp"):  # by a run that was killed
                left.unlink(missing_ok=True)
            yield
        finally:
            os.close(lock)

    def record(self, stage: str) -> Record:
        """What was written down about a stage; empty if nothing was, or if files that it made are not there as made."""
        try:
            record = json.loads((self.folder / f"{stage}.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        if not isinstance(record, dict):
            return {}
        for name, signature in record.get("files", {}).items():
            try:
                if list(_signature(os.stat(name))) != signature:
                    return {}
            except OSError:
                return {}
        return record

    def write(self, stage: str, record: Record, files: list[Path]) -> Record:
        """Write down that a stage is done, and how the files look that it made."""
        record = record | {"files": {str(path): list(_signature(path.stat())) for path in files}}
        with atomic_file(self.folder / f"{stage}.json") as file:
            file.write((json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
        return record


def _signature(found: os.stat_result) -> tuple[int, ...]:
    return found.st_size, found.st_mtime_ns, found.st_ino, stat.S_IFMT(found.st_mode)
