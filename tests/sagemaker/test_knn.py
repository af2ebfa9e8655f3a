"""The managed k-NN: labels, neighbours in the service's order, samples, projections, metrics, errors."""

from __future__ import annotations

import copy
import json
import pickle
from collections import Counter

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestNeighbors

from factorec.errors import DataError, FormatError
from factorec.sagemaker import KNN, invoke
from factorec.sagemaker._knn_rows import sample_positions
from factorec.sagemaker._votes import most_frequent_label
from factorec.search import ItemIndex

GIVEN = {"k": "5", "sample_size": "100000", "predictor_type": "classifier"}
METRICS = {"L2": "l2", "INNER_PRODUCT": "inner_product", "COSINE": "cosine"}


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def floats(rng, *shape):
    return rng.standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("metric", METRICS)
def test_neighbours_are_those_of_the_index_in_the_service_s_order(rng, metric):
    items, queries, labels = floats(rng, 300, 6), floats(rng, 40, 6), rng.permutation(300) + 1
    knn = KNN(GIVEN | {"index_metric": metric}).fit(items, labels)
    ids, scores = ItemIndex(items, metric=METRICS[metric]).search(queries, 5)
    best_first, native = knn.neighbors(queries)
    np.testing.assert_array_equal(best_first, labels[ids])
    np.testing.assert_array_equal(native, scores)

    answer = knn.predict(queries, verbose=True)
    assert list(answer) == ["predicted_label", "labels", "distances"]
    assert all(values.dtype == np.float32 for values in answer.values())
    assert (np.diff(answer["distances"], axis=1) >= 0).all()  # ascending, whatever the metric
    if metric == "L2":
        np.testing.assert_array_equal(answer["labels"], labels[ids])
        np.testing.assert_array_equal(answer["distances"], -scores)
    else:
        np.testing.assert_array_equal(answer["labels"], labels[ids][:, ::-1])
        np.testing.assert_array_equal(answer["distances"], scores[:, ::-1])
    assert list(knn.predict(queries)) == ["predicted_label"]


def test_l2_distances_are_squared_and_nearest_first(rng):
    items, queries = floats(rng, 200, 4), floats(rng, 30, 4)
    knn = KNN(GIVEN).fit(items, np.arange(200))
    distances, positions = NearestNeighbors(n_neighbors=5).fit(items).kneighbors(queries)
    answer = knn.predict(queries, verbose=True)
    np.testing.assert_array_equal(answer["labels"], positions)
    np.testing.assert_allclose(answer["distances"], distances**2, rtol=1e-5)
    own = knn.predict(items, verbose=True)["distances"][:, 0]
    assert (own == 0).all()
    assert not np.signbit(own).any()  # it would be printed as -0.0


def test_classifier_and_regressor_agree_with_scikit_learn(rng):
    items, queries = floats(rng, 500, 5), floats(rng, 200, 5)
    classes = (items[:, 0] > 0) + 2 * (items[:, 1] > 0)
    knn = KNN(GIVEN | {"k": "7"}).fit(items, classes)
    votes = classes[KNeighborsClassifier(7).fit(items, classes).kneighbors(queries, return_distance=False)]
    clear = [Counter(row).most_common(2) for row in votes.tolist()]
    unique = np.array([len(c) == 1 or c[0][1] > c[1][1] for c in clear])
    assert 100 < unique.sum() < 200
    predicted = knn.predict(queries)["predicted_label"]
    np.testing.assert_array_equal(predicted[unique], np.array([c[0][0] for c in clear])[unique])

    values = items[:, 0] ** 2
    knn = KNN(GIVEN | {"k": "7", "predictor_type": "regressor"}).fit(items, values)
    expected = KNeighborsRegressor(7).fit(items, values).predict(queries)
    np.testing.assert_allclose(knn.predict(queries)["predicted_label"], expected, rtol=1e-5)


@pytest.mark.parametrize("k", [1, 2, 3, 10, 33])
def test_votes_against_a_loop(rng, k):
    """Of labels that are equally frequent the one of the best neighbour wins."""
    labels = rng.integers(-2, 4, (500, k)).astype(np.float32)
    labels[labels == 3] = 2.5
    expected = []
    for row in labels.tolist():
        counts = Counter(row)
        most = max(counts.values())
        expected.append(next(label for label in row if counts[label] == most))
    np.testing.assert_array_equal(most_frequent_label(labels), expected)
    assert most_frequent_label(labels[:0]).shape == (0,)


def test_more_neighbours_than_rows_are_all_rows(rng):
    with pytest.warns(UserWarning, match="k is 5, and there are 3 rows"):
        knn = KNN(GIVEN | {"index_metric": "INNER_PRODUCT"}).fit(np.float32([[1], [3], [2]]), [10, 30, 20])
    answer = knn.predict(np.float32([[1], [-1]]), verbose=True)
    np.testing.assert_array_equal(answer["labels"], [[10, 20, 30], [30, 20, 10]])
    assert knn.neighbors(np.float32([[1]]), n=100)[0].shape == (1, 3)
    assert knn.neighbors(np.float32([[1]]), n=2)[0].tolist() == [[30, 20]]
    for n in (0, -1, 1.5, True):
        with pytest.raises(DataError, match="n must be an integer of at least 1"):
            knn.neighbors(np.float32([[1]]), n=n)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix, sparse.csc_array, sparse.coo_array, list])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_rows_of_any_kind_give_the_same(rng, kind, dtype):
    items = np.rint(floats(rng, 60, 8)).astype(dtype)
    given = items.tolist() if kind is list else kind(items)
    expected = KNN(GIVEN).fit(items.astype(np.float32), np.arange(60)).predict(items, verbose=True)
    got = KNN(GIVEN).fit(given, np.arange(60.0)[:, None]).predict(given, verbose=True)
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name])


def test_the_batch_does_not_show(rng, monkeypatch):
    items, queries = floats(rng, 400, 16), floats(rng, 300, 16)
    for kind in (None, "sign", "fjlt"):
        given = {} if kind is None else {"dimension_reduction_type": kind, "dimension_reduction_target": "6"}
        knn = KNN(GIVEN | given, random_state=0).fit(items, np.arange(400))
        whole = knn.predict(queries, verbose=True)
        one = [knn.predict(queries[i : i + 1], verbose=True) for i in range(300)]
        monkeypatch.setattr("factorec.sagemaker._labelled_index._CHUNK_VALUES", 16 * 7)
        chunked = knn.predict(sparse.csr_array(queries), verbose=True)
        monkeypatch.undo()
        for name, values in whole.items():
            np.testing.assert_array_equal(values, np.concatenate([part[name] for part in one]))
            np.testing.assert_array_equal(values, chunked[name])


@pytest.mark.parametrize("index_type", ["faiss.IVFFlat", "faiss.IVFPQ"])
def test_approximate_indexes_are_answered_exactly(rng, index_type):
    items, queries = floats(rng, 300, 6), floats(rng, 20, 6)
    given = {"index_type": index_type, "faiss_index_ivf_nlists": "auto"}
    if index_type == "faiss.IVFPQ":
        given["faiss_index_pq_m"] = "4"
    exact = KNN(GIVEN).fit(items, np.arange(300)).predict(queries, verbose=True)
    got = KNN(GIVEN | given).fit(items, np.arange(300)).predict(queries, verbose=True)
    for name in exact:
        np.testing.assert_array_equal(got[name], exact[name])


def test_the_sample_is_a_uniform_subset_that_a_seed_repeats(rng):
    items = floats(rng, 50, 3)
    knn = KNN(GIVEN | {"sample_size": "20"}, random_state=4).fit(items, np.arange(50) * 10)
    assert knn.positions_.shape == (20,)
    assert (np.diff(knn.positions_) > 0).all()
    np.testing.assert_array_equal(knn.labels_, knn.positions_ * 10)
    np.testing.assert_array_equal(knn.neighbors(items[knn.positions_], 1)[0][:, 0], knn.labels_)  # each its own row
    again = KNN(GIVEN | {"sample_size": "20"}, random_state=4).fit(items, np.arange(50) * 10)
    np.testing.assert_array_equal(again.positions_, knn.positions_)
    other = KNN(GIVEN | {"sample_size": "20"}, random_state=5).fit(items, np.arange(50) * 10)
    assert (other.positions_ != knn.positions_).any()

    random = np.random.RandomState(0)
    counts = sum(np.bincount(sample_positions(12, 5, random), minlength=12) for _ in range(12_000))
    assert abs(counts / 12_000 - 5 / 12).max() < 0.02  # more than four standard deviations
    np.testing.assert_array_equal(sample_positions(5, 5, random), np.arange(5))


def test_metrics_of_the_test_channel(rng):
    items, queries = floats(rng, 400, 3), floats(rng, 150, 3)
    classes, truth = (items[:, 0] > 0) * 3 - 1, (queries[:, 0] > 0) * 3 - 1
    knn = KNN(GIVEN).fit(items, classes, eval_set={"test": (queries, truth), "train": (items, classes)})
    predicted = knn.predict(queries)["predicted_label"]
    assert knn.metrics_["test"] == {
        "accuracy": pytest.approx(np.mean(predicted == truth)),
        "macro_f_1.000": pytest.approx(f1_score(truth, predicted.astype(int), average="macro")),
    }
    assert set(knn.metrics_) == {"test", "train"}
    never = knn.evaluate(queries, np.full(150, 7))
    assert never == {"accuracy": 0.0, "macro_f_1.000": 0.0}
    knn = KNN(GIVEN | {"predictor_type": "regressor"}).fit(items, classes)
    predicted = knn.predict(queries)["predicted_label"]
    assert knn.evaluate(queries, truth) == {"mse": pytest.approx(np.mean((predicted - truth) ** 2.0))}
    with pytest.raises(DataError, match="no rows to judge"):
        knn.evaluate(queries[:0], truth[:0])


def test_it_answers_requests(rng):
    knn = KNN(GIVEN | {"k": "2", "index_metric": "INNER_PRODUCT"}).fit(np.float32([[1, 0], [2, 0], [0, 9]]), [7, 8, 9])
    body = b'{"instances": [{"features": [1.0, 0.0]}]}'
    answer = invoke(knn, body, content_type="application/json", accept="application/jsonlines; verbose=true")
    assert answer.body.rstrip() == b'{"predicted_label":8.0,"labels":[7.0,8.0],"distances":[1.0,2.0]}'
    assert invoke(knn, body).body == b'{"predictions":[{"predicted_label":8.0}]}'
    assert (knn.kind, knn.n_features) == ("knn", 2)


@pytest.mark.parametrize("remake", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_give_the_same(rng, remake):
    given = GIVEN | {"dimension_reduction_type": "fjlt", "dimension_reduction_target": "4"}
    knn = KNN(given, random_state=1, n_jobs=1).fit(floats(rng, 100, 9), np.arange(100))
    queries = floats(rng, 10, 9)
    expected, got = knn.predict(queries, verbose=True), remake(knn).predict(queries, verbose=True)
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", [None, "sign", "fjlt"])
@pytest.mark.parametrize("target", ["model.tar.gz", "."])
def test_an_artifact_answers_the_same_bits(rng, tmp_path, metric, kind, target):
    given = {} if kind is None else {"dimension_reduction_type": kind, "dimension_reduction_target": "4"}
    knn = KNN(GIVEN | given | {"index_metric": metric, "sample_size": "80"}, random_state=2)
    knn.fit(floats(rng, 100, 9), np.arange(100) % 7)
    knn.save_artifact(tmp_path / target)
    loaded = KNN.from_artifact(tmp_path / target)
    queries = floats(rng, 30, 9)
    expected, got = knn.predict(queries, verbose=True), loaded.predict(queries, verbose=True)
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name])
    assert (loaded.n_features, loaded.hyperparameters.k, loaded.hyperparameters.sample_size) == (9, 5, 80)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    loaded.save_artifact(tmp_path / target)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drawn_by": "the service"}, "whose projection is not in the artifact"),
        ({"type": "pca"}, "type must be sign or fjlt"),
        ({"seed": "3"}, "seed must be an integer"),
        ({"seed": -1}, "seed must be an integer"),
        ({"input_dim": 4}, "input_dim is 4, it must be more than target_dim 4"),
        ({"input_dim": 2**40}, "too large"),
        ({"target_dim": 3}, "target_dim is 3, the vectors have 4 columns"),
    ],
)
def test_projections_of_artifacts_that_cannot_be_drawn(rng, tmp_path, change, message):
    given = {"dimension_reduction_type": "sign", "dimension_reduction_target": "4"}
    KNN(GIVEN | given).fit(floats(rng, 20, 9), np.arange(20)).save_artifact(tmp_path)
    path = tmp_path / "model_algo-1.json"
    meta = json.loads(path.read_text())
    meta["dimension_reduction"] |= change
    path.write_text(json.dumps(meta))
    with pytest.raises(FormatError, match=message):
        KNN.from_artifact(tmp_path)


@pytest.mark.parametrize("kind", ["sign", "fjlt"])
def test_a_projection_finds_most_of_the_neighbours(rng, kind):
    centres = floats(rng, 20, 200) * 3
    items, queries = (np.repeat(centres, n, axis=0) + floats(rng, 20 * n, 200) for n in (30, 5))
    labels, truth = np.repeat(np.arange(20), 30), np.repeat(np.arange(20), 5)
    given = {"dimension_reduction_type": kind, "dimension_reduction_target": "50"}
    knn = KNN(GIVEN | given, random_state=0).fit(items, labels)
    assert knn.index_.n_factors == 50
    assert knn.n_features == 200
    assert knn.evaluate(queries, truth)["accuracy"] > 0.95
    pq = {"index_type": "faiss.IVFPQ", "faiss_index_pq_m": "12"}
    assert KNN(GIVEN | given | pq, random_state=0).fit(items, labels).index_.n_factors == 60  # the next multiple


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X": np.ones((3, 4))}, "X has 4 columns, expected 2"),
        ({"X": np.ones(3)}, "X has 1 dimension, expected 2"),
        ({"X": np.array([["a", "b"]] * 3)}, "X has dtype <U1; give numbers"),
        ({"X": np.array([[1, 2], [3, np.nan], [np.inf, 1]])}, r"X\[1, 1\] is nan"),
        ({"X": sparse.csr_array([[0, 2], [0, 0], [0, 1e39]])}, r"X\[2, 1\] is inf"),
        ({"X": np.ones((0, 2)), "y": []}, "X has no rows"),
        ({"y": [1, 2]}, r"y has shape \(2,\), expected \(3,\)"),
        ({"y": [[1, 2], [1, 2], [1, 2]]}, r"y has shape \(3, 2\)"),
        ({"y": ["a", "b", "c"]}, "y has dtype <U1; labels are numbers"),
        ({"y": [1, np.nan, 2]}, r"y\[1\] is nan: labels must be finite"),
        ({"y": [1, 2, 16777217]}, r"y\[2\] is 16777217: labels are stored as float32"),
        ({"y": [1, -16777217, 1]}, r"y\[1\] is -16777217"),
        ({"y": np.array([1, 2, 2**64 - 1], np.uint64)}, r"y\[2\] is 18446744073709551615"),
        ({"y": [1.0, 2.0, 1e30]}, r"y\[2\] is 1e\+30"),
    ],
)
def test_bad_rows_and_labels_are_named(given, message):
    given = {"X": np.eye(3, 2), "y": [1, 2, 3]} | given
    with pytest.raises(DataError, match=message):
        KNN(GIVEN | {"feature_dim": "2"}).fit(**given)


def test_labels_up_to_the_edge_and_any_value_of_a_regressor():
    edge = [16777216, -16777216, 0]
    knn = KNN(GIVEN | {"k": "1"}).fit(np.eye(3), edge)
    np.testing.assert_array_equal(knn.predict(np.eye(3))["predicted_label"], edge)
    knn = KNN(GIVEN | {"k": "1", "predictor_type": "regressor"}).fit(np.eye(3), [2**24 + 1, 1e30, 0.1])
    np.testing.assert_array_equal(knn.predict(np.eye(3))["predicted_label"], np.float32([2**24, 1e30, 0.1]))


def test_a_fit_that_fails_changes_nothing(rng):
    items = floats(rng, 30, 4)
    given = {"dimension_reduction_type": "sign", "dimension_reduction_target": "3", "sample_size": "20"}
    knn = KNN(GIVEN | given, random_state=0).fit(items, np.arange(30))
    before, seed, positions = knn.predict(items, verbose=True), knn.seed_, knn.positions_
    knn.random_state = 1
    with pytest.raises(DataError, match="is infinite"):  # the projection overflows
        knn.fit(np.full((30, 4), 3e38), np.arange(30))
    assert knn.seed_ == seed
    assert knn.positions_ is positions
    for name, values in knn.predict(items, verbose=True).items():
        np.testing.assert_array_equal(values, before[name])


def test_requests_that_do_not_fit(rng):
    knn = KNN(GIVEN)
    for call in (knn.predict, knn.neighbors):
        with pytest.raises(NotFittedError, match="call fit"):
            call(np.eye(3))
    knn.fit(floats(rng, 9, 3), np.arange(9))
    with pytest.raises(DataError, match="rows has 4 columns, expected 3"):
        knn.predict(np.ones((1, 4)))
    with pytest.raises(DataError, match=r"rows\[0, 2\] is nan"):
        knn.predict(np.array([[1, 2, np.nan]]))
    broken = sparse.csr_array(np.eye(3, dtype=np.float32))
    broken.indices[1] = 1000
    with pytest.raises(DataError, match="rows: "):
        knn.predict(broken)
    reduced = {"dimension_reduction_type": "sign", "dimension_reduction_target": "3"}
    pq = {"index_type": "faiss.IVFPQ", "faiss_index_pq_m": "4"}
    with pytest.raises(DataError, match=r"dimension_reduction_target is 4, .* grows to a multiple"):
        KNN(GIVEN | reduced | pq).fit(np.eye(3, 4), [1, 2, 3])
    with pytest.raises(DataError, match="dimension_reduction_target is 3, it must be less than the 3 columns of X"):
        KNN(GIVEN | reduced).fit(np.eye(3), [1, 2, 3])
