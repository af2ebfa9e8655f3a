"""Whatever the table, a split is a partition, the same for the same seed, and keeps what its name promises."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from factorec.errors import DataError
from factorec.model_selection import LeaveLastN, RandomSplit, TemporalSplit, UserSplit

rows = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 4)), min_size=0, max_size=30)
sizes = st.one_of(st.integers(1, 8), st.floats(0.01, 0.99))


def columns(pairs):
    return {"user_id": np.array([u for u, _ in pairs], int), "timestamp": np.array([t for _, t in pairs], int)}


def parts(split):
    """All splits as arrays; None where the splitter says that it cannot."""
    try:
        return list(split)
    except DataError:
        return None


@settings(max_examples=200, deadline=None)
@given(rows, sizes, st.integers(1, 4), st.integers(0, 3), st.integers(0, 5))
def test_a_split_is_a_partition_and_repeats(pairs, size, n, min_train, seed):
    table = columns(pairs)
    for splitter in (
        RandomSplit(size, n_splits=2, random_state=seed),
        TemporalSplit(size),
        LeaveLastN(n, min_train=min_train),
        UserSplit(size, n_splits=2, random_state=seed),
    ):
        found = parts(splitter.split(table))
        if found is None:
            continue
        assert len(found) == splitter.get_n_splits()
        for train, test in found:
            assert len(train)
            assert len(test)
            assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(pairs)))
        again = parts(splitter.split(table))
        assert all(
            np.array_equal(a, b) for old, new in zip(found, again, strict=True) for a, b in zip(old, new, strict=True)
        )


@settings(max_examples=200, deadline=None)
@given(rows, sizes, st.one_of(st.integers(1, 4), st.floats(0.05, 0.95)), st.booleans(), st.integers(0, 5))
def test_held_out_users_are_new_and_each_is_tested(pairs, size, told, by_time, seed):
    table = columns(pairs)
    splitter = UserSplit(size, given=told, time="timestamp" if by_time else None, random_state=seed)
    for train, given_rows, test in parts(splitter.split_given(table)) or []:
        user, time = table["user_id"], table["timestamp"]
        assert np.array_equal(np.sort(np.concatenate([train, given_rows, test])), np.arange(len(pairs)))
        held = set(user[test].tolist())
        assert set(user[given_rows].tolist()) <= held
        assert not held & set(user[train].tolist())
        for one in held:
            first, rest = given_rows[user[given_rows] == one], test[user[test] == one]
            if by_time and len(first):
                assert max((time[row], row) for row in first) < min((time[row], row) for row in rest)


@settings(max_examples=200, deadline=None)
@given(rows, st.integers(1, 4), st.integers(0, 3))
def test_the_last_rows_of_each_user_are_held_out(pairs, n, min_train):
    table = columns(pairs)
    for train, test in parts(LeaveLastN(n, min_train=min_train).split(table)) or []:
        for one in set(table["user_id"].tolist()):
            kept, held = (
                sorted((table["timestamp"][r], r) for r in part if table["user_id"][r] == one) for part in (train, test)
            )
            assert len(held) == max(min(n, len(kept) + len(held) - min_train), 0)
            assert not kept or not held or kept[-1] < held[0]
