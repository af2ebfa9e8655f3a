"""Training sets: blocks, their flat form, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from fm_problems import make_ids, make_sides
from scipy import sparse

from factorec import errors
from factorec.fm import Block, NegativeSampling, TrainingSet


def block(name="user", start=0, stop=2, n_features=4, *, index=(0, 1, 1), fields=None):
    rows = np.zeros((stop - start, n_features), np.float32)
    rows[:, start:stop] = np.eye(stop - start)
    return Block(name, np.asarray(index), sparse.csr_array(rows), fields or {name: (start, stop)})


@pytest.mark.parametrize("make", [make_ids, make_sides])
def test_flat_form(make):
    data = make()
    X = data.to_csr()
    expected = sum(b.rows[b.index].toarray() for b in data.blocks)
    np.testing.assert_array_equal(X.toarray(), expected)
    assert X.has_sorted_indices
    assert X.dtype == np.float32
    assert X.shape == (data.n_rows, data.n_features)
    assert data.n_query_features == data.field_ranges["item"][0]


@pytest.mark.parametrize("rows", [np.array([5, 3, 3]), np.arange(150) % 2 == 0, np.zeros(0, int)], ids=str)
def test_some_of_the_rows(rows):
    data = make_sides()
    part = data.take(rows)
    np.testing.assert_array_equal(part.to_csr().toarray(), data.to_csr()[rows].toarray())
    np.testing.assert_array_equal(part.target, data.target[rows])


def test_nothing_is_copied():
    """Promise 5."""
    index = np.array([0, 1, 1], np.int32)
    rows = sparse.csr_array(np.eye(2, 4, dtype=np.float32))
    made = Block("user", index, rows, {"user": (0, 2)})
    data = TrainingSet(np.zeros(3), [made, block("item", 2, 4)])
    (given, (indptr, indices, values, _)), _ = data.row_arrays().blocks
    for ours, theirs in ((given, index), (indptr, rows.indptr), (indices, rows.indices), (values, rows.data)):
        assert np.shares_memory(ours, theirs)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"index": (0, 2, 1)}, r"index\[1\] is 2, outside 0\.\.1"),
        ({"index": (0, -1, 1)}, r"index\[1\] is -1"),
        ({"index": (0, 0.5, 1)}, "index must be a vector of integers"),
        ({"index": ((0, 1),)}, "index must be a vector of integers"),
        ({"fields": {"user": (0, 5)}}, r"\(0, 5\), outside 0\.\.4"),
        ({"fields": {"user": (0, 1)}}, "entry in column 1, which is in none of its fields"),
        ({"fields": {"user": (0, 2), "age": (1, 3)}}, "'user' .* and 'age' .* overlap"),
        ({"fields": {"user": (0, "2")}}, "pair of integers"),
    ],
)
def test_unsound_blocks_are_refused(changed, match):
    with pytest.raises(errors.DataError, match=match):
        block(**changed)


def test_a_block_without_fields_is_refused():
    with pytest.raises(errors.DataError, match="names no field"):
        Block("user", np.zeros(3, int), sparse.csr_array((2, 4), dtype=np.float32), {})


def test_unsound_sets_are_refused():
    user, item = block(), block("item", 2, 4)
    for arguments, match in (
        ((np.zeros(2), [user, item]), "index has 3 entries, target 2"),
        ((np.zeros((3, 1)), [user, item]), "target must be a vector"),
        ((np.zeros(3), []), "at least one block"),
        ((np.zeros(3), [item, user]), "columns must rise"),
        ((np.zeros(3), [user, block("item", 0, 2)]), "columns must rise"),
        ((np.zeros(3), [user, block("item", 2, 4, 5)]), r"different numbers of columns: \[4, 5\]"),
        ((np.zeros(3), [user, block("item", 2, 4, fields={"user": (2, 4)})]), "field of the same name"),
        ((np.zeros(3), [user, item], np.ones(2)), "weight has shape"),
        ((np.zeros(3), [user, item], None, NegativeSampling(1, sparse.csr_array((3, 2)))), "seen has shape"),
    ):
        with pytest.raises(errors.DataError, match=match):
            TrainingSet(*arguments)
    for n_users, n_items in ((0, 2), (2, -1), (2.5, 2)):
        with pytest.raises(errors.DataError, match="must be an integer of at least 1"):
            TrainingSet.from_ids([0], [0], [1], n_users=n_users, n_items=n_items)


def test_the_parts_that_a_set_has_are_not_given_twice():
    from factorec.fm import FMClassifier

    data = make_ids()
    for more in ({"y": data.target}, {"sample_weight": data.target}, {"field_ranges": {}}):
        with pytest.raises(errors.DataError, match="has its own"):
            FMClassifier().fit(data, **more)
