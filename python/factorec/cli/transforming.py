"""What the command ``transform`` does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ._console import errors, note

__all__ = ["transform"]


def transform(model: Path, input: str, output: str, **options: Any) -> None:
    """Run a batch transform, with a bar on a terminal."""
    from ..sagemaker import transform as run

    bar = Progress(
        TextColumn("transforming"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )
    began = time.perf_counter()
    with bar:
        task = bar.add_task("", total=None)

        def progress(n_read: int, n_bytes: int) -> None:
            bar.update(task, completed=n_read, total=n_bytes)

        done = run(model, input, output, progress=progress, **options)
    took = time.perf_counter() - began
    for path in done.outputs:
        print(path)
    n_files = len(done.outputs)
    note(f"{n_files:,} file{'s'[: n_files != 1]}, {done.n_requests:,} requests in {took:.2f} s")
