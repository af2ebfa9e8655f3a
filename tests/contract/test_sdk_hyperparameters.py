"""Hyperparameters as the service's SDK sends them: all of its names are known, and what it refuses is refused."""

from __future__ import annotations

import json

import pytest
from sdk_environment import run_sdk

from factorec.errors import DataError
from factorec.sagemaker import KNN, estimator
from factorec.sagemaker.hyperparameters import FMHyperparameters, KNNHyperparameters

SCRIPT = """
import json, warnings
from unittest.mock import MagicMock
from sagemaker.amazon.amazon_estimator import RecordSet
from sagemaker.amazon.factorization_machines import FactorizationMachines
from sagemaker.amazon.hyperparameter import Hyperparameter
from sagemaker.amazon.knn import KNN

session = MagicMock(local_mode=False, boto_region_name="eu-west-1", config=None, sagemaker_config=None)
session.default_bucket_prefix = None
common = dict(role="r", instance_count=1, instance_type="ml.c5.large", sagemaker_session=session, output_path="s3://b/o")

def sent(kind, width, batch, **given):
    made = kind(**common, **given)
    made._prepare_for_training(RecordSet("s3://b/x", num_records=5000, feature_dim=width), batch, "job")
    return made.hyperparameters()

def names(kind):
    found = [value for one in kind.__mro__ for value in vars(one).values() if isinstance(value, Hyperparameter)]
    return sorted({one.name for one in found})

def refused(kind, required, tried):
    found = []
    for name, value in tried:
        try:
            kind(**common, **{**required, name: value})
        except Exception:
            found.append([name, value])
    return found

blocks = ("bias", "linear", "factors")
everything = dict(
    epochs=200, clip_gradient=1.5, eps=1e-8, rescale_grad=2.0,
    **{f"{b}_lr": 0.5 for b in blocks}, **{f"{b}_wd": 1e-7 for b in blocks},
    bias_init_method="uniform", bias_init_scale=0.1, linear_init_method="constant", linear_init_value=-0.1,
    factors_init_method="normal", factors_init_sigma=0.001,
)
fm = dict(num_factors=64, predictor_type="binary_classifier")
knn = dict(k=10, sample_size=500, predictor_type="classifier")
tried_fm = [
    ("num_factors", 0), ("predictor_type", "classifier"), ("epochs", 0), ("epochs", "many"), ("bias_lr", -1),
    ("factors_wd", -0.1), ("linear_init_method", "zeros"), ("bias_init_sigma", -1), ("linear_init_scale", -1),
    ("factors_init_value", "x"), ("clip_gradient", "x"), ("eps", "x"), ("rescale_grad", "x"),
]
tried_knn = [("k", 0), ("sample_size", 0), ("predictor_type", "binary_classifier"), ("index_type", "flat"),
             ("index_metric", "IP"), ("dimension_reduction_type", "pca"), ("dimension_reduction_target", 0)]
print(json.dumps({
    "fm": {"names": names(FactorizationMachines), "sent": sent(FactorizationMachines, 2625, 500, **fm, **everything),
           "refused": refused(FactorizationMachines, fm, tried_fm)},
    "knn": {"names": names(KNN), "sent": sent(KNN, 65, None, **knn, index_metric="INNER_PRODUCT"),
            "refused": refused(KNN, knn, tried_knn)},
}))
"""


@pytest.fixture(scope="module")
def sdk(sdk_python):
    return json.loads(run_sdk(sdk_python, SCRIPT).splitlines()[-1])


@pytest.mark.parametrize(("algorithm", "table"), [("fm", FMHyperparameters), ("knn", KNNHyperparameters)])
def test_every_name_of_the_sdk_is_known(sdk, algorithm, table):
    names = sdk[algorithm]["names"]
    assert len(names) >= 9
    assert set(names) <= set(table.__dataclass_fields__)


def test_what_the_sdk_sends_is_read(sdk):
    fm = estimator(sdk["fm"]["sent"])
    assert all(isinstance(value, str) for value in sdk["fm"]["sent"].values())
    read = fm.hyperparameters
    assert (read.feature_dim, read.mini_batch_size, read.epochs, read.num_factors) == (2625, 500, 200, 64)
    assert (read.bias_lr, read.factors_wd, read.rescale_grad, read.eps) == (0.5, 1e-7, 2.0, 1e-8)
    assert read.start_of("bias") == ("uniform", 0.1)
    assert read.start_of("linear") == ("constant", -0.1)
    knn = KNN(sdk["knn"]["sent"])
    assert knn.hyperparameters.feature_dim == 65
    assert knn.hyperparameters.index_metric == "INNER_PRODUCT"


def test_what_the_sdk_refuses_is_refused(sdk):
    assert len(sdk["fm"]["refused"]) == 13
    assert len(sdk["knn"]["refused"]) == 7
    for algorithm, table in (("fm", FMHyperparameters), ("knn", KNNHyperparameters)):
        for name, value in sdk[algorithm]["refused"]:
            with pytest.raises(DataError, match=name):
                table.read(sdk[algorithm]["sent"] | {name: str(value)})
