"""Estimators in model files: samples of a posterior, levels, grades; older files, and files that no training leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import factorec as fr
from factorec.errors import DataError, FormatError
from factorec.formats import model_file

from .conftest import classifier, regressor
from .test_model_file import read

# Written by version 0.1.0 before FMRanker had a parameter `interactions`: make_planted_fm(12, 8, 60, target="real",
# seed=0), its ratings rounded, plus 3, cut to 1 .. 5; FMRegressor(2, solver="gibbs", n_epochs=12, n_samples=2,
# interactions="bipartite", random_state=0), fields={"user": [History()]}, like_threshold=4, search_with="mean".
SAMPLED_FILE = Path(__file__).with_name("sampled.factorec")


def test_a_file_with_samples_still_loads(tmp_path):
    rec = fr.load(SAMPLED_FILE)
    p = rec.estimator_.parameters_
    assert (p.interactions, p.posterior.n_samples, p.n_factors, p.mean().n_factors) == ("bipartite", 2, 4, 2)
    assert set(p.mean().penalties.priors) == {"user_id", "user_history", "item_id"}
    assert rec.search_with == "mean"
    top = rec.recommend(n=2)
    assert top.item_ids[:3].tolist() == [[1, 5], [1, 6], [1, 6]]
    assert np.allclose(top.scores[0], [3.9080079, 3.628046], rtol=1e-5)
    mean, std = rec.predict({"user_id": [3], "item_id": [1]}, return_std=True)
    assert (mean[0], std[0]) == (pytest.approx(3.58585614, rel=1e-5), pytest.approx(0.93637616, rel=1e-5))
    rec.save(tmp_path / "again")
    assert np.array_equal(fr.load(tmp_path / "again").recommend(n=2).scores, top.scores)


def saved(rec, train, folder):
    path = folder / "model.factorec"
    rec.fit(train).save(path)
    return path


def refused(path, folder, change, message):
    tensors, metadata = read(path)
    tensors = {name: array.copy() for name, array in tensors.items()}
    change(tensors, metadata)
    model_file.write(folder / "changed", tensors, metadata)
    with pytest.raises(FormatError, match=message):
        fr.load(folder / "changed")


@pytest.fixture(scope="module")
def sampled(train, tmp_path_factory):
    rec = fr.Recommender(regressor(n_factors=4, solver="gibbs", n_samples=3))
    return saved(rec, train, tmp_path_factory.mktemp("sampled"))


@pytest.fixture(scope="module")
def levels(train, tmp_path_factory):
    rec = fr.Recommender(fr.FMOrdinal(4, n_epochs=2, random_state=0), like_threshold=4)
    return saved(rec, train, tmp_path_factory.mktemp("levels"))


@pytest.fixture(scope="module")
def lists(train, tmp_path_factory):
    rec = fr.Recommender(fr.FMRanker(4, solver="ials", n_epochs=2, random_state=0), like_threshold=4)
    return saved(rec, train, tmp_path_factory.mktemp("lists"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: m.pop("posterior"), "unknown array|expected"),
        (lambda t, m: m["posterior"].update(seed="x"), "the posterior is"),
        (lambda t, m: m["posterior"].update(more=1), "the posterior is"),
        (lambda t, m: m["posterior"].update(priors=["user_id"]), "does not name the fields"),
        (lambda t, m: m["posterior"].update(priors=None), "does not name the fields"),
        (lambda t, m: m.update(penalties_priors=[]), "does not name the fields"),
        (lambda t, m: m.update(penalties_by_factor=False), "'penalties.factors' has the shape"),
        (lambda t, m: m.update(interactions="some"), "interactions must be"),
        (lambda t, m: m["estimator_parameters"].update(solver="als"), "there are samples of a posterior, but"),
        (lambda t, m: m["estimator_parameters"].update(n_factors=5), "4 factors, but n_factors=5"),
        (lambda t, m: m["estimator_parameters"].update(n_samples=0), "n_samples"),
        (lambda t, m: m["parameters"].update(search_with="most"), "search_with must be"),
        (lambda t, m: t.pop("posterior.bias"), "'posterior.bias' is missing"),
        (lambda t, m: t.pop("mean.factors"), "'mean.factors' is missing"),
        (lambda t, m: t.pop("posterior.prior.linear"), "are not complete"),
        (lambda t, m: t.update({"factors": t["factors"][:, :-1]}), "those of the posterior's samples"),
        (lambda t, m: t.update({"mean.factors": t["mean.factors"][:, :2]}), "expected"),
        (
            lambda t, m: t.update({"posterior.linear": t["posterior.linear"][:, :2]}),
            "'posterior.noise|'posterior.linear",
        ),
        (lambda t, m: t["posterior.noise_precision"].__setitem__(0, 0), "noise_precision must be positive"),
        (lambda t, m: t["posterior.linear"].__setitem__((0, 0), np.nan), "is not finite"),
        (lambda t, m: t["posterior.prior.factors"].__setitem__((0, 0, 0), -1), "a precision of 'user_id' that is not"),
        (lambda t, m: t["penalties.prior.linear"].__setitem__(0, 0), "a precision of 'user_id' that is not"),
        (lambda t, m: t["penalties.factors"].__setitem__((0, 0), -1), "holds a negative penalty"),
    ],
)
def test_promise_8_samples_that_no_sampler_leaves(sampled, tmp_path, change, message):
    refused(sampled, tmp_path, change, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: t.pop("levels"), "'levels' is missing"),
        (lambda t, m: t.update(levels=t["levels"][:-1]), "expected"),
        (lambda t, m: t.update(levels=t["levels"][::-1].copy()), "array 'levels' does not rise"),
        (lambda t, m: t["cuts"].__setitem__(0, t["cuts"][1]), "array 'cuts' does not rise"),
        (lambda t, m: t.pop("solver.cuts"), "'solver.cut_accumulator', but no 'solver.cuts'"),
        (lambda t, m: t["solver.cut_accumulator"].__setitem__(0, 0), "the solver's cuts"),
        (lambda t, m: t["history.label"].__setitem__(0, 2.5), "none of 'levels'"),
        (lambda t, m: m.update(estimator="FMRegressor"), "unknown array 'cuts'"),
    ],
)
def test_promise_8_levels_that_no_training_leaves(levels, tmp_path, change, message):
    refused(levels, tmp_path, change, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: m.pop("unobserved_weight"), "unexpected metadata"),
        (lambda t, m: m.update(unobserved_weight=-1), "unobserved_weight must be"),
        (lambda t, m: t["history.label"].__setitem__(0, -1), "holds a negative grade"),
        (
            lambda t, m: m.update(default_estimator=True, estimator="FMRegressor"),
            "unknown or missing|is not the default",
        ),
        (lambda t, m: m["parameters"].update(soft_positives={"pairs": [[3, "x"]]}), "soft_positives: a grade"),
    ],
)
def test_promise_8_lists_that_no_training_leaves(lists, tmp_path, change, message):
    refused(lists, tmp_path, change, message)


def test_the_default_estimator_stays_the_default(train, tmp_path):
    rec = fr.Recommender(like_threshold=4, soft_positives={1: 0.0, 2: 0.1, 3: 0.5})
    rec.fit(train).save(tmp_path / "m")
    loaded = fr.load(tmp_path / "m")
    assert loaded.estimator is None
    assert loaded.get_params() == rec.get_params()
    assert np.array_equal(loaded.recommend(n=3).scores, rec.recommend(n=3).scores)


def test_folded_seeds_and_weights_of_cuts_come_back(train, tmp_path):
    estimator = fr.FMOrdinal(3, n_epochs=2, n_seeds=2, cut_weights=[1, 1, 2, 1], random_state=0)
    rec = fr.Recommender(estimator, like_threshold=4).fit(train)
    rec.save(tmp_path / "m")
    loaded = fr.load(tmp_path / "m")
    assert loaded.estimator_.cut_weights == [1, 1, 2, 1]
    assert loaded.estimator_.factors_.shape[1] == 6
    assert np.array_equal(loaded.predict_like(train), rec.predict_like(train))


def test_sampled_models_do_not_go_on_row_by_row(train):
    rec = fr.Recommender(classifier(solver="gibbs", n_samples=3), like_threshold=4).fit(train)
    before = rec.recommend(n=3).scores
    with pytest.raises(DataError, match=r"gibbs.*fold in"):
        rec.partial_fit({name: values[:3] for name, values in train.items()})
    assert np.array_equal(rec.recommend(n=3).scores, before)
