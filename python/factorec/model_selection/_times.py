"""Times of rows, from whatever a column holds, as numbers or dates that sort."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from ..encoding.tables import series, to_array
from ..errors import DataError

__all__ = ["in_order_of_time"]

_HINT = "a time is a number, a date, or text as ISO 8601 has it (2026-11-22, 2026-11-22T09:30:00)"


def in_order_of_time(table: Any, name: Any, n_rows: int) -> npt.NDArray[np.intp]:
    """Row numbers, oldest first; rows of one time, and all rows if `name` is None, in the order of the table."""
    if name is None:
        return np.arange(n_rows)
    times = _times(series(table, name), name)
    if len(times) != n_rows:
        raise DataError(f"column {name!r} has {len(times):,} values, the table has {n_rows:,} rows")
    return np.argsort(times, kind="stable")


def _times(column: Any, name: Any) -> npt.NDArray[Any]:
    if isinstance(column, nw.Series) and isinstance(column.dtype, nw.Datetime) and column.dtype.time_zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    values = to_array(column)
    if values.dtype.kind in "SUO":
        values = _from_objects(values.tolist(), name)
    if values.dtype.kind not in "iufMm":
        raise DataError(f"column {name!r} holds values of type {values.dtype}, which have no order in time; {_HINT}")
    if values.dtype.kind in "fMm":
        missing = np.isnan(values) if values.dtype.kind == "f" else np.isnat(values)
        if missing.any():
            raise _no_time(name, int(np.argmax(missing)))
    return values


def _from_objects(values: list[Any], name: Any) -> npt.NDArray[Any]:
    """Numbers as numbers, everything else as microseconds of UTC."""
    for row, value in enumerate(values):
        if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value or value == "":
            raise _no_time(name, row)
    if all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in values):
        return np.array(values)
    dates: list[datetime] = []
    for row, value in enumerate(values):
        try:
            dates.append(_moment(value))
        except (TypeError, ValueError):
            raise DataError(f"column {name!r} holds {value!r} in row {row} (counting from 0); {_HINT}") from None
    zoned = [moment.tzinfo is not None for moment in dates]
    if any(zoned) and not all(zoned):
        row = zoned.index(not zoned[0])
        raise DataError(
            f"column {name!r} has a time zone in some rows and none in others, as in row {row} (counting from 0); "
            "give all or none"
        )
    return np.array(
        [moment.astimezone(UTC).replace(tzinfo=None) if any(zoned) else moment for moment in dates], "M8[us]"
    )


def _moment(value: Any) -> datetime:
    if isinstance(value, str):
        # fromisoformat takes 20261122 too, but digits alone may as well be seconds
        if value.isdigit():
            raise ValueError(value)
        return datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    raise TypeError(value)


def _no_time(name: Any, row: int) -> DataError:
    return DataError(f"column {name!r} has no time in row {row} (counting from 0); drop such rows or fill in a time")
