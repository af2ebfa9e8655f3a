"""Hyperparameters of k-NN: every name of the service with its type, range and default."""

from __future__ import annotations

import dataclasses

import pytest

from factorec.errors import DataError
from factorec.sagemaker.hyperparameters import KNNHyperparameters

GIVEN = {"k": "100", "sample_size": "1682", "predictor_type": "classifier"}
REDUCED = {"dimension_reduction_type": "sign", "dimension_reduction_target": "20"}


def read(**given):
    return KNNHyperparameters.read(GIVEN | given)


def test_defaults_are_the_service_s():
    assert dataclasses.asdict(read()) == {
        "k": 100,
        "sample_size": 1682,
        "predictor_type": "classifier",
        "feature_dim": "auto",
        "index_type": "faiss.Flat",
        "index_metric": "L2",
        "faiss_index_ivf_nlists": "auto",
        "faiss_index_pq_m": None,
        "dimension_reduction_type": None,
        "dimension_reduction_target": None,
        "mini_batch_size": 5000,
    }
    shown = KNNHyperparameters.default_configuration()
    assert shown["feature_dim"] == shown["faiss_index_ivf_nlists"] == "auto"
    assert shown["_faiss_index_nprobe"] == "5"


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_required_ones(name):
    with pytest.raises(DataError, match=f"{name} is required"):
        KNNHyperparameters.read({key: value for key, value in GIVEN.items() if key != name})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("k", ["0", "-1", "1.5", "auto", ""]),
        ("sample_size", ["0", "all"]),
        ("feature_dim", ["0", "automatic"]),
        ("predictor_type", ["binary_classifier", "Classifier"]),
        ("index_type", ["Flat", "faiss.flat"]),
        ("index_metric", ["l2", "EUCLIDEAN"]),
        ("faiss_index_ivf_nlists", ["0", "many"]),
        ("faiss_index_pq_m", ["5", "0", "auto"]),
        ("dimension_reduction_type", ["pca"]),
        ("dimension_reduction_target", ["0"]),
        ("mini_batch_size", ["0"]),
        ("epochs", ["2"]),
    ],
)
def test_values_out_of_range(name, values):
    for value in values:
        with pytest.raises(DataError, match=name):
            read(**{name: value})


def test_unknown_names_are_refused():
    with pytest.raises(DataError, match="'index_metrik' is not a hyperparameter of k-nearest neighbours; did you mean"):
        read(index_metrik="L2")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dimension_reduction_type": "sign"}, "go together"),
        ({"dimension_reduction_target": "3"}, "go together"),
        (REDUCED | {"feature_dim": "20"}, "target is 20, it must be less than feature_dim 20"),
        ({"index_type": "faiss.IVFPQ"}, "give faiss_index_pq_m"),
        (
            {"index_type": "faiss.IVFPQ", "faiss_index_pq_m": "4", "index_metric": "COSINE"},
            "takes index_metric L2 only",
        ),
    ],
)
def test_what_does_not_go_together(given, message):
    with pytest.raises(DataError, match=message):
        read(**given)


@pytest.mark.parametrize("given", [{"faiss_index_pq_m": "4"}, {"faiss_index_ivf_nlists": "10"}])
def test_what_has_no_effect_is_warned_of(given):
    with pytest.warns(UserWarning, match="has no effect: index_type is 'faiss.Flat'"):
        read(**given)


def test_what_the_seeds_job_and_the_log_hold():
    """Seed 000's call, and the hidden names that its log repeats."""
    given = {"feature_dim": 65, "k": 100, "index_metric": "INNER_PRODUCT", "sample_size": 1682}
    hidden = {"_kvstore": "dist_async", "_faiss_index_nprobe": "5", "epochs": "1"}
    assert read(**given, **hidden).as_strings() == {
        "k": "100",
        "sample_size": "1682",
        "predictor_type": "classifier",
        "feature_dim": "65",
        "index_type": "faiss.Flat",
        "index_metric": "INNER_PRODUCT",
        "faiss_index_ivf_nlists": "auto",
        "mini_batch_size": "5000",
    }
    assert read(**REDUCED, feature_dim="21").dimension_reduction_target == 20
