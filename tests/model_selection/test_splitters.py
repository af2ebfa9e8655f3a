"""Which rows each splitter holds out, with the edges: ties, short histories, one side empty, unusable columns."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone

from factorec.errors import DataError
from factorec.model_selection import LeaveLastN, RandomSplit, TemporalSplit, UserSplit

TABLE = {
    "user_id": [5, 5, 5, 7, 7, 9, 5, 7],
    "item_id": [1, 2, 3, 1, 2, 1, 4, 9],
    "timestamp": [30, 10, 20, 5, 5, 7, 30, 5],
}
ALL = [RandomSplit(0.3, random_state=0), TemporalSplit(0.3), LeaveLastN(2), UserSplit(0.5, random_state=0)]


def table(n=600, n_users=40, seed=0):
    random = np.random.default_rng(seed)
    return {
        "user_id": random.integers(0, n_users, n) * 3,
        "item_id": random.integers(0, 50, n),
        "timestamp": random.integers(0, 90, n),
    }


def lists(splits):
    return [tuple(part.tolist() for part in parts) for parts in splits]


@pytest.mark.parametrize("splitter", ALL, ids=lambda splitter: type(splitter).__name__)
@pytest.mark.parametrize("kind", [dict, pd.DataFrame, lambda t: pd.DataFrame(t).astype(object), pl.DataFrame, pa.table])
def test_any_table_gives_the_same_disjoint_ascending_rows(splitter, kind):
    rows = table()
    (train, test), *_ = splitter.split(kind(rows))
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(600))
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()
    assert lists(splitter.split(rows)) == lists([(train, test)])
    assert splitter.get_n_splits(rows) == 1
    assert lists(clone(splitter).split(rows)) == lists(splitter.split(rows))  # the same seed, the same rows


def test_random_split():
    splits = lists(RandomSplit(0.3, n_splits=3, random_state=1).split(TABLE))
    assert [len(test) for _, test in splits] == [3, 3, 3]  # 2.4, rounded up as scikit-learn does
    assert len({tuple(test) for _, test in splits}) == 3
    assert splits == lists(RandomSplit(3, n_splits=3, random_state=1).split(TABLE))
    assert splits != lists(RandomSplit(3, n_splits=3, random_state=2).split(TABLE))


def test_temporal_split_takes_the_newest_and_breaks_ties_by_row():
    assert lists(TemporalSplit(1).split(TABLE)) == [([0, 1, 2, 3, 4, 5, 7], [6])]
    assert lists(TemporalSplit(0.25).split(TABLE)) == [([1, 2, 3, 4, 5, 7], [0, 6])]
    assert lists(TemporalSplit(2, time=None).split(TABLE)) == [([0, 1, 2, 3, 4, 5], [6, 7])]
    windows = lists(TemporalSplit(2, n_splits=3).split(TABLE))  # rows by time: 3 4 7 | 5 1 | 2 0 | 6
    assert windows == [([3, 4], [5, 7]), ([3, 4, 5, 7], [1, 2]), ([1, 2, 3, 4, 5, 7], [0, 6])]
    rows = table()
    train, test = next(TemporalSplit(0.2).split(rows))
    assert rows["timestamp"][train].max() <= rows["timestamp"][test].min()


def test_leave_last_n_takes_each_users_newest():
    # user 5 by time: rows 1 2 0 6, user 7: rows 3 4 7 (ties), user 9: row 5 alone
    assert lists(LeaveLastN(1).split(TABLE)) == [([0, 1, 2, 3, 4, 5], [6, 7])]
    assert lists(LeaveLastN(2).split(TABLE)) == [([1, 2, 3, 5], [0, 4, 6, 7])]
    assert lists(LeaveLastN(9).split(TABLE)) == [([1, 3, 5], [0, 2, 4, 6, 7])]  # each keeps one
    assert lists(LeaveLastN(2, min_train=2).split(TABLE)) == [([1, 2, 3, 4, 5], [0, 6, 7])]
    assert lists(LeaveLastN(1, min_train=0).split(TABLE)) == [([0, 1, 2, 3, 4], [5, 6, 7])]
    assert lists(LeaveLastN(1, time=None).split(TABLE)) == [([0, 1, 2, 3, 4, 5], [6, 7])]
    rows = table()
    train, test = next(LeaveLastN(3).split(rows))
    for user in np.unique(rows["user_id"]):
        kept, held = (rows["timestamp"][part[rows["user_id"][part] == user]] for part in (train, test))
        assert len(held) == 3
        assert kept.max() <= held.min()


def test_user_split_holds_out_whole_users():
    rows = table()
    train, test = next(UserSplit(0.2, random_state=0).split(rows))
    held = np.unique(rows["user_id"][test])
    assert len(held) == 8
    assert not np.isin(rows["user_id"][train], held).any()
    assert len(train) + len(test) == 600
    draws = [np.unique(rows["user_id"][test]).tolist() for _, test in UserSplit(9, n_splits=2).split(rows)]
    assert len(draws[0]) == len(draws[1]) == 9
    assert draws[0] != draws[1]


@pytest.mark.parametrize("given", [0.5, 4])
@pytest.mark.parametrize("time", [None, "timestamp"])
def test_held_out_users_give_some_of_their_rows(given, time):
    """Promise: 20 % of the users held out entirely, half of their ratings given."""
    rows = table()
    splitter = UserSplit(0.2, given=given, time=time, random_state=0)
    train, told, test = next(splitter.split_given(rows))
    assert np.array_equal(np.sort(np.concatenate([train, told, test])), np.arange(600))
    assert lists(splitter.split(rows)) == lists([(train, test)])
    held = np.unique(rows["user_id"][test])
    assert len(held) == 8
    assert not np.isin(rows["user_id"][train], held).any()
    for user in held:
        first, rest = (part[rows["user_id"][part] == user] for part in (told, test))
        assert len(first) == (given if given == 4 else (len(first) + len(rest)) // 2)
        if time is not None:
            assert rows["timestamp"][first].max() <= rows["timestamp"][rest].min()


def test_a_user_with_few_rows_keeps_one_for_the_test():
    rows = {"user_id": [1, 1, 2, 3, 3], "item_id": [1, 2, 3, 4, 5]}
    for seed in range(5):
        for given in (10, 0.9):
            splitter = UserSplit(2, given=given, random_state=seed)
            _, _, test = next(splitter.split_given(rows))
            assert len(np.unique(np.array(rows["user_id"])[test])) == 2
    with pytest.raises(DataError, match="gives no row"):
        next(UserSplit(1, given=1).split_given({"user_id": [1, 2]}))
    with pytest.raises(DataError, match="gives no row"):
        next(UserSplit(1).split_given(rows))


def test_a_share_is_not_lost_to_rounding():
    rows = {"user_id": np.repeat([1, 2], 100)}
    assert len(next(UserSplit(1, given=0.29).split_given(rows))[1]) == 29  # 0.29 * 100 = 28.999999999999996
    assert len(next(RandomSplit(0.07).split(rows))[1]) == 14  # 0.07 * 200 = 14.000000000000002


DAYS = ["2026-03-01", "2025-12-31T23:00:00", "2026-03-01T00:00:01", "2024-02-29"]
MOMENTS = [dt.datetime.fromisoformat(day) for day in DAYS]
TIMES = {
    "text": DAYS,
    "object text": pd.Series(DAYS, dtype=object),
    "datetimes": MOMENTS,
    "numpy": np.array(MOMENTS, "M8[s]"),
    "pandas": pd.Series(MOMENTS),
    "pandas with zone": pd.Series(pd.to_datetime(pd.Series(MOMENTS)).dt.tz_localize("Europe/Berlin")),
    "pandas objects": pd.Series([pd.Timestamp(moment) for moment in MOMENTS], dtype=object),
    "polars": pl.Series(MOMENTS),
    "polars with zone": pl.Series(MOMENTS).dt.replace_time_zone("America/New_York"),
    "arrow": pa.chunked_array([MOMENTS]),
    "zones in text": [f"{moment.isoformat()}+02:00" for moment in MOMENTS],
    "floats": [3.5, 3.0, 3.6, -1.0],
    "object numbers": pd.Series([3.5, 3, 3.6, -1], dtype=object),
    "durations": pd.to_timedelta(pd.Series([3, 2, 4, 1]), unit="s"),
    "dates": pd.Series([dt.date(2026, 3, 1), dt.date(2026, 2, 1), dt.date(2026, 3, 2), dt.date(2020, 1, 1)]),
    "polars dates": pl.Series([dt.date(2026, 3, 1), dt.date(2026, 2, 1), dt.date(2026, 3, 2), dt.date(2020, 1, 1)]),
}


@pytest.mark.parametrize("values", TIMES.values(), ids=TIMES)
def test_times_of_any_kind_sort(values):
    rows = {"timestamp": values}
    assert [test.tolist() for _, test in TemporalSplit(1, n_splits=3).split(rows)] == [[1], [0], [2]]


def test_an_offset_in_text_counts():
    times = ["2026-03-01T00:30:00+02:00", "2026-02-28T23:00:00Z"]  # half an hour earlier than it looks
    assert lists(TemporalSplit(1).split({"timestamp": times})) == [([0], [1])]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, np.nan, 2.0], "column 't' has no time in row 1"),
        ([1, None, 2], "column 't' has no time in row 1"),
        (["2026-01-01", "2026-01-02", ""], "column 't' has no time in row 2"),
        (pd.Series(["2026-01-01", None, "2026-01-02"]), "column 't' has no time in row 1"),
        (pd.to_datetime(pd.Series(["2026-01-01", None, "2026-01-02"])), "column 't' has no time in row 1"),
        (pl.Series([dt.datetime(2026, 1, 1), None, None]), "column 't' has no time in row 1"),
        (["2026-01-01", "3/4/2026", "2026-01-02"], "holds '3/4/2026' in row 1 .* ISO 8601"),
        (["881250949", "881250950", "881250951"], "holds '881250949' in row 0 .* a time is a number, a date"),
        ([dt.time(1), dt.time(2), dt.time(3)], "holds datetime.time.* in row 0"),
        (
            ["2026-01-01", "2026-01-02", "2026-01-02T01:00:00Z"],
            "time zone in some rows and none in others, as in row 2",
        ),
        ([True, False, True], "type bool, which have no order in time"),
        ([1, 2], "has (2|3) values, the table has (3|2) rows"),
    ],
)
def test_times_that_cannot_be_used(values, message):
    rows = {"user_id": [1, 1, 1], "t": values}
    for splitter in (TemporalSplit(1, time="t"), LeaveLastN(1, time="t"), UserSplit(1, given=1, time="t")):
        if isinstance(splitter, UserSplit):
            rows = {**rows, "user_id": [1, 1, 2]}
        with pytest.raises(DataError, match=message):
            next(splitter.split(rows))


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        *(
            (kind(size), "test_size must be")
            for size in (0, 0.0, 1.0, -1, 1.5, True, "0.2", None, np.nan)
            for kind in (RandomSplit, TemporalSplit, UserSplit)
        ),
        (RandomSplit(8), "test_size=8 of 8 rows leaves none to train on"),
        (RandomSplit(0.99), "test_size=0.99 of 8 rows leaves none"),
        (UserSplit(3), "test_size=3 of 3 users leaves none"),
        (TemporalSplit(4, n_splits=2), "2 windows of 4 rows leave none of 8"),
        (TemporalSplit(0.2, time="when"), "no column 'when'; its columns are 'user_id', 'item_id', 'timestamp'"),
        (LeaveLastN(1, user="who"), "no column 'who'"),
        (LeaveLastN(0), "n must be an integer of at least 1, got 0"),
        (LeaveLastN(0.2), "n must be an integer"),
        (LeaveLastN(1, min_train=-1), "min_train must be an integer of at least 0"),
        (LeaveLastN(1, min_train=4), "no user has more than min_train=4 rows"),
        (LeaveLastN(4, min_train=0), "no user has more than n=4 rows"),
        (UserSplit(1, given=-1), "given must be a share"),
        (UserSplit(1, given=1.0), "given must be a share"),
        (UserSplit(1, given="half"), "given must be a share"),
        (RandomSplit(0.2, n_splits=0), "n_splits must be an integer of at least 1"),
    ],
)
def test_what_cannot_be_split_says_why(splitter, message):
    with pytest.raises(DataError, match=message):
        next(splitter.split(TABLE))


def test_small_tables_and_missing_ids():
    for splitter in ALL:
        with pytest.raises(DataError, match="cannot be split"):
            next(splitter.split({name: values[:1] for name, values in TABLE.items()}))
    with pytest.raises(DataError, match="column 'user_id' has no id in row 1"):
        next(UserSplit(1).split({"user_id": [1, None, 2]}))


def test_repr_shows_what_was_set():
    assert repr(LeaveLastN(2)) == "LeaveLastN(n=2)"
    assert repr(UserSplit(0.3, given=0.5)) == "UserSplit(given=0.5, test_size=0.3)"
