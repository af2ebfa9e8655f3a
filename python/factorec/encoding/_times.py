"""Columns of times: dates and times of any library, texts and epoch numbers, as microseconds in one time zone."""

from __future__ import annotations

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ._ids import factorize, is_missing
from ._values import values_of

__all__ = ["FIRST", "LAST", "UNITS", "Times", "local_times", "read_times", "zone_of"]

UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0.001}  # microseconds in each
EPOCH = datetime.datetime(1970, 1, 1)
FIRST = np.datetime64("0001-01-02", "us").view(np.int64)  # a day less than datetime has, for time zones
LAST = np.datetime64("9999-12-30", "us").view(np.int64)
HOUR = 3_600_000_000

Times = npt.NDArray[np.int64]


def zone_of(name: Any) -> datetime.tzinfo:
    """Return a time zone by its IANA name.

    Raises
    ------
    DataError
        If there is none of that name.
    """
    if name == "UTC":
        return datetime.UTC
    try:
        return ZoneInfo(name)
    except Exception:  # it depends on where zoneinfo looks: KeyError, ValueError, OSError, TypeError
        raise DataError(
            f"there is no time zone {name!r}; use a name such as 'Europe/Berlin' (pip install tzdata if the system has "
            "no time zones)"
        ) from None


def read_times(table: Any, name: Any, unit: str) -> tuple[Times, npt.NDArray[np.bool_]]:
    """Read a column of dates, times, texts in ISO 8601, or epoch numbers.

    Returns
    -------
    times : ndarray of shape (n_rows,), int64
        Microseconds since 1970 in UTC; a time without a zone is taken as UTC. 0 where one is missing.
    missing : ndarray of shape (n_rows,), bool

    Raises
    ------
    DataError
        If there is no such column, or a value is no time in the years 1 to 9999.
    """
    values = values_of(table, name)
    if values.dtype.kind == "O":
        values = _from_texts(values, name)
    if values.dtype.kind == "M":
        missing = np.isnat(values)
        times = np.where(missing, 0, values.astype("M8[us]").view(np.int64))
    elif values.dtype.kind in "iuf":
        missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)
        beyond = (values < FIRST / UNITS[unit]) | (values > LAST / UNITS[unit])  # int64 would not hold them
        _refuse(values, name, beyond & ~missing, unit)
        numbers = np.where(missing, 0, values)
        # Whole numbers stay so: float64 has not all microseconds of today.
        times = numbers.astype(np.int64)
        times = times // 1000 if unit == "ns" else times * int(UNITS[unit])
        if values.dtype.kind == "f":
            times = times + np.floor((numbers - np.trunc(numbers)) * UNITS[unit]).astype(np.int64)
    else:
        raise DataError(f"column {name!r} holds values of type {values.dtype}, not times; convert the column")
    _refuse(values, name, ((times < FIRST) | (times > LAST)) & ~missing, unit)
    return times, missing


def _refuse(values: npt.NDArray[Any], name: Any, wrong: npt.NDArray[np.bool_], unit: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        advice = f"; if these are numbers of another unit than {unit!r}, give unit=" if values.dtype.kind != "M" else ""
        raise DataError(
            f"column {name!r} holds {values[row].item()!r} in row {row} (counting from 0), which is no time in the "
            f"years 1 to 9999{advice}"
        )


def _from_texts(values: npt.NDArray[np.object_], name: Any) -> npt.NDArray[np.datetime64]:
    """Read texts in ISO 8601, each different one once."""
    read: dict[Any, Any] = {}
    for row, text in enumerate(values.tolist()):
        if not isinstance(text, str) and not is_missing(text):
            raise DataError(
                f"column {name!r} holds {text!r} in row {row} (counting from 0), which is no time; convert the column"
            )
        if text not in read:
            try:
                read[text] = _parsed(text) if isinstance(text, str) else np.datetime64("NaT")
            except (OverflowError, ValueError):
                raise DataError(
                    f"column {name!r} holds {text!r} in row {row} (counting from 0), which is no time in ISO 8601, "
                    "such as '1998-03-28' or '1998-03-28T21:30:00+01:00'; convert the column"
                ) from None
    return np.array([read[text] for text in values.tolist()], dtype="M8[us]")


def _parsed(text: str) -> np.datetime64:
    time = datetime.datetime.fromisoformat(text)
    if time.tzinfo is not None:
        time = time.astimezone(datetime.UTC).replace(tzinfo=None)
    return np.datetime64(time, "us")


def local_times(times: Times, zone: datetime.tzinfo) -> Times:
    """Move times in UTC to what clocks of a zone showed then."""
    if zone is datetime.UTC or not len(times):
        return times
    # Clocks change at few moments: the hours are asked at both ends, and times one by one where these differ.
    hours, place = factorize(times // HOUR)
    first, last = (np.array([_offset(at, zone) for at in (hours * HOUR + add).tolist()]) for add in (0, HOUR - 1))
    offset = first[place]
    changing = np.flatnonzero((first != last)[place])
    if len(changing):
        distinct, which = np.unique(times[changing], return_inverse=True)
        offset[changing] = np.array([_offset(at, zone) for at in distinct.tolist()])[which]
    return np.asarray(times + offset)


def _offset(time: int, zone: datetime.tzinfo) -> int:
    at = (EPOCH + datetime.timedelta(microseconds=time)).replace(tzinfo=datetime.UTC)
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset // datetime.timedelta(microseconds=1)
