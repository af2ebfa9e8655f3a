"""What a search found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..recommender.recommendations import as_table

__all__ = ["TuningResult"]


@dataclass(frozen=True, eq=False)
class TuningResult:
    """The best settings, and the model that they give on all rows.

    Attributes
    ----------
    best_params : dict of str to object
        Parameters of the estimator, ``n_epochs`` included: ``rec.estimator.set_params(**best_params)``.
    best_value : float
        Their figure on the rows that were held out.
    metric : str
        ``"log_loss"``, ``"rmse"`` (less is better) or ``"ndcg@n"`` (more is better).
    study : optuna.Study
        All trials, for Optuna's own plots and importances.
    recommender : Recommender
        Fitted with the best settings on all rows.

    Examples
    --------
    >>> import factorec as fr
    >>> data = fr.datasets.make_planted_fm(100, 40, 2000, seed=0)
    >>> rec = fr.Recommender(fr.FMClassifier(n_factors=4, random_state=0))
    >>> found = fr.tuning.tune(rec, data.table, n_trials=2, max_epochs=5)
    >>> found.recommender.estimator_.n_epochs == found.best_params["n_epochs"]
    True
    >>> found.to_frame("pandas")["state"].tolist()
    ['complete', 'complete']
    """

    best_params: dict[str, Any]
    best_value: float
    metric: str
    study: Any = field(repr=False)
    recommender: Any = field(repr=False)

    def to_frame(self, backend: str | None = None) -> Any:
        """Return all finished trials as a table, best first.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow", "dict"}, optional
            None: the kind of table that was learned from.

        Returns
        -------
        table
            Columns ``trial``, ``state`` ("complete" or "pruned"), the metric (NaN where pruned), ``n_epochs``,
            ``seconds``, then one for each searched setting.
        """
        return as_table(trials_table(self.study, self.metric), backend or self.recommender.backend_)

    def __repr__(self) -> str:
        columns = trials_table(self.study, self.metric)
        states = columns["state"]
        pruned = int((states == "pruned").sum())
        lines = [f"TuningResult({self.metric} {self.best_value:.4f} on held-out rows)"]
        lines += [f"  {name:<16}{_shown(value)}" for name, value in self.best_params.items()]
        lines.append(f"  {len(states)} trials, {pruned} of them pruned")
        return "\n".join(lines)


def trials_table(study: Any, metric: str) -> dict[str, Any]:
    """Finished trials, best first; pruned ones after the complete."""
    sign = -1 if study.direction.name == "MAXIMIZE" else 1
    trials = [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]
    complete = {trial.number: trial.state.name == "COMPLETE" for trial in trials}
    trials.sort(key=lambda t: (not complete[t.number], sign * t.value if complete[t.number] else 0.0, t.number))
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    return {
        "trial": np.array([trial.number for trial in trials], np.int64),
        "state": np.array([trial.state.name.lower() for trial in trials], object),
        metric: np.array([trial.value if complete[trial.number] else np.nan for trial in trials], np.float64),
        "n_epochs": np.array([trial.user_attrs.get("n_epochs", trial.last_step or 0) for trial in trials]),
        "seconds": np.array([trial.duration.total_seconds() for trial in trials], np.float64),
        **{name: _column([trial.params.get(name) for trial in trials]) for name in names},
    }


def _column(values: list[Any]) -> Any:
    """Numbers as numbers; settings of several kinds as objects."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values)
    return np.array([*values, None], object)[:-1]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(one)}" for name, one in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)
