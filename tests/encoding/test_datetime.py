"""Times as features: the same parts from any library, in any unit; what is no time is named."""

from __future__ import annotations

import datetime
import json
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from factorec.encoding import Datetime, Encoder
from factorec.encoding.auto import infer_fields
from factorec.errors import DataError, FormatError

UTC = datetime.UTC
TIMES = [
    datetime.datetime(1997, 12, 29, 23, 59, 59),
    datetime.datetime(1998, 1, 4, 0, 0, 0),
    datetime.datetime(1969, 12, 31, 23, 0, 0, 1),
    datetime.datetime(2000, 2, 29, 12, 30),
    datetime.datetime(1996, 12, 30, 6),
]
SECONDS = np.array([time.replace(tzinfo=UTC).timestamp() for time in TIMES])
TRAIN = {"user_id": [1, 2, 3, 4, 5], "item_id": [1, 1, 1, 1, 1]}
NAMES = {
    "date": lambda t: t.date().isoformat(),
    "week": lambda t: "{:04d}-W{:02d}".format(*t.isocalendar()),
    "month": lambda t: t.strftime("%Y-%m"),
    "year": lambda t: str(t.year),
    "hour": lambda t: f"{t.hour:02d}",
    "weekday": lambda t: t.strftime("%a"),
}


def encoder_of(times, **parameters):
    return Encoder(fields={"context": [Datetime("t", name="t", **parameters)]}).fit(TRAIN | {"t": times})


def names_of(times, **parameters):
    """The name of the column that each row has."""
    encoder = encoder_of(times, **parameters)
    start, stop = encoder.field_ranges_["t"]
    rows = encoder.transform(TRAIN | {"t": times})[:, start:stop].toarray()
    assert set(rows.ravel().tolist()) <= {0.0, 1.0}
    names = [name.removeprefix("t_") for name in encoder.get_feature_names_out()[start:stop]]
    return [[name for name, value in zip(names, row, strict=True) if value] for row in rows]


AWARE = [time.replace(tzinfo=UTC).astimezone(ZoneInfo("Asia/Kolkata")) for time in TIMES]
COLUMNS = {
    "list": TIMES,
    "aware": AWARE,
    "texts": [time.isoformat() for time in TIMES],
    "aware texts": [time.isoformat() for time in AWARE],
    "numpy us": np.array(TIMES, "M8[us]"),
    "numpy ns": np.array(TIMES, "M8[ns]"),
    "pandas": pd.Series(TIMES),
    "pandas zone": pd.Series(TIMES).dt.tz_localize("UTC").dt.tz_convert("America/New_York"),
    "pandas s": pd.Series(TIMES).astype("datetime64[s]"),
    "pandas objects": pd.Series(TIMES, dtype=object),
    "pandas texts": pd.Series([time.isoformat() for time in TIMES]),
    "polars": pl.Series(TIMES),
    "polars zone": pl.Series(TIMES).dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"),
    "polars ms": pl.Series(TIMES).cast(pl.Datetime("ms")),
    "polars texts": pl.Series([time.isoformat() for time in TIMES]),
    "pyarrow": pa.chunked_array([pa.array(TIMES)]),
    "pyarrow zone": pa.chunked_array([pa.array(AWARE, pa.timestamp("us", "Asia/Kolkata"))]),
    "seconds": SECONDS,
    "floor seconds": np.floor(SECONDS).astype(np.int64),
    "pandas Int64": pd.Series(np.floor(SECONDS)).astype("Int64"),
}


@pytest.mark.parametrize("part", list(NAMES))
@pytest.mark.parametrize("kind", list(COLUMNS))
def test_every_library_gives_the_parts_of_python(kind, part):
    assert names_of(COLUMNS[kind], part=part) == [[NAMES[part](time)] for time in TIMES]


@pytest.mark.parametrize("part", list(NAMES))
def test_columns_stand_in_the_order_of_time(part):
    names = encoder_of(TIMES, part=part).get_feature_names_out()[5:-1].tolist()
    expected = sorted({NAMES[part](time) for time in TIMES})
    if part == "weekday":
        expected = [day for day in ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] if day in expected]
    assert names == [f"t_{name}" for name in expected]


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
@pytest.mark.parametrize("dtype", [np.int64, float])
def test_units_of_numbers(unit, factor, dtype):
    whole = np.floor(SECONDS).astype(dtype) * factor
    assert names_of(whole, part="hour", unit=unit) == [[NAMES["hour"](time)] for time in TIMES]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "UTC"])
@pytest.mark.parametrize("part", ["date", "hour"])
def test_parts_are_those_of_the_time_zone(zone, part):
    """Around changes of clocks, to the microsecond, as Python has it."""
    base = [datetime.datetime(1998, 3, 29, tzinfo=UTC), datetime.datetime(2011, 12, 30, tzinfo=UTC),
            datetime.datetime(2021, 10, 31, tzinfo=UTC), datetime.datetime(1972, 1, 7, tzinfo=UTC)]  # fmt: skip
    times = [at + datetime.timedelta(minutes=minute, microseconds=-1) for at in base for minute in range(-90, 1500, 15)]
    table = {"user_id": np.ones(len(times), int), "item_id": np.ones(len(times), int), "t": times}
    encoder = Encoder(fields={"context": [Datetime("t", part=part, time_zone=zone)]}).fit(table)
    start, stop = encoder.field_ranges_[f"t_{part}"]
    found = encoder.get_feature_names_out()[start + encoder.transform(table)[:, start:stop].toarray().argmax(axis=1)]
    expected = [f"t_{part}_" + NAMES[part](time.astimezone(ZoneInfo(zone))) for time in times]
    assert found.tolist() == expected


def test_dates_without_times_and_missing_values():
    dates = [datetime.date(1998, 1, 4), None, datetime.date(1998, 1, 4), datetime.date(1999, 5, 6), None]
    expected = [["1998-01-04"], [], ["1998-01-04"], ["1999-05-06"], []]
    for column in (
        dates,
        pl.Series(dates),
        pa.chunked_array([pa.array(dates)]),
        pd.Series(pd.to_datetime(pd.Series(dates))),
        [None if date is None else date.isoformat() for date in dates],
        [np.nan if date is None else (date - datetime.date(1970, 1, 1)).days * 86400 for date in dates],
    ):
        assert names_of(column) == expected
    assert names_of(dates, missing="category")[1] == ["missing"]
    assert names_of(dates, min_count=2) == [["1998-01-04"], [], ["1998-01-04"], [], []]
    with pytest.raises(DataError, match="'t' has no value in row 1"):
        encoder_of(dates, missing="raise").encode(TRAIN | {"t": dates})


def test_what_was_not_learnt_adds_nothing():
    encoder = encoder_of(SECONDS, part="month")
    later = {"user_id": [1], "item_id": [1], "t": [4e9]}
    assert encoder.transform(later).toarray()[0, 5:-1].sum() == 0
    strict = encoder_of(SECONDS, part="month", unknown="raise")
    with pytest.raises(DataError, match=r"holds the month 2096-10 in row 0 .* was not learnt"):
        strict.transform(later)
    rare = encoder_of(np.array([0, 0, 1e9, 0, 0]), part="year", unknown="raise", min_count=2)
    assert rare.transform(later | {"t": [1e9]}).toarray()[0, 5:-1].sum() == 0


def test_stored_once_per_distinct_part():
    n = 10_000
    table = {"user_id": np.zeros(n, int), "item_id": np.zeros(n, int), "t": np.arange(n) * 60}
    encoder = Encoder(fields={"context": [Datetime("t")]}).fit(table)
    assert encoder.entities("t_date").rows.shape == (7, 9)


def test_of_users_and_of_items():
    items = {"item_id": [1, 2], "released": ["1995-06-01", "1996-01-01"]}
    fields = {"item": [Datetime("released", part="year")], "user": [Datetime("joined", part="month")]}
    users = {"user_id": [1, 2], "joined": np.array(["1998-01-01", "NaT"], "M8[D]")}
    encoder = Encoder(fields=fields).fit({"user_id": [1, 2], "item_id": [1, 1]}, users=users, items=items)
    assert encoder.get_feature_names_out().tolist() == [
        "user_id_1", "user_id_2", "joined_month_1998-01", "item_id_1", "released_year_1995",
    ]  # fmt: skip
    assert encoder.entities("item").rows.toarray()[1].tolist() == [0, 0, 0, 0, 0]  # nobody met a film of 1996


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            [874965758000, 1, 1, 1, 1],
            r"holds 874965758000 in row 0 .* no time in the years 1 to 9999; .* 's', give unit=",
        ),
        ([1.0, 1, np.inf, 1, 1], "holds inf in row 2"),
        ([1, 1, -(2**63), 1, 1], r"holds -9223372036854775808 in row 2"),
        ([1, 1, 1e300, 1, 1], "in row 2"),
        (np.array([1, 2**64 - 1, 1, 1, 1], np.uint64), "in row 1"),
        (["1998-01-01", "yesterday", None, "", "1998"], "'yesterday' in row 1 .* no time in ISO 8601"),
        (["1998-01-01", 7, None, "a", "b"], "holds 7 in row 1 .* no time"),
        ([True, False, True, True, True], "type bool, not times"),
        ([datetime.timedelta(1)] * 5, "type timedelta64.*, not times"),
        ([[1], [2], [3], [4], [5]], r"holds \[1\] in row 0"),
        (np.array(["-20000-01-01"] * 5, "M8[D]"), "in row 0 .* no time in the years 1 to 9999"),
    ],
)
def test_what_is_no_time_is_named(times, message):
    """Promise 6."""
    with pytest.raises(DataError, match=message):
        encoder_of(times)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"part": "day"}, "field 't': part must be one of 'date', 'week', .*, got 'day'"),
        ({"unit": "minutes"}, "field 't': unit must be one of 's', 'ms', 'us', 'ns', got 'minutes'"),
        ({"time_zone": "Mars/Base"}, "field 't': there is no time zone 'Mars/Base'"),
        ({"time_zone": None}, "field 't': there is no time zone None"),
        ({"time_zone": "../../etc/passwd"}, "there is no time zone"),
        ({"missing": 1}, "missing must be one of"),
        ({"unknown": "x"}, "unknown must be one of"),
        ({"min_count": 0}, "min_count must be"),
    ],
)
def test_wrong_parameters(parameters, message):
    with pytest.raises(DataError, match=message):
        encoder_of(SECONDS, **parameters)


@pytest.mark.parametrize("part", list(NAMES))
def test_a_state_gives_the_field_back(part):
    parameters = {"part": part, "missing": "category", "time_zone": "Asia/Kolkata"}
    encoder = encoder_of([*TIMES[:4], None], **parameters)
    metadata, tensors = encoder.state()
    again = Encoder.from_state("user_id", "item_id", encoder.fields, json.loads(json.dumps(metadata)), tensors)
    assert again.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()
    assert (again.transform(TRAIN | {"t": TIMES}) != encoder.transform(TRAIN | {"t": TIMES})).nnz == 0
    assert again.declared_fields_["context"][0].get_params() == encoder.declared_fields_["context"][0].get_params()


@pytest.mark.parametrize(
    ("part", "text"), [("weekday", b"9"), ("date", b"9999999999"), ("week", b"999999999999"), ("year", b"x")]
)
def test_a_file_with_other_numbers_is_refused(part, text):
    """Promise 8."""
    encoder = Encoder(fields={"context": [Datetime("t", part=part)]}).fit({"user_id": [1], "item_id": [1], "t": [0]})
    metadata, tensors = encoder.state()
    tensors = tensors | {
        "fields.texts.bytes": np.frombuffer(text, np.uint8),
        "fields.texts.offsets": np.array([0, len(text)]),
    }
    with pytest.raises((FormatError, DataError)):
        Encoder.from_state("user_id", "item_id", encoder.fields, metadata, tensors)


def test_auto_names_the_field_for_dates(capsys):
    users = {"user_id": [1, 2, 3], "joined": np.array(["1998-01-01"] * 3, "M8[D]")}
    assert infer_fields({"user": users, "item": None}, {"user": "user_id", "item": "item_id"}) == {
        "user": [],
        "item": [],
    }
    assert "declare Datetime(column" in capsys.readouterr().out
