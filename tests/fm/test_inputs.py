"""Promise 6: bad input is an error that names it; odd but sound input is used as it is."""

from __future__ import annotations

import os

import numpy as np
import pytest
from fm_problems import make_ids, make_sides
from scipy import sparse

from factorec import _core, errors
from factorec.fm import FMClassifier, FMParameters, FMRegressor, TrainingSet
from factorec.fm._rows import RowArrays, as_csr, csr_tuple


def rows(index=np.int32):
    X = make_sides(n_rows=40).to_csr()
    broken = sparse.csr_array(X.shape, dtype=np.float32)
    broken.data, broken.indices, broken.indptr = X.data.copy(), X.indices.astype(index), X.indptr.astype(index)
    return broken


def model(**changed):
    return FMClassifier(**{"n_factors": 3, "n_epochs": 2, "random_state": 0, **changed})


Y = np.arange(40) % 2


def break_column(X):
    X.indices[7] = X.shape[1]


def break_negative(X):
    X.indices[7] = -1


def break_indptr_falls(X):
    X.indptr[3] = 0


def break_indptr_start(X):
    X.indptr[0] = 1


def break_indptr_huge(X):
    X.indptr[-1] = np.iinfo(X.indptr.dtype).max


def break_indptr_huge_inside(X):
    X.indptr[5] = np.iinfo(X.indptr.dtype).max


BROKEN = {
    break_column: r"row \d+ has column 29, outside 0\.\.28",
    break_negative: r"row \d+ has column -1",
    break_indptr_falls: r"indptr falls",
    break_indptr_start: r"indptr\[0\] is 1",
    break_indptr_huge: r"indptr\[40\] is \d{10,}, beyond the",
    break_indptr_huge_inside: r"indptr\[5\] is \d{10,}, beyond the",
}


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("break_it", BROKEN, ids=lambda f: f.__name__)
def test_index_arrays_that_describe_no_matrix(break_it, index):
    """Nothing is read through them: a fake indptr beyond 2**31 would lead far outside."""
    X = rows(index)
    sound = model().fit(X, Y)
    break_it(X)
    for call in (
        lambda: as_csr(X),
        lambda: sound.parameters_.decision_function(X),
        lambda: sound.parameters_.item_vectors(X),
    ):
        with pytest.raises(errors.DataError, match=BROKEN[break_it]):
            call()
    with pytest.raises(ValueError):
        model().fit(X, Y)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("break_it", BROKEN, ids=lambda f: f.__name__)
def test_the_core_checks_for_itself(break_it, index):
    X = rows(index)
    n = X.shape[1]
    ones, zeros = np.ones(n, np.float32), np.zeros(n, np.float32)
    break_it(X)
    blocks = [(None, csr_tuple(X))]
    options = {
        "loss": "logistic", "solver": "sgd", "rate_bias": 0.1, "l2_bias": 0.0, "clip": None,
        "batch_size": 1, "shuffle": True, "seed": 0, "n_threads": 1,
    }  # fmt: skip
    start = (0.0, zeros, np.zeros((n, 2), np.float32), 1.0, ones, ones)
    for call in (
        lambda: _core.Trainer(blocks, Y.astype(np.float32), None, (ones, ones, zeros, zeros), [], None, options, start),
        lambda: _core.scores(blocks, 40, 0.0, zeros, np.zeros((n, 2), np.float32), 1),
        lambda: _core.vectors(blocks, 40, zeros, np.zeros((n, 2), np.float32), 1),
        lambda: _core.feature_weights(blocks, 40, n, None, 1),
    ):
        with pytest.raises(ValueError, match=BROKEN[break_it]):
            call()


def test_grid_fields_that_overlap_or_leave_the_columns():
    """They would place a feature twice and write beyond the table."""
    X, y = make_ids().to_csr(), make_ids().target
    for ranges, match in (
        ({"a": (0, 9), "b": (0, 9), "c": (9, 20)}, "'a' .* and 'b' .* overlap"),
        ({"a": (0, 9), "b": (9, 21)}, r"'b'\] is \(9, 21\), outside 0..20"),
        ({"a": (-1, 9), "b": (9, 20)}, r"outside 0\.\.20"),
        ({"a": (9, 0), "b": (9, 20)}, r"outside 0\.\.20"),
        ({"a": (0.0, 9.0)}, "pair of integers"),
        ({"a": 9}, "pair of integers"),
        ([(0, 9)], "must map field names"),
    ):
        with pytest.raises(errors.DataError, match=ranges and match):
            model().fit(X, y, field_ranges=ranges)
    zeros, ones = np.zeros(20, np.float32), np.ones(20, np.float32)
    options = {
        "loss": "logistic", "solver": "sgd", "rate_bias": 0.1, "l2_bias": 0.0, "clip": None,
        "batch_size": 1, "shuffle": True, "seed": 0, "n_threads": 1,
    }  # fmt: skip
    start = (0.0, zeros, np.zeros((20, 2), np.float32), 1.0, ones, ones)
    for candidates in ([(0, 9), (0, 9)], [(0, 9), (9, 10**9)], [(-(10**9), 9), (9, 20)]):
        with pytest.raises(ValueError, match="overlap or leave the columns"):
            _core.Trainer(
                [(None, csr_tuple(X))], y.astype(np.float32), None, (ones, ones, zeros, zeros), candidates, None,
                options, start,
            )  # fmt: skip


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_values_that_are_not_finite_in_float32(value):
    sound = model().fit(rows(), Y)
    X = rows().astype(np.float64)
    X.data[11] = value
    for call in (lambda: model().fit(X, Y), lambda: sound.predict(X)):
        with np.errstate(over="ignore"), pytest.raises(ValueError):
            call()
    with pytest.raises(errors.DataError, match=r"X: row \d+, column \d+ is"):
        as_csr(X)
    with pytest.raises(errors.DataError, match=r"row \d+, column \d+ is"):
        sound.parameters_.decision_function(X.toarray())


def test_duplicate_entries_are_summed_in_a_copy():
    X = sparse.csr_array((np.array([1, 2, 3, 1], np.float32), np.array([0, 0, 1, 2]), np.array([0, 3, 4])), (2, 3))
    before = [X.data.copy(), X.indices.copy(), X.indptr.copy()]
    summed = sparse.csr_array(np.array([[3, 3, 0], [0, 0, 1]], np.float32))
    ours, theirs = (model(init_scale=0.5).fit(M, [0, 1]) for M in (X, summed))
    np.testing.assert_array_equal(ours.factors_, theirs.factors_)
    np.testing.assert_array_equal(ours.decision_function(X), theirs.decision_function(summed))
    for now, then in zip((X.data, X.indices, X.indptr), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_unsorted_entries_are_used_as_they_are():
    X = rows()
    backwards = X.copy()
    for row in range(X.shape[0]):
        span = slice(X.indptr[row], X.indptr[row + 1])
        backwards.indices[span], backwards.data[span] = X.indices[span][::-1], X.data[span][::-1]
    backwards.has_sorted_indices = False
    assert as_csr(backwards) is backwards
    before = backwards.indices.copy()
    fields = make_sides().field_ranges
    one, two = (model().fit(M, Y, field_ranges=fields) for M in (X, backwards))
    np.testing.assert_allclose(two.factors_, one.factors_, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(backwards.indices, before)


def test_rows_of_all_zeros():
    X = sparse.csr_array(np.array([[0, 0, 0], [1, 0, 1], [0, 0, 0], [0, 1, 1]], np.float32))
    fitted = model(n_epochs=50).fit(X, [1, 0, 1, 0])
    assert fitted.decision_function(X)[0] == fitted.bias_
    empty = sparse.csr_array((4, 3), dtype=np.float32)
    np.testing.assert_array_equal(model().fit(empty, [1, 0, 1, 0]).factors_, 0)
    stored = sparse.csr_array((np.zeros(3, np.float32), np.array([0, 1, 2]), np.array([0, 1, 2, 3])), (3, 3))
    assert np.isfinite(FMRegressor(3).fit(stored, [1.0, 2.0, 3.0]).factors_).all()


def test_a_user_with_one_row_and_features_that_never_occur():
    data = TrainingSet.from_ids([0, 0, 1], [0, 1, 1], [1, 0, 1], n_users=4, n_items=5)
    fitted = model().fit(data)
    assert fitted.factors_[1].any()
    for part in (fitted.linear_, fitted.factors_, fitted.penalties_.linear, fitted.penalties_.factors):
        assert not part[[2, 3, 6, 7, 8]].any()


def test_one_row():
    data = TrainingSet.from_ids([0], [0], [3.5], n_users=1, n_items=1)
    np.testing.assert_array_equal(FMRegressor(2).fit(data).predict(data.to_csr()), [3.5])


def test_one_class():
    X = rows()
    with pytest.raises(errors.DataError, match="one class only"):
        model().fit(X, np.ones(40))
    ones = make_ids(positives_only=True)
    with pytest.raises(errors.DataError, match="one class only"):
        model().fit(ones)
    model().fit(make_ids(positives_only=True, negatives=1))


@pytest.mark.parametrize(
    ("target", "match"),
    [([1, 3] * 20, "holds 3.0, which is none of the classes"), ([1, np.nan] * 20, r"target\[1\] is nan")],
)
def test_targets_of_a_training_set(target, match):
    data = TrainingSet.from_ids(Y, Y, target, n_users=2, n_items=2)
    with pytest.raises(errors.DataError, match=match):
        model().fit(data)


@pytest.mark.parametrize(
    ("weight", "match"),
    [
        ([-1.0] * 40, r"sample_weight\[0\] is -1"),
        ([1.0] * 39 + [np.nan], r"sample_weight\[39\] is nan"),
        ([1.0] * 39 + [1e300], r"sample_weight\[39\] is 1e\+300"),
        ([1.0] * 39, r"shape \(39,\), expected \(40,\)"),
        ([0.0] * 40, "zero in every row"),
        ([1e-50] * 40, "zero in every row"),
    ],
)
def test_row_weights(weight, match):
    with pytest.raises(errors.DataError, match=match):
        model().fit(rows(), Y, weight)


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        ({"n_factors": 0}, "n_factors must be an integer of at least 1, got 0"),
        ({"n_factors": 2.5}, "n_factors"),
        ({"n_factors": True}, "n_factors"),
        ({"n_epochs": 0}, "n_epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": 0}, "learning_rate must be a finite number above 0"),
        ({"learning_rate": np.nan}, "learning_rate"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"learning_rate": {"user": 1}}, "learning_rate names no field 'user'; the fields are: none"),
        ({"learning_rate": {"bias": 1, "linear": 1, "factors": -1}}, r"learning_rate\['factors'\]"),
        ({"l2_linear": -1}, "l2_linear"),
        ({"l2_factors": {"user": -1}}, r"l2_factors\['user'\]"),
        ({"l2_factors": {"user": 1}}, "names no field 'user'; the fields are: none"),
        ({"init_scale": -0.1}, "init_scale"),
        ({"clip_gradient": 0}, "clip_gradient"),
        ({"solver": "lbfgs"}, "solver must be"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"early_stopping": True, "validation_fraction": 0}, "validation_fraction"),
        ({"early_stopping": True, "validation_fraction": 0.999}, "leaves nothing on one side"),
        ({"n_iter_no_change": 0}, "n_iter_no_change"),
    ],
)
def test_constructor_parameters(setting, match):
    with pytest.raises(errors.DataError, match=match):
        model(**setting).fit(rows(), Y)


@pytest.mark.parametrize("parameter", ["l2_linear", "l2_factors", "learning_rate"])
def test_unknown_fields_are_named(parameter):
    with pytest.raises(errors.DataError, match=f"{parameter} names no field 'genre'; the fields are: item, user"):
        model(**{parameter: {"user": 1.0, "genre": 1.0}}).fit(make_ids())


@pytest.mark.parametrize("batch_size", [2**63 - 1, 2**80])
def test_huge_batches(batch_size):
    fitted = model(batch_size=batch_size).fit(rows(), Y)
    np.testing.assert_array_equal(fitted.factors_, model(batch_size=40).fit(rows(), Y).factors_)


def test_eval_set_and_validation():
    X = rows()
    for eval_set, match in (
        ({"train": (X, Y)}, "cannot use the name 'train'"),
        ({"test": X}, r"eval_set\['test'\] must be a pair"),
        ([(X, Y)], "must map names"),
        ({"test": (X, np.full(40, 7))}, "none of the classes"),
    ):
        with pytest.raises(errors.DataError, match=match):
            model().fit(X, Y, eval_set=eval_set)
    with pytest.raises(ValueError, match="requires y"):
        model().fit(X, Y, X_val=X)
    with pytest.raises(ValueError, match="features"):
        model().fit(X, Y, X_val=X[:, :5], y_val=Y)


def test_other_numbers_of_features():
    fitted = model().fit(make_ids())
    for call in (fitted.decision_function, fitted.partial_fit):
        with pytest.raises(errors.DataError, match="20"):
            call(make_sides())
    with pytest.raises(ValueError, match="20 features"):
        fitted.predict(rows())
    with pytest.raises(errors.DataError, match="29 columns, the model has 20 features"):
        fitted.parameters_.decision_function(rows())


@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer ends the process")
def test_widths_beyond_memory_end_in_memory_error():
    wide = sparse.csr_array((np.ones(2, np.float32), np.array([0, 2**44]), np.array([0, 1, 2])), (2, 2**45))
    with pytest.raises(MemoryError):
        model().fit(wide, [0, 1])


def test_no_rows():
    fitted = model().fit(make_ids())
    assert fitted.decision_function(make_ids().take(np.zeros(0, int))).shape == (0,)
    assert fitted.parameters_.decision_function(sparse.csr_array((0, 20), dtype=np.float32)).shape == (0,)
    with pytest.raises(ValueError):
        model().fit(np.zeros((0, 3)), [])


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *[(kind, dtype) for kind in (sparse.coo_array, sparse.csc_matrix, sparse.lil_array) for dtype in ("f8", "i2")],
        *[(np.asarray, dtype) for dtype in ("f8", "i2", ">f4", "f2", "?")],
    ],
)
def test_other_forms_of_the_same_rows(kind, dtype):
    X = np.random.default_rng(0).integers(0, 2, (40, 6)).astype(dtype)
    reference = model().fit(sparse.csr_array(X.astype(np.float32)), Y)
    np.testing.assert_array_equal(model().fit(kind(X), Y).factors_, reference.factors_)
    np.testing.assert_array_equal(reference.parameters_.decision_function(kind(X)), reference.decision_function(X))


def test_a_model_without_factors_scores():
    p = FMParameters(0.5, np.array([1, 2], np.float32), np.zeros((2, 0), np.float32))
    np.testing.assert_array_equal(p.decision_function([[1, 1]]), [3.5])
    assert p.item_vectors([[1, 1]]).shape == (1, 0)


def test_rows_may_only_be_read():
    X = rows()
    for array in (X.data, X.indices, X.indptr):
        array.setflags(write=False)
    y, weight = Y.copy(), np.ones(40)
    y.setflags(write=False)
    weight.setflags(write=False)
    fitted = model().fit(X, y, weight, field_ranges=make_sides().field_ranges)
    fitted.predict(X)
    assert RowArrays.of_matrix(X).n_features == 29


@pytest.mark.parametrize("kind", [sparse.csc_array, sparse.coo_array])
def test_positions_outside_are_caught_before_scipy_follows_them(kind):
    X = kind(np.eye(6, dtype=np.float32))
    (X.indices if kind is sparse.csc_array else X.coords[0])[:] = 2**30
    with pytest.raises(errors.DataError, match="X: "):
        FMClassifier().fit(X, [0, 1] * 3)


def test_class_weights_of_other_classes_are_refused():
    with pytest.raises(errors.DataError, match="class_weight: "):
        FMClassifier(class_weight={7: 1.0}).fit(np.eye(6, dtype=np.float32), [0, 1] * 3)
