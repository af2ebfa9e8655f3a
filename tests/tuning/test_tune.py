"""Searches: resumable, repeatable, on training rows alone, and the best model at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from sklearn.base import clone

import factorec as fr
from factorec import errors
from factorec.model_selection import LeaveLastN, RandomSplit, TemporalSplit, train_test_split
from factorec.tuning import search_space, tune
from factorec.tuning.space import defaults


@pytest.fixture(scope="module")
def table():
    return fr.datasets.make_planted_fm(60, 40, 1500, target="real", seed=0).table


@pytest.fixture(scope="module")
def likes():
    return fr.datasets.make_planted_fm(60, 40, 1500, seed=0).table


def regressor(**settings):
    return fr.Recommender(fr.FMRegressor(n_factors=4, random_state=3, **settings))


def ranker(**settings):
    return fr.Recommender(fr.FMClassifier(n_factors=4, n_epochs=4, **settings), like_threshold=1, negatives=2)


def figures(study):
    return [(trial.params, trial.value, trial.state) for trial in study.trials]


def test_the_best_settings_are_fitted_to_all_rows(table):
    rec = regressor()
    before = repr(rec.get_params())
    found = tune(rec, table, n_trials=4, max_epochs=8)
    assert found.best_value == min(trial.value for trial in found.study.trials if trial.value is not None)
    assert found.best_params.keys() >= {"learning_rate", "l2_linear", "l2_factors", "n_factors", "n_epochs"}
    again = clone(rec).set_params(**{f"estimator__{name}": value for name, value in found.best_params.items()})
    again.fit(table)
    assert found.recommender.estimator_.factors_.tobytes() == again.estimator_.factors_.tobytes()
    assert repr(rec.get_params()) == before
    assert not hasattr(rec, "estimator_")


def test_a_trial_s_value_is_the_loss_of_held_out_rows_at_its_best_epoch(table):
    found = tune(regressor(), table, n_trials=3, max_epochs=8, splitter=LeaveLastN(3, time=None))
    train, held_out = train_test_split(table, LeaveLastN(3, time=None))
    rec = regressor().set_params(**{f"estimator__{name}": value for name, value in found.best_params.items()})
    assert rec.fit(train).evaluate(held_out).value("rmse") == pytest.approx(found.best_value, rel=1e-5)


def test_lists_are_judged_with_negatives(likes):
    found = tune(ranker(random_state=1), likes, n_trials=3, max_epochs=6)
    assert found.metric == "ndcg@10"
    assert found.study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert found.best_value == max(trial.value for trial in found.study.trials if trial.value is not None)
    train, held_out = train_test_split(likes, RandomSplit(0.1, random_state=0))
    rec = ranker(random_state=1)
    settings = {f"estimator__{name}": value for name, value in found.best_params.items()}
    # The trial stopped early by a tenth of its own rows.
    rec.set_params(**settings | {"estimator__early_stopping": True, "estimator__n_epochs": 6}).fit(train)
    assert rec.evaluate(held_out, n=10).value("ndcg@10") == found.best_value


def test_lists_are_what_a_ranker_is_judged_by(likes):
    rec = fr.Recommender(fr.FMRanker(n_factors=4, random_state=1))
    found = tune(rec, likes, n_trials=3, max_epochs=4)
    assert found.metric == "ndcg@10"
    assert found.best_value == max(trial.value for trial in found.study.trials if trial.value is not None)
    default = tune(fr.Recommender(target=None), {name: likes[name] for name in ("user_id", "item_id")}, n_trials=1)
    assert isinstance(default.recommender.estimator_, fr.FMRanker)
    with pytest.raises(errors.DataError, match="metric must be 'ndcg@' with a length"):
        tune(rec, likes, n_trials=1, metric="log_loss")


@pytest.mark.parametrize(
    ("rec", "searched"),
    [
        (regressor(solver="als"), {"l2_linear", "l2_factors", "l2_count_power"}),
        (regressor(solver="gibbs", n_samples=3), {"row_noise"}),
        (
            fr.Recommender(fr.FMRanker(4, solver="ials", unobserved_weight=0.1), target=None),
            {"l2_factors", "unobserved_weight"},
        ),
    ],
    ids=["als", "gibbs", "ials"],
)
def test_solvers_without_a_rate(table, rec, searched):
    found = tune(rec, table, n_trials=3, max_epochs=12)
    params = set(found.study.best_trial.params)
    assert params >= {*searched, "n_factors"}
    assert not params & {"learning_rate", "init_scale"}
    assert found.recommender.estimator_.solver == rec.estimator.solver
    assert 1 <= found.best_params["n_epochs"] <= 12


@pytest.mark.parametrize(("threshold", "metric"), [(4, "log_loss"), (None, "rmse"), (4, "rmse")])
def test_levels_are_judged_by_likes_or_by_ratings(table, threshold, metric):
    levels = {**table, "rating": np.clip(np.round(table["rating"]), -1, 1)}
    threshold = None if threshold is None else 1
    rec = fr.Recommender(fr.FMOrdinal(n_factors=4, random_state=0), like_threshold=threshold)
    given = {} if metric == ("rmse" if threshold is None else "log_loss") else {"metric": metric}
    found = tune(rec, levels, n_trials=2, max_epochs=5, **given)
    assert found.metric == metric
    assert found.best_value == min(trial.value for trial in found.study.trials if trial.value is not None)
    if threshold is not None:
        assert found.recommender.predict_like(levels).min() > 0


def test_the_own_settings_come_first(table):
    rec = regressor(learning_rate=0.05, l2_factors=0.1).set_params(estimator__n_factors=8)
    first = tune(rec, table, n_trials=1, max_epochs=4).study.trials[0].params
    assert (first["learning_rate"], first["l2_linear"], first["l2_factors"]) == (0.05, 0.049, 0.1)
    assert (first["n_factors"], first["init_scale"], first["l2_count_power"]) == (8, 0.01, 0.0)


@pytest.mark.parametrize(
    "rec",
    [
        regressor(),
        fr.Recommender(fr.FMClassifier()),
        ranker(),
        regressor(solver="adam"),
        ranker().set_params(estimator__solver="adam", estimator__batch_size=50),
        fr.Recommender(fr.FMRanker(n_factors=4)),
        fr.Recommender(fr.FMRanker(loss="warp")),
        fr.Recommender(fr.FMOrdinal()),
        fr.Recommender(),
        fr.Recommender(fr.FMRanker(solver="ials")),
        regressor(solver="als"),
        regressor(solver="gibbs"),
    ],
    ids=[
        "ratings",
        "likes",
        "likes with negatives",
        "adam",
        "adam with negatives",
        "softmax",
        "warp",
        "levels",
        "default",
        "ials",
        "als",
        "gibbs",
    ],
)
def test_the_space_holds_the_tuned_defaults(rec):
    """Also those of fields: else the first trial would not be of the recommender's own settings."""
    space = search_space(rec, side=True)
    assert defaults(space, rec).keys() == space.keys()


def test_seeds_decide(table):
    one, two = (tune(regressor(), table, n_trials=4, max_epochs=4, random_state=5) for _ in range(2))
    assert figures(one.study) == figures(two.study)
    other = tune(regressor(), table, n_trials=4, max_epochs=4, random_state=6)
    assert figures(other.study) != figures(one.study)


@pytest.mark.parametrize("url", [False, True])
def test_the_same_call_goes_on_where_the_last_one_stopped(table, tmp_path, url):
    storage = f"sqlite:///{tmp_path}/trials.db" if url else tmp_path / "trials.log"
    options = {"max_epochs": 4}
    whole = tune(regressor(), table, n_trials=5, **options)
    tune(regressor(), table, n_trials=2, storage=storage, **options)
    rest = []
    found = tune(regressor(), table, n_trials=5, storage=storage, on_trial=rest.append, **options)
    assert len(rest) == 3
    assert figures(found.study) == figures(whole.study)
    assert found.best_params == whole.best_params
    nothing_to_do = tune(regressor(), table, n_trials=5, storage=storage, **options)
    assert nothing_to_do.recommender.estimator_.factors_.tobytes() == found.recommender.estimator_.factors_.tobytes()


def test_another_search_in_the_storage_is_refused(table, tmp_path):
    storage = tmp_path / "trials.log"
    tune(regressor(), table, n_trials=1, max_epochs=2, storage=storage)
    with pytest.raises(errors.DataError, match="max_epochs was 2, is 3"):
        tune(regressor(), table, n_trials=1, max_epochs=3, storage=storage)
    fewer = {name: column[:900] for name, column in table.items()}
    with pytest.raises(errors.DataError, match="rows was 1500, is 900"):
        tune(regressor(), fewer, n_trials=1, max_epochs=2, storage=storage)
    tune(regressor(), fewer, n_trials=1, max_epochs=2, storage=storage, study_name="fewer")


def test_ctrl_c_keeps_what_was_finished(table, tmp_path):
    """Promise 7; the interrupted trial is done again, so that what is found is what it would have been."""
    storage = tmp_path / "trials.log"
    seen = []

    def stop(trial):
        seen.append(trial)
        if len(seen) == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        tune(regressor(), table, n_trials=4, max_epochs=4, storage=storage, on_trial=stop)
    found = tune(regressor(), table, n_trials=4, max_epochs=4, storage=storage)
    assert figures(found.study) == figures(tune(regressor(), table, n_trials=4, max_epochs=4).study)


def test_ctrl_c_inside_a_trial(table, tmp_path):
    """In a process of its own, into a trial that would take hours."""
    storage = tmp_path / "trials.log"
    code = f"""
        import factorec as fr, optuna, signal, threading
        table = fr.datasets.make_planted_fm(60, 40, 1500, target="real", seed=0).table
        rec = fr.Recommender(fr.FMRegressor(n_factors=4, n_iter_no_change=10**9, learning_rate=1e-9))
        threading.Timer(2, lambda: signal.raise_signal(signal.SIGINT)).start()
        space = {{"l2_bias": optuna.distributions.FloatDistribution(0, 1)}}
        fr.tuning.tune(rec, table, n_trials=1, max_epochs=10**9, space=space, storage={str(storage)!r})
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    backend = optuna.storages.journal.JournalFileBackend(str(storage))
    study = optuna.load_study(study_name="factorec", storage=optuna.storages.JournalStorage(backend))
    assert [trial.state.name for trial in study.trials] == ["FAIL"]


def test_a_timeout_ends_the_search_inside_a_trial(table):
    space = {"l2_bias": FloatDistribution(0, 1)}
    rec = regressor(learning_rate=1e-9, n_iter_no_change=10**9)
    with pytest.raises(errors.DataError, match="no trial was completed"):
        tune(rec, table, n_trials=None, timeout=0.3, max_epochs=10**9, space=space)


def test_bad_trials_are_pruned(table):
    """After five trials, one whose loss is worse than the median is not trained to its end."""
    space = {"learning_rate": CategoricalDistribution((0.05, 1e-7))}
    found = tune(regressor(), table, n_trials=16, max_epochs=12, space=space)
    pruned = [trial for trial in found.study.trials if trial.state == optuna.trial.TrialState.PRUNED]
    assert pruned
    assert {trial.params["learning_rate"] for trial in pruned} == {1e-7}
    columns = found.to_frame("dict")
    assert set(columns["n_epochs"][columns["state"] == "pruned"]) == {4}
    assert (columns["state"] == "pruned").sum() == len(pruned)
    assert np.isnan(columns["rmse"][columns["state"] == "pruned"]).all()


def test_a_trial_that_diverges_is_one_of_the_bad(table):
    space = {"learning_rate": CategoricalDistribution((0.05, 1e4))}
    found = tune(regressor(solver="sgd"), table, n_trials=6, max_epochs=4, space=space)
    assert found.best_params["learning_rate"] == 0.05
    assert "PRUNED" in {trial.state.name for trial in found.study.trials}


def test_test_rows_are_not_needed_and_splits_stay_inside_the_table(table):
    """What is held out comes from the table; ids that only held-out rows have cost nothing but their loss."""
    held = train_test_split(table, RandomSplit(0.1, random_state=0))[1]
    table = {name: np.array(column) for name, column in table.items()}
    table["user_id"][np.flatnonzero(table["user_id"] == held["user_id"][0])] += 1000
    assert tune(regressor(), table, n_trials=1, max_epochs=2).recommender.encoder_.users_.ids.max() >= 1000


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow", "dict"])
def test_trials_as_a_table_best_first(table, backend):
    found = tune(regressor(), table, n_trials=3, max_epochs=3)
    frame = found.to_frame(backend)
    names = (
        list(frame) if backend in ("dict", "pandas") else frame.columns if backend == "polars" else frame.column_names
    )
    assert list(names) == ["trial", "state", "rmse", "n_epochs", "seconds", *search_space(regressor())]
    values = np.asarray(frame["rmse"])
    assert (np.diff(values) >= 0).all()
    assert values[0] == found.best_value
    assert f"rmse {found.best_value:.4f}" in repr(found)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n_trials": None}, "n_trials or timeout"),
        ({"n_trials": 0}, "n_trials must be an integer of at least 1"),
        ({"max_epochs": 2.5}, "max_epochs"),
        ({"timeout": 0}, "timeout must be above 0"),
        ({"metric": "log_loss"}, "metric must be 'rmse' or 'ndcg@'"),
        ({"metric": "ndcg@"}, "metric must be"),
        ({"space": {"n_epochs": FloatDistribution(0, 1)}}, "'n_epochs' is no parameter of FMRegressor"),
        ({"space": {"depth": FloatDistribution(0, 1)}}, "'depth' is no parameter"),
        ({"space": {"init_scale/side": FloatDistribution(0, 1)}}, "only learning_rate, l2_linear, l2_factors"),
        ({"space": {"l2_linear/genres": FloatDistribution(0, 1)}}, "fields that are no ids: none"),
        ({"space": {"init_scale": 0.1}}, "must be an Optuna distribution, got 0.1"),
        ({"splitter": RandomSplit(10**6)}, "leaves none to train on"),
    ],
    ids=str,
)
def test_arguments(table, options, match):
    with pytest.raises(errors.DataError, match=match):
        tune(regressor(), table, **{"n_trials": 1, "max_epochs": 1} | options)


def test_what_is_tuned_is_a_recommender(table):
    with pytest.raises(errors.DataError, match="rec must be a Recommender"):
        tune(fr.FMRegressor(), table)


def test_a_storage_that_cannot_be_used(table, tmp_path):
    with pytest.raises(FileNotFoundError):
        tune(regressor(), table, n_trials=1, storage=tmp_path / "none" / "trials.log")
    with pytest.raises(errors.DatabaseError, match=r"none/trials\.db: .*unable to open"):
        tune(regressor(), table, n_trials=1, storage=f"sqlite:///{tmp_path}/none/trials.db")


def test_passwords_are_not_told(table):
    for url in ("nosql://ann:secret@example.org/trials", "mysql+nothing://ann:secret@example.org/trials"):
        with pytest.raises(errors.DatabaseError, match=r"storage .*://ann@example.org/trials: ") as told:
            tune(regressor(), table, n_trials=1, storage=url)
        assert "secret" not in str(told.value)


def test_without_optuna_the_error_says_what_to_install():
    code = """
        import sys
        sys.modules["optuna"] = None
        import factorec as fr
        table = fr.datasets.make_planted_fm(60, 40, 1500, seed=0).table
        try:
            fr.tuning.tune(fr.Recommender(fr.FMClassifier()), table)
        except ImportError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, env=os.environ)
    assert "pip install 'factorec[tune]'" in done.stdout, done.stderr


@pytest.fixture(scope="module")
def catalogue():
    ids = np.arange(40)
    return {"item_id": ids, "genre": np.array(["drama", "comedy", "crime"])[ids % 3], "year": 1950.0 + ids}


def test_fields_have_settings_of_their_own(table, catalogue):
    rec = regressor().set_params(fields={"item": ["genre", fr.Numeric("year", bins=4)]}, title=None)
    space = search_space(rec)
    assert {"learning_rate/side", "l2_linear/side", "l2_factors/side"} <= set(space)
    found = tune(rec, table, items=catalogue, n_trials=3, max_epochs=4)
    drawn = found.study.best_trial.params
    expected = {"user_id": drawn["l2_factors"], "item_id": drawn["l2_factors"]}
    expected |= dict.fromkeys(("genre", "year"), drawn["l2_factors/side"])
    assert found.best_params["l2_factors"] == expected
    rate = found.best_params["learning_rate"]
    assert rate.keys() == {"bias", "linear", "factors", "genre", "year"}
    assert rate["genre"] == drawn["learning_rate/side"]
    penalties = found.recommender.estimator_.penalties_.per_row
    assert penalties["year"][0] == pytest.approx(drawn["l2_linear/side"])


def test_one_field_may_be_searched_by_itself(table, catalogue):
    rec = regressor().set_params(fields={"item": ["genre", fr.Numeric("year", bins=4)]}, title=None)
    space = {
        "l2_factors/side": CategoricalDistribution((0.2,)),
        "l2_factors/year": CategoricalDistribution((0.3,)),
    }
    found = tune(rec, table, items=catalogue, n_trials=1, max_epochs=2, space=space)
    assert found.best_params["l2_factors"] == {"genre": 0.2, "year": 0.3}


def test_fields_are_chosen_once(table, catalogue, capsys):
    rec = regressor().set_params(fields="auto", title=None)
    found = tune(rec, table, items=catalogue, n_trials=2, max_epochs=2)
    assert capsys.readouterr().out.count("fields='auto' chose") == 1
    assert "genre" in found.recommender.encoder_.field_ranges_
    assert rec.fields == "auto"


def test_the_newest_rows_are_held_out_where_rows_have_a_time(table):
    timed = {**table, "when": np.arange(len(table["user_id"]))[::-1]}
    rec = regressor().set_params(time="when")
    found = tune(rec, timed, n_trials=1, max_epochs=3)
    again = tune(rec, timed, n_trials=1, max_epochs=3, splitter=TemporalSplit(0.1, time="when"))
    other = tune(rec, timed, n_trials=1, max_epochs=3, splitter=RandomSplit(0.1, random_state=0))
    assert found.best_value == again.best_value != other.best_value
