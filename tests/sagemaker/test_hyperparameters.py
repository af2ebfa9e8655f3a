"""Hyperparameters: every name of the service with its type, range and default; errors that say what is valid."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from factorec.errors import DataError
from factorec.sagemaker.hyperparameters import FMHyperparameters

GIVEN = {"feature_dim": "2625", "num_factors": "64", "predictor_type": "binary_classifier"}
RATES = [f"{block}_{what}" for what in ("lr", "wd", "init_sigma") for block in ("bias", "linear", "factors")]


def read(**given):
    return FMHyperparameters.read(GIVEN | given)


def test_defaults_are_the_service_s():
    values = dataclasses.asdict(read())
    assert values == {
        "feature_dim": 2625,
        "num_factors": 64,
        "predictor_type": "binary_classifier",
        "epochs": 1,
        "mini_batch_size": 1000,
        "bias_lr": 0.1,
        "linear_lr": 0.001,
        "factors_lr": 0.0001,
        "bias_wd": 0.01,
        "linear_wd": 0.001,
        "factors_wd": 0.00001,
        **{f"{block}_init_method": "normal" for block in ("bias", "linear", "factors")},
        "bias_init_sigma": 0.01,
        "linear_init_sigma": 0.01,
        "factors_init_sigma": 0.001,
        **{f"{block}_init_{of}": None for of in ("scale", "value") for block in ("bias", "linear", "factors")},
        "clip_gradient": None,
        "eps": None,
        "rescale_grad": None,
        "use_bias": True,
        "use_linear": True,
        "batch_metrics_publish_interval": 500,
    }


def test_the_default_configuration_reads_as_in_the_log():
    shown = FMHyperparameters.default_configuration()
    assert shown["factors_wd"] == "0.00001"
    assert shown["factors_lr"] == "0.0001"
    assert shown["bias_lr"] == "0.1"
    assert shown["use_bias"] == "true"
    assert shown["_learning_rate"] == "1.0"
    assert "feature_dim" not in shown
    assert "clip_gradient" not in shown


@pytest.mark.parametrize("name", ["feature_dim", "num_factors", "epochs", "mini_batch_size"])
def test_integers(name):
    for value in ("7", 7, np.int64(7), " 7 "):
        assert getattr(read(**{name: value}), name) == 7
    for value in ("0", "-1", "7.0", 7.0, "1e3", "", "seven", True, None, "9" * 20, "nan"):
        with pytest.raises(DataError, match=f"{name} must be an integer of at least 1, got "):
            read(**{name: value})


@pytest.mark.parametrize("name", RATES)
def test_rates_are_not_negative(name):
    for value in ("1e-3", "0.001", 0.001, np.float64(0.001)):
        assert getattr(read(**{name: value}), name) == 0.001
    assert getattr(read(**{name: "0"}), name) == 0
    for value in ("-0.1", "nan", "inf", "", "a", False, None, "1_0", [1]):
        with pytest.raises(DataError, match=f"{name} must be a finite number of at least 0, got "):
            read(**{name: value})


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("clip_gradient", ["1.5", "-1"], ["inf", "x"]),
        ("rescale_grad", ["2.0", "-1"], ["nan"]),
        ("eps", ["1e-8"], ["0", "-1"]),
    ],
)
def test_other_numbers(name, good, bad):
    for value in good:
        assert getattr(read(**{name: value}), name) == float(value)
    for value in bad:
        with pytest.raises(DataError, match=f"^{name} must be a finite number"):
            read(**{name: value})


def test_words():
    assert read(use_bias="False").use_bias is False
    assert read(use_linear=False).use_linear is False
    with pytest.raises(DataError, match=r'use_bias must be "true" or "false", got \'yes\''):
        read(use_bias="yes")
    with pytest.raises(DataError, match="predictor_type must be one of 'binary_classifier', 'regressor', got 'class"):
        read(predictor_type="classifier")


def test_everything_wrong_is_said_at_once():
    with pytest.raises(DataError) as caught:
        FMHyperparameters.read({"epochs": "0", "num_factor": "3", "predictor_type": "regressor"})
    text = str(caught.value)
    assert "epochs must be an integer of at least 1, got '0'" in text
    assert "'num_factor' is not a hyperparameter of factorization machines; did you mean 'num_factors'?" in text
    assert "feature_dim is required: an integer of at least 1" in text
    assert "num_factors is required" in text
    with pytest.raises(DataError, match=r"'zzz' is not a hyperparameter .* they are: feature_dim, num_factors"):
        read(zzz="1")
    with pytest.raises(DataError, match="must map names to values"):
        FMHyperparameters.read([("feature_dim", "1")])


def test_start_values_go_with_their_method():
    block = read(
        linear_init_method="uniform", linear_init_scale="0.5", bias_init_method="constant", bias_init_value="-2"
    )
    assert block.start_of("linear") == ("uniform", 0.5)
    assert block.start_of("bias") == ("constant", -2.0)
    assert block.start_of("factors") == ("normal", 0.001)
    with pytest.raises(DataError, match="factors_init_method is 'uniform': give factors_init_scale"):
        read(factors_init_method="uniform")
    with pytest.raises(DataError, match="bias_init_method is 'constant': give bias_init_value"):
        read(bias_init_method="constant")
    with pytest.warns(UserWarning, match="linear_init_scale has no effect: linear_init_method is 'normal'"):
        read(linear_init_scale="0.5").warn_without_effect()
    with pytest.raises(DataError, match="clip_gradient is 0"):
        read(clip_gradient="0")


def test_internal_names():
    assert read(_optimizer="adam", _wd="1.0", _tuning_objective_metric="test:rmse", _num_gpus="2") == read()
    with pytest.raises(DataError, match="_optimizer is internal to the managed service: only its own 'adam'"):
        read(_optimizer="sgd")


def test_strings_read_back():
    one = read(factors_lr="3e-7", clip_gradient="2", use_bias="false", epochs=3)
    assert FMHyperparameters.read(one.as_strings() | {}) == one
    assert all(isinstance(value, str) for value in one.as_strings().values())
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.epochs = 4
