"""The loop over sweeps of samplers and of least squares: look at rows, remember, stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .._threads import resolve_n_jobs
from ..errors import DataError, DivergenceError
from ._fitting import Weights
from ._predictive import Predictive
from ._problem import Problem
from ._progress import OnEpoch, StopTraining, show_progress
from ._records import History, Records
from ._sampler_rows import SamplerRows
from ._samples import Draw
from .posterior import row_noise

if TYPE_CHECKING:
    from ._learner import Learner

__all__ = ["START_SCALE", "Sweeps", "Watched", "make_sampler", "query_border", "some_rows"]

MAX_TRAIN_ROWS = 10_000
# Standard deviation of the factors of ids at the start: from much smaller ones, sweeps grow them slowly (measured).
START_SCALE = 0.1


def make_sampler(
    rows: SamplerRows,
    target: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float32] | None,
    options: dict[str, Any],
    start: Weights,
) -> Any:
    """The core's sampler, which copies what it is given."""
    fields = [(begin, stop) for _, begin, stop in rows.fields]
    unit = rows.per_feature()
    try:
        return _core.GibbsSampler(
            rows.blocks,
            target.astype(np.float32),
            weight,
            fields,
            options,
            start.bias,
            start.linear * unit,
            start.factors * unit[:, None],
        )
    except ValueError as error:
        raise DataError(str(error)) from None


class Sweeps:
    """Sweeps from number ``first`` on, at most ``n_sweeps``; ``done`` says how many there were."""

    def __init__(
        self, sampler: Any, draw: Draw, watched: dict[str, Watched], *, first: int, n_sweeps: int, verbose: int
    ) -> None:
        self.sampler, self.draw, self.watched = sampler, draw, watched
        self.first, self.n_sweeps, self.verbose = first, n_sweeps, verbose
        self.done = 0

    def run(
        self,
        after: Callable[[int], bool],
        *,
        on_epoch: OnEpoch | None,
        stop_after: int | None,
        stopping_metric: str,
        improved: Callable[[], object] | None = None,
        average: bool,
    ) -> History:
        """Sweep, and tell ``after(number)`` of each sweep, which says whether it counts.

        Those that do count for stopping and, where they ``average``, in the predictions' running mean.
        With ``stop_after`` it ends when so many sweeps that count have not improved the validation metric;
        ``improved`` is told of those that have.
        """
        records = Records(*self.watched)
        with show_progress(self.verbose, self.n_sweeps) as show:
            try:
                for number in range(self.n_sweeps):
                    self._sweep(self.first + number)
                    counts = after(number)
                    self.done = number + 1
                    for name, rows in self.watched.items():
                        records.add(name, rows.metrics(self.draw, running=average and counts and name != "train"))
                    records.tell((show, on_epoch), self.first + number)
                    if stop_after is None or not counts:
                        continue
                    if records.improved(stopping_metric):
                        if improved is not None:
                            improved()
                    elif records.waited(stop_after):
                        break
            except StopTraining:  # between sweeps or, from the handler of a signal, anywhere
                if not records.drop_incomplete():
                    raise
        return records.history()

    def _sweep(self, number: int) -> None:
        try:
            self.sampler.sweep(number)
        except ValueError as error:
            raise DivergenceError(f"sweep {number + 1} failed: {error}; scale the features, or raise L2") from None
        draw = self.draw
        draw.read(self.sampler)
        if not (np.isfinite(draw.bias) and np.isfinite(draw.linear).all() and np.isfinite(draw.factors).all()):
            raise DivergenceError(f"sweep {number + 1} diverged: parameters are not finite; scale the features")


def query_border(learner: Learner, problem: Problem) -> int | None:
    """Where the items' columns begin, if that is known."""
    if problem.training_set is not None:
        return problem.training_set.n_query_features
    if learner.interactions == "bipartite":
        raise DataError("bipartite interactions need a TrainingSet: X alone does not say which columns are the items'")
    return None


def some_rows(problem: Problem, seed: int) -> Problem:
    """At most `MAX_TRAIN_ROWS` of the rows, so that a look at them costs little beside a sweep."""
    n = problem.rows.n_rows
    if n <= MAX_TRAIN_ROWS:
        return problem
    return problem.take(np.sort(np.random.default_rng([seed, 4]).choice(n, MAX_TRAIN_ROWS, replace=False)))


class Watched:
    """Rows whose metrics are recorded after every sweep."""

    def __init__(
        self, learner: Learner, problem: Problem, target_range: tuple[float, float], border: int | None
    ) -> None:
        self.rows, self.target, self.weight = problem.rows, problem.target, problem.weight
        self.n_threads = resolve_n_jobs(learner.n_jobs)
        self.border = border if learner.interactions == "bipartite" else None
        self.new: Any = lambda: learner._predictive(problem.rows.n_rows, target_range)
        self.running: Predictive = self.new()

    def metrics(self, draw: Draw, *, running: bool) -> dict[str, float]:
        """Of the mean of the sweeps after burn-in, this one included, or of this one alone."""
        predictive = self.running if running else self.new()
        rows = self.rows
        scores = _core.scores(
            rows.blocks,
            rows.n_rows,
            draw.bias,
            draw.linear,
            draw.factors,
            self.n_threads,
            n_query_features=self.border,
        )
        precision: Any = draw.noise_precision
        if predictive.metrics_need_noise and draw.log_noise is not None:
            precision = precision * row_noise(draw.log_noise, rows, self.n_threads)
        predictive.add(scores, precision, draw.cuts)
        return predictive.metrics(self.target, self.weight, self.n_threads)
