"""The search itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import clone

from ..encoding.tables import column_names, n_rows
from ..errors import DataError
from ..model_selection import RandomSplit, TemporalSplit
from ..recommender import Recommender
from ..recommender.estimators import unfitted
from ._optuna import optuna
from .objective import Objective, default_metric
from .result import TuningResult
from .space import check_space, declare_fields, defaults, estimator_params, search_space
from .storage import open_study, uninterrupted

__all__ = ["tune"]


class _OutOfTime(Exception):
    pass


def tune(
    rec: Any,
    table: Any,
    *,
    users: Any = None,
    items: Any = None,
    n_trials: int | None = 50,
    timeout: float | None = None,
    metric: str | None = None,
    space: Mapping[str, Any] | None = None,
    splitter: Any = None,
    max_epochs: int = 100,
    storage: str | os.PathLike[str] | None = None,
    study_name: str = "factorec",
    random_state: int = 0,
    on_trial: Callable[[Any], object] | None = None,
) -> TuningResult:
    """Search the settings of a recommender's estimator, and fit it with the best.

    A part of `table` is held out to judge settings by; every trial learns from the rest and stops early. Draws are
    those of Optuna's TPE sampler, bad trials are pruned after a few epochs (median rule). The first trial has the
    recommender's own settings. Last, the best settings, with the number of epochs at which their trial was best, are
    fitted to all rows.

    Parameters
    ----------
    rec : Recommender
        What to tune: columns, fields, negatives, estimator. Not changed.
    table : table
        Interactions to learn from. Test rows do not belong here.
    users, items : table, optional
        Catalogues, as in `Recommender.fit`.
    n_trials : int, optional
        Finished trials in all, those in `storage` included. None: as many as `timeout` allows.
    timeout : float, optional
        Seconds for the trials of this call; one that runs then is dropped. Fitting the best takes a little more.
    metric : str, optional
        ``"log_loss"`` (of likes: classifier, or `FMOrdinal` with `like_threshold`) or ``"rmse"`` (regressor,
        `FMOrdinal`) of the held-out rows, or ``"ndcg@n"`` of lists of n. None: ``"ndcg@10"`` with a ranker or with
        negatives, else the first of these that there is.
    space : mapping of str to optuna.distributions.BaseDistribution, optional
        What to search; None: `search_space`. A setting that is not named stays as it is in the estimator.
    splitter : splitter, optional
        Of `factorec.model_selection` or of scikit-learn; its first split is taken. None: a tenth of the rows, the
        newest where the recommender has a `time` column, else drawn at random.
    max_epochs : int
        Where a trial stops at the latest.
    storage : path or URL, optional
        A file, or a database (``"sqlite:///trials.db"``), that keeps every trial: the same call again goes on where
        the last one stopped. None: in memory.
    study_name : str
        Name of the search in the storage.
    random_state : int
        Seed of the draws, of the split, and of the estimator where it has none. What is found does not depend on
        interruptions, but for `timeout`.
    on_trial : callable, optional
        Called with each finished trial (``optuna.trial.FrozenTrial``).

    Returns
    -------
    TuningResult

    Raises
    ------
    ImportError
        If Optuna is not installed (``pip install "factorec[tune]"``).
    DataError
        If an argument or the table cannot be used, `storage` holds another search, or no trial was finished.
    KeyboardInterrupt
        On Ctrl-C; the trials finished until then are in `storage`.

    Examples
    --------
    >>> import factorec as fr
    >>> data = fr.datasets.make_planted_fm(100, 40, 2000, target="real", seed=0)
    >>> rec = fr.Recommender(fr.FMRegressor(n_factors=4))
    >>> found = tune(rec, data.table, n_trials=3, max_epochs=10)
    >>> found.metric, len(found.study.trials), rec.estimator.n_epochs
    ('rmse', 3, None)
    """
    optuna()
    _check(rec, n_trials, timeout, max_epochs)
    catalogues = {name: given for name, given in (("users", users), ("items", items)) if given is not None}
    rec = clone(rec).set_params(estimator=clone(unfitted(rec)))
    if rec.estimator.random_state is None:
        rec.estimator.set_params(random_state=random_state)
    side = declare_fields(rec, table, **catalogues)
    space = dict(search_space(rec, side=bool(side)) if space is None else space)
    check_space(space, rec.estimator, side)
    metric = default_metric(rec) if metric is None else metric
    if splitter is None:
        splitter = (
            RandomSplit(0.1, random_state=random_state) if rec.time is None else TemporalSplit(0.1, time=rec.time)
        )
    objective = Objective(rec, table, metric=metric, splitter=splitter, max_epochs=max_epochs, catalogues=catalogues)
    settings = _settings(rec, table, space) | {
        "metric": metric,
        "splitter": repr(splitter),
        "max_epochs": max_epochs,
        "random_state": random_state,
    }
    study = open_study(storage, study_name, maximise=objective.lists, settings=settings)
    search = _Search(
        study, objective, space, lambda drawn: estimator_params(drawn, rec, side), defaults(space, rec), random_state
    )
    search.run(n_trials, timeout, on_trial)

    best = _best(study)
    params = estimator_params(best.params, rec, side) | {"n_epochs": best.user_attrs["n_epochs"]}
    fitted = objective.recommender(params, early_stopping=False).fit(table, **catalogues)
    return TuningResult(params, float(best.value), metric, study, fitted)


class _Search:
    """The loop over trials. Each has a sampler of its own, seeded by how many were finished before it."""

    def __init__(
        self,
        study: Any,
        objective: Objective,
        space: dict[str, Any],
        params: Callable[[dict[str, Any]], dict[str, Any]],
        first: dict[str, Any],
        seed: int,
    ) -> None:
        self.study = study
        self.objective = objective
        self.space = space
        self.params = params
        self.first = first
        self.seed = seed

    def run(
        self,
        n_trials: int | None,
        timeout: float | None,
        on_trial: Callable[[Any], object] | None,
    ) -> None:
        end = np.inf if timeout is None else time.monotonic() + timeout
        while time.monotonic() < end:
            n_done = len(_finished(self.study))
            if n_trials is not None and n_done >= n_trials:
                return
            try:
                done = self._trial(n_done, end)
            except _OutOfTime:
                return
            if on_trial is not None:
                on_trial(done)

    def _trial(self, n_done: int, end: float) -> Any:
        o = optuna()
        seed = int(np.random.SeedSequence([self.seed, n_done]).generate_state(1)[0])
        self.study.sampler = o.samplers.TPESampler(seed=seed)
        with uninterrupted():
            if not n_done:
                self.study.enqueue_trial(self.first)
            trial = self.study.ask(self.space)

        def report(epoch: int, loss: float) -> None:
            if time.monotonic() >= end:
                raise _OutOfTime
            if not _is_rung(epoch + 1):
                return
            with uninterrupted():
                # More is better in a study that maximises.
                trial.report(-loss if self.objective.lists else loss, epoch + 1)
                bad = trial.should_prune()
            if bad:
                raise o.TrialPruned

        try:
            value, n_epochs = self.objective(self.params(trial.params), report)
        except o.TrialPruned:
            with uninterrupted():
                return self.study.tell(trial, state=o.trial.TrialState.PRUNED)
        except BaseException:
            with uninterrupted():
                self.study.tell(trial, state=o.trial.TrialState.FAIL)
            raise
        with uninterrupted():
            trial.set_user_attr("n_epochs", n_epochs)
            return self.study.tell(trial, value)


def _is_rung(n_epochs: int) -> bool:
    """Whether trials are compared after so many epochs: 4, 8, 16, ... (each report is a write to the storage)."""
    return n_epochs >= 4 and n_epochs & (n_epochs - 1) == 0


def _finished(study: Any) -> list[Any]:
    return [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]


def _best(study: Any) -> Any:
    if not any(trial.state.name == "COMPLETE" for trial in study.trials):
        raise DataError(
            f"no trial was completed ({len(_finished(study))} were pruned or diverged): give more time or trials, or "
            "another space"
        )
    return study.best_trial


def _check(rec: Any, n_trials: Any, timeout: Any, max_epochs: Any) -> None:
    if not isinstance(rec, Recommender):
        raise DataError(f"rec must be a Recommender, got {rec!r}")
    if n_trials is None and timeout is None:
        raise DataError("give n_trials or timeout: a search without either never ends")
    for name, value in (("n_trials", n_trials), ("max_epochs", max_epochs)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise DataError(f"{name} must be an integer of at least 1, got {value!r}")
    if timeout is not None and not timeout > 0:
        raise DataError(f"timeout must be above 0 seconds, got {timeout!r}")


def _settings(rec: Any, table: Any, space: Mapping[str, Any]) -> dict[str, Any]:
    """What makes trials comparable: the rows and all that is not searched."""
    searched = {key.partition("/")[0] for key in space}
    no_matter = {"n_epochs", "early_stopping", "warm_start", "verbose", "n_jobs"}
    estimator = {
        name: value for name, value in rec.estimator.get_params(deep=False).items() if name not in searched | no_matter
    }
    return {
        "estimator": type(rec.estimator).__name__,
        **estimator,
        **{name: value for name, value in rec.get_params(deep=False).items() if name != "estimator"},
        "rows": n_rows(table),
        "columns": [str(name) for name in column_names(table)],
    }
