"""A column of times: one feature column per date, week, hour or other part of them."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Hashable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from ...errors import DataError
from .._sparse import one_hot
from .._times import FIRST, LAST, UNITS, Times, local_times, read_times, zone_of
from ..vocabulary import Vocabulary
from .base import Declaration, Learnt, choose
from .categories import CategoriesField, learn_categories, refuse_missing, unpack_categories

__all__ = ["Datetime", "DatetimeField"]

HOUR = 3_600_000_000  # microseconds
DAY = 24 * HOUR
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _days(times: Times) -> Times:
    return np.asarray(times // DAY)


def _calendar(times: Times, unit: str) -> Times:
    return np.asarray(times.view("M8[us]").astype(f"M8[{unit}]").view(np.int64))


def _date_name(day: int) -> str:
    return str(np.datetime64(day, "D"))


def _week_name(week: int) -> str:
    year, number, _ = datetime.date.fromisoformat(_date_name(week * 7 - 3)).isocalendar()
    return f"{year:04d}-W{number:02d}"


# By part: a whole number for every time, and the name of that number. 1970-01-01, day 0, is a Thursday.
PARTS: dict[str, tuple[Callable[[Times], Times], Callable[[int], str]]] = {
    "date": (_days, _date_name),
    "week": (lambda times: (_days(times) + 3) // 7, _week_name),
    "month": (lambda times: _calendar(times, "M"), lambda month: str(np.datetime64(month, "M"))),
    "year": (lambda times: _calendar(times, "Y") + 1970, lambda year: f"{year:04d}"),
    "hour": (lambda times: times % DAY // HOUR, lambda hour: f"{hour:02d}"),
    "weekday": (lambda times: (_days(times) + 3) % 7, lambda day: WEEKDAYS[day]),
}


class Datetime(Declaration):
    """Declare a column of times, of which one part is used: one feature column per date, week or hour (one-hot).

    Of a context it is what changes from time to time (the mood of a day, the films of a week) or comes again (the
    hour, the weekday); of an item, the month or year when it came out. A part that was not learnt, such as every date
    after the last of the training rows, contributes nothing.

    Parameters
    ----------
    column : hashable
        The column of the table: dates or times of pandas, polars, pyarrow, numpy or Python, texts in ISO 8601, or
        numbers since the beginning of 1970 in UTC.
    part : {"date", "week", "month", "year", "hour", "weekday"}
        ``"date"``, ``"week"`` (from Monday, as in ISO 8601), ``"month"`` and ``"year"`` are those of the calendar:
        March 1998 is not March 1999. ``"hour"`` (0 to 23) and ``"weekday"`` come again.
    unit : {"s", "ms", "us", "ns"}
        What numbers count: seconds, milliseconds, microseconds or nanoseconds.
    time_zone : str
        IANA name of the zone whose clocks and calendar count, such as ``"Europe/Berlin"``. Numbers, and times without
        a zone, are times in UTC; with the default such times stay as they are written.
    min_count : int
        A part in fewer rows gets no column and is treated as an unknown one. Rows are those that are learnt from:
        users or items with interactions, interactions for context.
    missing : {"ignore", "category", "raise"}
        A missing time contributes nothing, has a column of its own, or is an error.
    unknown : {"ignore", "raise"}
        A part that was not learnt contributes nothing, or is an error. One that was too rare is no error.
    name : str, optional
        The field's name; None: those of the column and the part, ``"timestamp_date"``.

    Examples
    --------
    >>> from factorec.encoding import Datetime, Encoder
    >>> table = {"user_id": [1, 2], "item_id": [7, 7], "timestamp": [881250949, 881337349]}
    >>> encoder = Encoder(fields={"context": [Datetime("timestamp"), Datetime("timestamp", part="weekday")]})
    >>> encoder.fit(table).get_feature_names_out().tolist()[2:4]
    ['timestamp_date_1997-12-04', 'timestamp_date_1997-12-05']
    >>> encoder.get_feature_names_out().tolist()[4:6]
    ['timestamp_weekday_Thu', 'timestamp_weekday_Fri']
    """

    def __init__(
        self,
        column: Hashable,
        *,
        part: Literal["date", "week", "month", "year", "hour", "weekday"] = "date",
        unit: Literal["s", "ms", "us", "ns"] = "s",
        time_zone: str = "UTC",
        min_count: int = 1,
        missing: Literal["ignore", "category", "raise"] = "ignore",
        unknown: Literal["ignore", "raise"] = "ignore",
        name: str | None = None,
    ) -> None:
        self.column = column
        self.part = part
        self.unit = unit
        self.time_zone = time_zone
        self.min_count = min_count
        self.missing = missing
        self.unknown = unknown
        self.name = name

    @property
    def columns_read(self) -> list[Hashable]:
        """The one column."""
        return [self.column]

    @property
    def field_name(self) -> str:
        """``name``, or those of the column and the part."""
        return f"{self.column}_{self.part}" if self.name is None else str(self.name)

    def check(self) -> None:
        """Check the parameters."""
        self._check_choice("part", tuple(PARTS))
        self._check_choice("unit", tuple(UNITS))
        self._check_choice("missing", ("ignore", "category", "raise"))
        self._check_choice("unknown", ("ignore", "raise"))
        self._check_min_count()
        try:
            zone_of(self.time_zone)
        except DataError as error:
            raise DataError(f"field {self.field_name!r}: {error}") from None

    def fit_field(self, table: Any, learn: npt.NDArray[np.int64] | None = None) -> DatetimeField:
        """Learn which parts there are; see `Declaration.fit_field`."""
        self.check()
        codes, rows, n_rows = self.read(table)
        return DatetimeField(self.field_name, self, *learn_categories(self, codes, choose(learn, n_rows)[rows]))

    def restore_field(self, learnt: Learnt) -> DatetimeField:
        """Make the field of a file."""
        field = DatetimeField(self.field_name, self, *unpack_categories(learnt, self.column))
        whole_week = np.append(np.arange(0, 7 * DAY, HOUR), [FIRST - DAY, LAST + DAY])
        possible = PARTS[self.part][0](whole_week)
        codes = field.vocabulary.ids
        if len(codes) and (codes.dtype != np.int64 or codes.min() < possible.min() or codes.max() > possible.max()):
            raise ValueError(f"there is no such {self.part}")
        return field

    def read(self, table: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
        """Return the parts as numbers, the rows where a time is not missing, and the number of rows."""
        times, missing = read_times(table, self.column, self.unit)
        rows = np.flatnonzero(~missing)
        return PARTS[self.part][0](local_times(times[rows], zone_of(self.time_zone))), rows, len(times)


class DatetimeField(CategoriesField):
    """The parts that have columns: in the order of time, then the one for missing values."""

    def feature_names(self) -> list[str]:
        """Name the columns ``field_1998-03-28``, ``field_1998-W13``, ``field_21``, ``field_Sat`` and so on."""
        name_of = PARTS[self.declaration.part][1]
        names = [f"{self.name}_{name_of(code)}" for code in self.vocabulary.ids.tolist()]
        return names + [f"{self.name}_missing"] * (self.declaration.missing == "category")

    def distinct(self, table: Any) -> tuple[csr_matrix, npt.NDArray[np.int64]]:
        """One row per part, and one without features where it is needed."""
        codes, rows, n_rows = self.declaration.read(table)
        refuse_missing(self.declaration, rows, n_rows)
        place = self.vocabulary.locate(codes)
        self._refuse_unknown(codes, place, rows)
        nothing = self.n_columns
        which = np.full(n_rows, nothing - 1 if self.declaration.missing == "category" else nothing)
        which[rows] = np.where(place < 0, nothing, place)
        columns = np.arange(self.n_columns)
        return one_hot(np.append(columns, -1) if (which == nothing).any() else columns, self.n_columns), which

    def _refuse_unknown(
        self, codes: npt.NDArray[np.int64], place: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
    ) -> None:
        if self.declaration.unknown != "raise":
            return
        rare: Vocabulary | None = self.rare
        wrong = place < 0 if rare is None else (place < 0) & (rare.locate(codes) < 0)
        if wrong.any():
            first, part = int(np.argmax(wrong)), self.declaration.part
            raise DataError(
                f"column {self.declaration.column!r} holds the {part} {PARTS[part][1](int(codes[first]))} in "
                f"row {rows[first]} (counting from 0), which was not learnt; declare unknown='ignore' to count it as "
                f"nothing"
            )
