"""Ids to places and back: any integers, any strings, few or many, in a narrow or a wide range."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factorec.encoding import Vocabulary, _ids
from factorec.errors import DataError

INTEGERS = st.one_of(
    st.lists(st.integers(-50, 50)),
    st.lists(st.integers(-(2**63), 2**63 - 1)),
    st.lists(st.integers(0, 10**6)),
)
STRINGS = st.lists(st.text(max_size=12))
COLUMNS = {
    "list": list,
    "object": lambda ids: np.array(ids, dtype=object),
    "pandas": pd.Series,
    "polars": pl.Series,
    "pyarrow": pa.array,
    "pyarrow chunks": lambda ids: pa.chunked_array([ids[:1], ids[1:]]),
}


@given(ids=st.one_of(INTEGERS, STRINGS), data=st.data())
def test_encode_then_decode_gives_the_ids_back(ids, data):
    column = np.array(ids, dtype=object)
    vocabulary, index = Vocabulary.from_values(column)
    assert vocabulary.ids.tolist() == sorted(set(ids))
    assert vocabulary.decode(index).tolist() == ids
    assert index.dtype == np.int64
    order = np.array(data.draw(st.permutations(range(len(ids)))), dtype=np.intp)
    permuted, permuted_index = Vocabulary.from_values(column[order])
    np.testing.assert_array_equal(permuted.ids, vocabulary.ids)
    np.testing.assert_array_equal(permuted_index, index[order])
    np.testing.assert_array_equal(vocabulary.index(column), index)


@given(known=INTEGERS, asked=INTEGERS)
def test_integers_are_found_where_they_are(known, asked):
    check_index(known, asked)


@given(known=STRINGS, asked=STRINGS)
def test_strings_are_found_where_they_are(known, asked):
    check_index(known, asked)


def check_index(known, asked):
    vocabulary, _ = Vocabulary.from_values(np.array(known, dtype=object))
    place = {value: n for n, value in enumerate(sorted(set(known)))}
    if known and not asked:
        asked = known[:1]
    if not known:
        return
    expected = [place.get(value, -1) for value in asked]
    assert vocabulary.index(np.array(asked, dtype=object)).tolist() == expected


@given(first=INTEGERS, second=INTEGERS)
def test_extend_keeps_old_places(first, second):
    vocabulary, _ = Vocabulary.from_values(np.array(first, dtype=np.int64))
    longer = vocabulary.extend(np.array(second, dtype=np.int64))
    assert longer.ids.tolist() == sorted(set(first)) + sorted(set(second) - set(first))
    assert longer.decode(longer.index(longer.ids)).tolist() == longer.ids.tolist()
    np.testing.assert_array_equal(longer.index(vocabulary.ids), np.arange(len(vocabulary)))
    few = longer.ids[:: max(1, len(longer) // 3)]
    np.testing.assert_array_equal(longer.index(few), np.flatnonzero(np.isin(longer.ids, few)))


@pytest.mark.parametrize("column", COLUMNS)
def test_few_ids_among_many(column):
    """Few are found by bisection, many by hashing or a table: the same places, also after extend()."""
    for make in (lambda n: int(n) * 10**12, lambda n: f"id {n:05d}", int):
        vocabulary, _ = Vocabulary.from_values([make(n) for n in range(0, 4000, 2)])
        vocabulary = vocabulary.extend([make(n) for n in range(1, 999, 2)])
        asked = [make(n) for n in (3998, 1, 0, 1001, 4444)]
        expected = [1999, 2000, 0, -1, -1]
        assert vocabulary.index(COLUMNS[column](asked)).tolist() == expected
        assert vocabulary.index(COLUMNS[column](asked * 100)).tolist() == expected * 100


@pytest.mark.parametrize("column", COLUMNS)
def test_order_is_by_code_point(column):
    """The same ids give the same bits whatever the table. UTF-16 would put the emoji before U+FFFF."""
    ids = ["é", "z", "\uffff", "😀", "", "Z", "e\u0301", "nul\0", "nul"]
    vocabulary, index = Vocabulary.from_values(COLUMNS[column](ids))
    assert vocabulary.ids.tolist() == sorted(ids)
    assert vocabulary.ids.dtype == object
    assert all(type(value) is str for value in vocabulary.ids)
    assert vocabulary.decode(index).tolist() == ids


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint32, np.uint64, np.float32, np.float64, object])
def test_numbers_of_every_type_are_int64(dtype):
    vocabulary, index = Vocabulary.from_values(np.array([7, 3, 7], dtype=dtype))
    assert vocabulary.ids.dtype == np.int64
    assert vocabulary.ids.tolist() == [3, 7]
    assert index.tolist() == [1, 0, 1]


def test_strings_of_every_type_are_str():
    for values in (
        np.array(["b", "a"]),
        pd.Series(["b", "a"], dtype=object),
        pd.Series(["b", "a"], dtype="string"),
    ):
        vocabulary, index = Vocabulary.from_values(values)
        assert vocabulary.ids.tolist() == ["a", "b"]
        assert index.tolist() == [1, 0]


def test_categories_count_where_they_occur():
    for values in (
        pd.Series(pd.Categorical(["b", "a"], categories=["z", "b", "a"])),
        pl.Series(["b", "a"], dtype=pl.Enum(["z", "b", "a"])),
        pa.DictionaryArray.from_arrays([1, 2], ["z", "b", "a"]),
    ):
        vocabulary, index = Vocabulary.from_values(values)
        assert vocabulary.ids.tolist() == ["a", "b"]
        assert index.tolist() == [1, 0]
    numbers, _ = Vocabulary.from_values(pd.Series([30, 4]).astype("category"))
    assert numbers.ids.tolist() == [4, 30]


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 2.0, np.nan, np.nan],
        np.array(["a", "b", None], dtype=object),
        np.array(["a", "b", np.nan], dtype=object),
        np.array([1, 2, None], dtype=object),
        np.array([1, 2, pd.NA], dtype=object),
        pd.Series(["a", "b", None]),
        pd.Series(["a", "b", None], dtype=object),
        pd.Series([1, 2, None], dtype="Int64"),
        pd.Series([1, 2, None]),
        pd.Series(["a", "b", None], dtype="category"),
        pl.Series(["a", "b", None]),
        pl.Series([1, 2, None]),
        pl.Series([1.0, 2.0, float("nan")]),
        pa.array(["a", "b", None]),
        pa.array([1, 2, None]),
    ],
    ids=lambda values: f"{type(values).__module__.split('.')[0]}-{getattr(values, 'dtype', '')}",
)
def test_a_missing_id_is_named(values):
    with pytest.raises(DataError, match=r"column 'film' has no id in row 2 \(counting from 0\); drop such rows"):
        Vocabulary.from_values(values, name="film")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [1.0, 2.5],
            r"holds 2.5 in row 1 \(counting from 0\), not a whole number; ids are integers or strings",
        ),
        ([1.0, np.inf], "holds inf in row 1"),
        ([1.0, 1e300], "holds 1e\\+300 in row 1"),
        (np.array([1, 2**63], dtype=np.uint64), f"holds {2**63} in row 1 .*more than 64 bits"),
        (np.array([1, 2**64], dtype=object), f"holds {2**64} in row 1 .*more than 64 bits"),
        ([True, False], "values of type bool; ids are integers or strings"),
        (pl.Series([True]), "values of type Boolean"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "values of type datetime64"),
        (pd.Series(pd.to_datetime(["2020-01-01"])), "values of type Datetime"),
        (np.array(["a", 1], dtype=object), r"holds 1 \(int\) in row 1"),
        (np.array([1, "a"], dtype=object), r"holds 'a' \(str\) in row 1"),
        (["a", b"a"], r"holds b'a' \(bytes\) in row 1"),
        ([b"a"], "values of type"),
        (np.array([1, True], dtype=object), r"holds True \(bool\) in row 1"),
        ([1j], "complex128"),
        (np.array(["a", "\ud800"], dtype=object), r"holds '\\ud800' in row 1 .*UTF-8 cannot encode"),
        ([[1, 2]], r"one dimension, got shape \(1, 2\)"),
        (5, r"one dimension, got shape \(\)"),
    ],
)
def test_what_is_no_id_is_named(values, message):
    with pytest.raises(DataError, match=message) as failure:
        Vocabulary.from_values(values, name="film")
    assert "'film'" in str(failure.value)


def test_mixed_numbers_pass_where_they_are_whole():
    assert Vocabulary.from_values(np.array([2, 1.0], dtype=object))[0].ids.tolist() == [1, 2]


def test_kinds_do_not_mix():
    vocabulary, _ = Vocabulary.from_values(["1", "2"], name="film")
    for look_up in (vocabulary.index, vocabulary.extend):
        with pytest.raises(DataError, match="column 'film' holds integers, but the ids known there are strings"):
            look_up([1, 2])
    assert vocabulary.index([]).tolist() == []
    assert Vocabulary.from_values([])[0].index([3]).tolist() == [-1]


def test_ids_given_directly_keep_their_order():
    vocabulary = Vocabulary(["b", "c", "a"])
    assert vocabulary.index(["a", "b", "z"]).tolist() == [2, 0, -1]
    assert len(vocabulary) == 3
    assert repr(vocabulary) == "Vocabulary(3 strings, name='id')"
    with pytest.raises(DataError, match="id 'b' of 'film' is given twice"):
        Vocabulary(["b", "a", "b"], name="film")


def test_decode_refuses_places_that_do_not_exist():
    vocabulary = Vocabulary([5, 6])
    assert vocabulary.decode([[1, 0], [0, 0]]).tolist() == [[6, 5], [5, 5]]
    assert vocabulary.decode(np.empty(0, dtype=np.int64)).tolist() == []
    for wrong in (-1, 2):
        with pytest.raises(DataError, match=f"has the place {wrong}; there are 2"):
            vocabulary.decode([0, wrong])


def test_ids_cannot_be_changed_and_survive_pickling():
    vocabulary, _ = Vocabulary.from_values([3, 1])
    with pytest.raises(ValueError, match="read-only"):
        vocabulary.ids[0] = 9
    again = pickle.loads(pickle.dumps(vocabulary))
    assert again.index([1, 3]).tolist() == [0, 1]


def test_many_rows_take_the_same_way_as_few(engine):
    """Ranges, hashing and threads only change the speed."""
    rng = np.random.default_rng(0)
    for ids in (rng.integers(0, 1000, 5000) * 2**40, rng.integers(-500, 500, 5000)):
        vocabulary, index = Vocabulary.from_values(ids)
        distinct, codes = np.unique(ids, return_inverse=True)
        np.testing.assert_array_equal(vocabulary.ids, distinct)
        np.testing.assert_array_equal(index, codes)
        np.testing.assert_array_equal(vocabulary.index(ids), codes)
    assert (_ids.pa is None) == (engine == "numpy")
