"""Servers in processes of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

__all__ = ["Server", "run_server"]


@dataclass
class Server:
    """A running server."""

    url: str
    port: int
    process: subprocess.Popen[str]
    log: IO[str]

    def stop(self, number: int = signal.SIGTERM, timeout: float = 30) -> tuple[int, str]:
        """Send a signal; the exit code, and what the server has written to standard error."""
        self.process.send_signal(number)
        code = self.process.wait(timeout)
        return code, _text(self.log)


@contextmanager
def run_server(*arguments: object, environment: dict[str, str] | None = None) -> Iterator[Server]:
    """Run Python with `arguments`, which serve and then print a line that ends in the URL."""
    # A file, not a pipe: a server whose log nobody reads stops when the pipe is full.
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        with process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                found = re.search(r"http://\S+:(\d+)$", line)
                if found is None:
                    raise RuntimeError(f"the server did not start: {line}{_text(log)}")
                yield Server(found[0], int(found[1]), process, log)
            finally:
                process.kill()


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()
