"""What the commands print: tables, steps, progress. Plain text where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

__all__ = ["console", "epochs", "errors", "note", "print_table", "step", "track"]

# highlight=False: numbers in titles and paths are not decoration.
console = Console(highlight=False)
errors = Console(highlight=False, stderr=True)


def step(title: str) -> None:
    """Begin a part of the output."""
    console.print()
    console.print(f"[bold]{escape(title)}[/bold]")


def note(text: str) -> None:
    """Print a remark."""
    console.print(f"[dim]{escape(text)}[/dim]")


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, bold: int | None = None, text: Sequence[int] = (0,)
) -> None:
    """Print a table; columns in `text` are left-aligned, the others are figures; column `bold` stands out."""
    table = Table(box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim", show_header=any(columns))
    for position, name in enumerate(columns):
        table.add_column(
            name,
            justify="left" if position in text else "right",
            style="bold" if position == bold else None,
            overflow="fold",
            no_wrap=position not in text,
        )
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))  # a title may hold what looks like markup
    console.print(table)


@contextmanager
def track(what: str, total: int) -> Iterator[Progress]:
    """Show a bar on a terminal, nothing elsewhere; ``progress.advance(0)`` moves it on."""
    progress = Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )
    with progress:
        progress.add_task(what, total=total)
        yield progress


_METRICS = {
    "log_loss": "log loss",
    "accuracy": "accuracy",
    "f1": "F1",
    "auc": "AUC",
    "rmse": "RMSE",
    "mae": "MAE",
    "ndcg_at_10": "NDCG@10",
}
_SHOWN_EPOCHS = 50


def epochs(history: dict[str, dict[str, Any]]) -> None:
    """Print the metrics of every epoch; of many, every second, third, ... and the last."""
    columns = [(part, metric) for part in history for metric in history[part]]
    n = max((len(history[part][metric]) for part, metric in columns), default=0)
    print_table(
        ["\nepoch", *(f"{part}\n{_METRICS.get(metric, metric)}" for part, metric in columns)],
        [
            [e + 1, *(f"{history[part][metric][e]:.4f}" for part, metric in columns)]
            for e in range(n)
            if (n - 1 - e) % -(-n // _SHOWN_EPOCHS) == 0
        ],
        text=(),
    )
