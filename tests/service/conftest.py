from __future__ import annotations

import numpy as np
import pytest

from factorec import FMParameters
from factorec.sagemaker.model import FMModel


@pytest.fixture
def model() -> FMModel:
    """A classifier of three features."""
    rng = np.random.default_rng(0)
    return FMModel(
        FMParameters(0.1, rng.normal(size=3).astype(np.float32), rng.normal(size=(3, 2)).astype(np.float32)),
        "binary_classifier",
        n_jobs=1,
    )
