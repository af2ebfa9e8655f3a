"""What the command ``split`` does."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from .._atomic import atomic_file
from .._table_files import DELIMITERS, file_kind, read_text
from ..encoding.tables import series
from ..errors import DataError
from ..model_selection import LeaveLastN, RandomSplit, TemporalSplit, UserSplit
from ._console import note

__all__ = ["split"]


def split(
    table: Path,
    train: Path,
    test: Path,
    given: Path | None,
    by: str,
    test_size: float,
    n: int,
    user: str,
    time: str,
    seed: int,
) -> None:
    """Write parts of a table; cells of text files stay as they are written."""
    outputs = [train, test] if given is None else [train, given, test]
    for path in outputs:
        _check_output(table, path)
    if given is not None and by != "users":
        raise DataError("--given is for --by users: what the users held out have told")
    size = int(test_size) if test_size >= 1 and test_size == int(test_size) else test_size
    rows = read_text(table)
    columns: dict[str, Any] = {}
    if by in ("last", "users"):
        columns[user] = series(rows, user)
    if by in ("last", "time"):
        columns[time] = _times(rows, time)
    columns = columns or {"row": range(rows.num_rows)}
    if by == "users":
        whole = UserSplit(size, given=0.5 if given is not None else 0, user=user, random_state=seed)
        parts = next(whole.split_given(columns) if given is not None else whole.split(columns))
    elif by == "last":
        parts = next(LeaveLastN(n, user=user, time=time).split(columns))
    elif by == "time":
        parts = next(TemporalSplit(size, time=time).split(columns))
    else:
        parts = next(RandomSplit(size, random_state=seed).split(columns))
    for path, part in zip(outputs, parts, strict=True):
        _write(rows.take(part), path)
    note(", ".join(f"{path}: {len(part):,} rows" for path, part in zip(outputs, parts, strict=True)))


def _check_output(table: Path, path: Path) -> None:
    text = file_kind(table) in DELIMITERS
    if path.suffix.lower() not in (DELIMITERS if text else (".parquet",)):
        wanted = ".csv or .tsv" if text else ".parquet"
        raise DataError(f"{path}: the parts are of the kind of the table, so the name must end in {wanted}")
    if not path.parent.is_dir():  # before another part is written
        raise FileNotFoundError(2, "no such folder", str(path.parent))


def _times(rows: Any, name: str) -> Any:
    """The column of times, where it is written in digits as numbers."""
    import pyarrow

    column: Any = series(rows, name)
    times = column.to_arrow()
    for kind in (pyarrow.int64(), pyarrow.float64()):
        if pyarrow.types.is_string(times.type):
            try:
                times = times.cast(kind)
            except pyarrow.ArrowInvalid:
                continue
    return times


def _write(rows: Any, path: Path) -> None:
    from pyarrow import parquet

    with atomic_file(path) as file:
        if path.suffix.lower() == ".parquet":
            parquet.write_table(rows, file)
            return
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text, delimiter=DELIMITERS[path.suffix.lower()], lineterminator="\n")
        writer.writerow(rows.column_names)
        for batch in rows.to_batches(max_chunksize=10_000):
            writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))
        text.flush()
        text.detach()  # the file is closed by who opened it
