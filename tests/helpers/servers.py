"""Servers in processes of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Server", "run_server"]


@dataclass
class Server:
    """A running server."""

    url: str
    port: int
    process: subprocess.Popen[str]

    def stop(self, number: int = signal.SIGTERM, timeout: float = 30) -> tuple[int, str]:
        """Send a signal; the exit code, and what the server has written to standard error."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, err


@contextmanager
def run_server(*arguments: object, environment: dict[str, str] | None = None) -> Iterator[Server]:
    """Run Python with `arguments`, which serve and then print a line that ends in the URL."""
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+:(\d+)$", line)
        if found is None:
            process.kill()
            raise RuntimeError(f"the server did not start: {line}{process.communicate()}")
        yield Server(found[0], int(found[1]), process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
