"""Bad input is an error that names it (promise 6)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from factorec import _core
from factorec.errors import DataError
from factorec.search import ItemIndex
from factorec.search._packed import Coded

VECTORS = np.ones((40, 3), np.float32)
QUERIES = np.ones((2, 3), np.float32)


def with_value(array, at, value):
    array = array.copy()
    array[at] = value
    return array


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"vectors": VECTORS[0]},
            r"vectors has 1 dimension, expected 2; a single row has the shape \(1, 3\)",
        ),
        ({"vectors": VECTORS[None]}, "vectors has 3 dimensions, expected 2"),
        ({"vectors": VECTORS.astype(np.int64)}, "vectors has dtype int64; give float32, or float64"),
        ({"vectors": VECTORS.astype(np.complex64)}, "vectors has dtype complex64"),
        ({"vectors": VECTORS.astype(object)}, "vectors has dtype object"),
        ({"vectors": sparse.csr_array(VECTORS)}, "vectors is sparse"),
        ({"vectors": with_value(VECTORS, (33, 2), np.nan)}, r"vectors\[33, 2\] is NaN"),
        ({"vectors": with_value(VECTORS, (39, 0), -np.inf)}, r"vectors\[39, 0\] is infinite"),
        ({"vectors": with_value(VECTORS.astype(float), (0, 1), 1e60)}, r"vectors\[0, 1\] is infinite"),
        ({"vectors": VECTORS, "offsets": np.ones(39)}, r"offsets has shape \(39,\), expected \(40,\)"),
        ({"vectors": VECTORS, "offsets": with_value(np.ones(40), 5, np.nan)}, r"offsets\[5\] is NaN"),
        ({"vectors": VECTORS, "offsets": np.ones(40, int)}, "offsets has dtype int64"),
        (
            {"vectors": VECTORS, "metric": "euclidean"},
            "metric must be one of 'inner_product', 'cosine', 'l2', got 'euclidean'",
        ),
        ({"vectors": VECTORS, "metric": "cosine", "offsets": np.ones(40)}, "offsets have no meaning"),
        ({"vectors": VECTORS, "metric": "l2", "offsets": np.ones(40)}, 'offsets have no meaning with metric="l2"'),
        ({"vectors": VECTORS, "n_jobs": 0}, "n_jobs"),
    ],
)
def test_bad_items(arguments, message):
    vectors = arguments.pop("vectors")
    with pytest.raises(DataError, match=message):
        ItemIndex(vectors, **arguments)


def csr(**parts):
    matrix = sparse.csr_array(np.ones((2, 40)))
    for name, value in parts.items():
        setattr(matrix, name, value)
    return matrix


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"queries": QUERIES[0]}, "queries has 1 dimension, expected 2"),
        ({"queries": QUERIES[:, :2]}, "queries has 2 columns, the items have 3 factors"),
        ({"queries": with_value(QUERIES, (1, 2), np.nan)}, r"queries\[1, 2\] is NaN"),
        ({"queries": with_value(QUERIES, (0, 0), np.inf)}, r"queries\[0, 0\] is infinite"),
        ({"n": 0}, "n must be an integer of at least 1, got 0"),
        ({"n": 2.0}, "n must be an integer of at least 1, got 2.0"),
        ({"n": True}, "n must be an integer"),
        ({"n_jobs": 1.5}, "n_jobs"),
        ({"exclude": np.ones((2, 40))}, "exclude must be a scipy sparse matrix of shape .* got ndarray"),
        ({"exclude": sparse.csr_array((2, 39))}, r"exclude has shape \(2, 39\), expected \(2, 40\)"),
        ({"exclude": sparse.csr_array((3, 40))}, r"exclude has shape \(3, 40\), expected \(2, 40\)"),
        ({"items": [[1]]}, "items has 2 dimensions"),
        ({"items": [0.5]}, "items has dtype float64; give integer item positions"),
        ({"items": [0, 40]}, r"items\[1\] is 40, outside the item positions 0..39"),
        ({"exclude_items": [3, -1]}, r"exclude_items\[1\] is -1, outside"),
        ({"exclude_items": np.ones(39, bool)}, "exclude_items is a mask of 39 entries for 40 items"),
    ],
)
def test_bad_search(arguments, message):
    arguments = {"queries": QUERIES, **arguments}
    with pytest.raises(DataError, match=message):
        ItemIndex(VECTORS).search(**arguments)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"indices": np.full(80, 40)}, r"exclude: row \d has item 40, outside 0..39"),
        ({"indices": np.full(80, -1, np.int32)}, r"exclude: row \d has item -1, outside"),
        ({"indptr": np.array([0, 2**62, 80])}, r"exclude: indptr\[1\] is 4611686018427387904"),
        ({"indptr": np.array([0, 80, 2**31])}, r"exclude: indptr\[2\] is 2147483648"),
        ({"indptr": np.array([0, 60, 40])}, r"exclude: indptr\[2\] is 40, it must lie between"),
        ({"indptr": np.array([2, 40, 80])}, r"exclude: indptr\[0\] is 2, not 0"),
        ({"indptr": np.array([0, -5, 80])}, r"exclude: indptr\[1\] is -5"),
        ({"indptr": np.array([0, 80])}, r"exclude must have the shape \(2, 40\)"),
        ({"indptr": np.array([], np.int64)}, r"exclude must have the shape \(2, 40\)"),
        ({"indptr": np.array([0.0, 40, 80])}, "exclude has dtype float64, expected int64"),
    ],
)
def test_corrupt_exclude_is_caught_before_it_is_followed(parts, message, n_jobs):
    with pytest.raises(DataError, match=message):
        ItemIndex(VECTORS).search(QUERIES, exclude=csr(**parts), n_jobs=n_jobs)


def core_arguments():
    index = ItemIndex(VECTORS)
    return {
        "panels": index._packed.panels,
        "offsets": index._packed.offsets,
        "n_items": 40,
        "queries": QUERIES,
        "metric": "inner_product",
        "exclude": None,
        "allowed": None,
        "ids": np.empty((2, 5), np.int64),
        "scores": np.empty((2, 5), np.float32),
        "counts": np.empty(2, np.int64),
        "n_threads": 1,
    }


def test_core_arguments_are_good():
    _core.search_items(**core_arguments())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("panels", np.ones((1, 3, 32), np.float32)),
        ("panels", np.ones((2, 3, 31), np.float32)),
        ("panels", np.ones((2, 3, 32))),
        ("panels", np.ones((2, 32, 3), np.float32).transpose(0, 2, 1)),
        ("offsets", np.ones(63, np.float32)),
        ("n_items", -1),
        ("n_items", 2**40),
        ("n_items", 65),
        ("queries", np.ones((2, 4), np.float32)),
        ("queries", np.ones((3, 3), np.float32)),
        ("metric", "manhattan"),
        ("allowed", np.ones(1, np.uint32)),
        ("allowed", np.ones(2, np.int64)),
        ("exclude", (np.zeros(3, np.int64), np.zeros(0, np.int64), None, 41)),
        ("exclude", (np.zeros(3, np.int64), np.zeros(0, np.int64), None)),
        ("ids", np.empty((2, 5), np.int32)),
        ("ids", np.empty((2, 4), np.int64)),
        ("ids", np.empty((1, 5), np.int64)),
        ("scores", np.empty((2, 5))),
        ("scores", np.empty((3, 5), np.float32)),
        ("counts", np.empty(1, np.int64)),
    ],
)
def test_the_core_checks_for_itself(name, value):
    """Whatever Python passes, nothing is read or written out of bounds."""
    with pytest.raises(ValueError):
        _core.search_items(**{**core_arguments(), name: value})


def test_the_core_takes_no_empty_lists():
    arguments = core_arguments() | {"ids": np.empty((2, 0), np.int64), "scores": np.empty((2, 0), np.float32)}
    with pytest.raises(ValueError, match="n is 0"):
        _core.search_items(**arguments)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("offsets", np.ones(39, np.float32)),
        ("panels", np.ones((1, 3, 32), np.float32)),
        ("panels", np.ones((2, 2, 32), np.float32)),
        ("padded_offsets", np.ones(40, np.float32)),
        ("vectors", np.ones((40, 3))),
    ],
)
def test_packing_checks_for_itself(name, value):
    arguments = {
        "vectors": VECTORS,
        "offsets": None,
        "normalise": False,
        "panels": np.ones((2, 3, 32), np.float32),
        "padded_offsets": np.ones(64, np.float32),
        "n_threads": 1,
    }
    _core.pack_items(**arguments)
    with pytest.raises(ValueError):
        _core.pack_items(**{**arguments, name: value})


@pytest.mark.parametrize("kind", [sparse.csc_array, sparse.coo_array])
def test_exclude_that_points_outside_is_caught_before_scipy_follows_it(kind):
    exclude = kind(np.eye(2, 40, dtype=np.float32))
    (exclude.indices if kind is sparse.csc_array else exclude.coords[0])[:] = 2**30
    with pytest.raises(DataError, match="exclude: "):
        ItemIndex(VECTORS).search(QUERIES, n=3, exclude=exclude)


def coded_items():
    """Forty items, as the two-stage search takes them."""
    return Coded(VECTORS, None, False, 1).items


needs_codes = pytest.mark.skipif(not _core.can_code(), reason="needs a CPU with AVX-512 VNNI")


@needs_codes
@pytest.mark.parametrize("part", range(6))
@pytest.mark.parametrize("damage", ["short", "dtype", "list"])
def test_the_core_checks_coded_items_for_itself(part, damage):
    arguments = core_arguments()
    request = [arguments[name] for name in list(arguments)[3:]]
    items = list(coded_items())
    _core.search_codes(tuple(items), *request)
    if items[part] is None:  # flat norms have no order
        items[part] = np.arange(40, dtype=np.uint32)
    items[part] = {
        "short": items[part][: len(items[part]) // 2],
        "dtype": items[part].astype(np.float64),
        "list": items[part].tolist(),
    }[damage]
    with pytest.raises(ValueError):
        _core.search_codes(tuple(items), *request)
    with pytest.raises(ValueError):
        _core.pack_codes(VECTORS, None, False, tuple(items), 1)


@needs_codes
def test_a_damaged_order_reads_nowhere_else():
    """Positions that point outside are answers, never addresses."""
    arguments = core_arguments() | {"allowed": np.full(2, 2**32 - 1, np.uint32)}
    arguments["exclude"] = (np.array([0, 40, 80]), np.tile(np.arange(40), 2), None, 40)
    items = list(coded_items())
    items[4] = items[5] = np.full(40, 2**32 - 1, np.uint32)
    _core.search_codes(tuple(items), *[arguments[name] for name in list(arguments)[3:]])
