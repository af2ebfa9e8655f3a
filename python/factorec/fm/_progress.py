"""What ``verbose`` shows while training."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["OnEpoch", "StopTraining", "show_progress"]

# Called with the number of an epoch and rows -> metric -> value.
OnEpoch = Callable[[int, dict[str, dict[str, float]]], object]


class StopTraining(Exception):
    """Raised by ``on_epoch``, or by the handler of a signal: training ends with what it has learned so far.

    Where no epoch is complete it comes out of ``fit``, and the estimator is what it was before.

    Examples
    --------
    >>> from factorec.fm import FMRegressor, StopTraining
    >>> def on_epoch(epoch, metrics):
    ...     if epoch == 2:
    ...         raise StopTraining
    >>> fm = FMRegressor(n_factors=2, n_epochs=100).fit([[1, 0], [0, 1]], [1.0, 2.0], on_epoch=on_epoch)
    >>> len(fm.history_["train"]["rmse"])
    3
    """


@contextmanager
def show_progress(verbose: int, n_epochs: int) -> Iterator[OnEpoch | None]:
    """Nothing for 0, a progress bar for 1 (lines where rich is missing), a line an epoch for 2 and more."""
    if not verbose:
        yield None
        return
    if verbose == 1:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        except ImportError:
            yield _print_line
            return
        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[metrics]}"),
        )
        with Progress(*columns, TimeElapsedColumn(), console=Console(file=sys.stderr)) as bar:
            task = bar.add_task("training", total=n_epochs, metrics="")
            yield lambda _, records: bar.update(task, advance=1, metrics=describe(records))
        return
    yield _print_line


def describe(records: dict[str, dict[str, float]]) -> str:
    """The metrics of one epoch in a line."""
    return " | ".join(
        f"{name} " + " ".join(f"{metric} {value:.4f}" for metric, value in metrics.items())
        for name, metrics in records.items()
    )


def _print_line(epoch: int, records: dict[str, dict[str, float]]) -> None:
    print(f"epoch {epoch + 1:3d}  {describe(records)}", flush=True)
