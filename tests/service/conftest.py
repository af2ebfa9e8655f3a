from __future__ import annotations

import sys

import numpy as np
import pytest

from factorec import FMParameters, cli
from factorec.formats.fm_artifact import write_fm_artifact
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


@pytest.fixture
def saved_model(tmp_path_factory, model):
    """A model.tar.gz."""
    path = tmp_path_factory.mktemp("saved") / "model.tar.gz"
    write_fm_artifact(
        path,
        model.parameters.bias,
        model.parameters.linear,
        model.parameters.factors,
        predictor_type=model.predictor_type,
        hyperparameters={"feature_dim": "3", "num_factors": "2", "predictor_type": model.predictor_type},
    )
    return path


@pytest.fixture
def run_command(monkeypatch, capsys):
    """Run the command in this process: exit code, standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["factorec", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code or 0, capsys.readouterr().err

    return run
