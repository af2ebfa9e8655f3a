from __future__ import annotations

import numpy as np
import pytest

from factorec import FMParameters
from factorec.sagemaker.model import FMModel

N_FEATURES = 7


@pytest.fixture
def parameters() -> FMParameters:
    rng = np.random.default_rng(0)
    return FMParameters(
        0.3,
        rng.normal(size=N_FEATURES).astype(np.float32),
        rng.normal(size=(N_FEATURES, 3)).astype(np.float32),
    )


@pytest.fixture
def classifier(parameters: FMParameters) -> FMModel:
    return FMModel(parameters, "binary_classifier", n_jobs=1)


@pytest.fixture
def regressor(parameters: FMParameters) -> FMModel:
    return FMModel(parameters, "regressor", n_jobs=1)
