"""A training job as the managed service runs it in a container: folders, configuration, exit, SIGTERM.

Below a root, ``/opt/ml`` in a container:

| path | what it is |
|---|---|
| ``input/config/hyperparameters.json`` | hyperparameters, strings |
| ``input/config/inputdataconfig.json`` | content type of each channel; without it, channels are what there is |
| ``input/config/resourceconfig.json`` | name of the host; may be missing |
| ``input/data/<channel>/`` | files of ``train`` and, if wanted, ``test`` |
| ``model/`` | what is trained: ``model_algo-1``, of k-NN with ``.labels`` and ``.json`` |
| ``output/failure`` | why the job failed |

A guess: the failure of a job that its user can mend begins with ``ClientError``, any other with
``InternalServerError``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from .._atomic import atomic_file
from ..errors import FactorecError
from ..fm import StopTraining
from ._channels import read_rows
from ._job_description import Algorithm, algorithm_of, channels_of, host_of, read_object
from .fm import estimator
from .hyperparameters import FMHyperparameters, KNNHyperparameters
from .knn import KNN
from .log_lines import JobLog, fm_metrics

__all__ = ["TrainingResult", "train"]

_NAMES = {"fm": "factorization-machines", "knn": "AWS/KNN"}


@dataclass(frozen=True)
class TrainingResult:
    """What a job left.

    Attributes
    ----------
    folder : Path
        With the model.
    stopped : bool
        Whether SIGTERM ended training early; the model is then what was learned so far.
    """

    folder: Path
    stopped: bool


def train(
    root: str | os.PathLike[str] = "/opt/ml",
    *,
    algorithm: Algorithm | None = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    padded_test_metrics: bool = False,
    stream: TextIO | None = None,
) -> TrainingResult:
    """Run the training job that is described below a folder.

    SIGTERM (in the main thread) ends training within a second: what was learned so far is saved if at least one epoch
    is complete.

    Parameters
    ----------
    root : path-like, default="/opt/ml"
    algorithm : {"fm", "knn"}, optional
        None: as the hyperparameters say, ``num_factors`` for factorization machines, ``k`` for k-NN.
    random_state : int, RandomState or None
        Seed: the service has none.
    n_jobs : int, optional
        Threads; None: all that the process may use.
    padded_test_metrics : bool, default=False
        Test metrics of factorization machines over the last batch filled up, as the service had them in 2018.
    stream : text stream, optional
        For the log; None: standard output.

    Returns
    -------
    TrainingResult

    Raises
    ------
    DataError, FormatError, DivergenceError, OSError
        After ``output/failure`` was written. A model of an earlier job is then still there.
    StopTraining
        After SIGTERM before the first epoch was complete: there is no model of this job.

    Examples
    --------
    >>> import io, json, tempfile
    >>> import numpy as np
    >>> from factorec.formats.recordio import write_recordio
    >>> root = Path(tempfile.mkdtemp())
    >>> for folder in ("input/config", "input/data/train"):
    ...     (root / folder).mkdir(parents=True)
    >>> given = {"feature_dim": "2", "num_factors": "1", "predictor_type": "regressor", "mini_batch_size": "2"}
    >>> _ = (root / "input/config/hyperparameters.json").write_text(json.dumps(given))
    >>> write_recordio(root / "input/data/train/part-0", np.eye(2, dtype=np.float32), np.ones(2, np.float32))
    >>> train(root, stream=io.StringIO()).folder.name, [path.name for path in (root / "model").iterdir()]
    ('model', ['model_algo-1'])
    """
    folder = Path(root)
    job = JobLog(sys.stdout if stream is None else stream)
    failure = folder / "output" / "failure"
    with contextlib.suppress(OSError):
        failure.unlink()
    try:
        with _logged_warnings(job), _sigterm() as stop:
            return _Job(folder, job, algorithm, random_state, n_jobs).run(stop, padded_test_metrics)
    except StopTraining:
        job.info("SIGTERM came before there was a model: an epoch must be complete", "WARNING")
        raise
    except Exception as error:
        theirs = isinstance(error, FactorecError | OSError | MemoryError)
        text = f"{'ClientError' if theirs else 'InternalServerError'}: {_one_line(error)}"
        encoded = text.encode(errors="backslashreplace")  # names of files may hold bytes that are no text
        if folder.is_dir():
            with contextlib.suppress(OSError):
                failure.parent.mkdir(exist_ok=True)
                with atomic_file(failure) as file:
                    file.write(encoded)
        job.info(encoded.decode(), "ERROR")  # after the file: nobody may be reading the log any more
        raise


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


class _Job:
    def __init__(
        self, root: Path, log: JobLog, algorithm: Algorithm | None, random_state: Any, n_jobs: int | None
    ) -> None:
        self.log = log
        self.settings = {"random_state": random_state, "n_jobs": n_jobs}
        self.folder = root / "model"
        config = root / "input" / "config"
        self.given = read_object(config / "hyperparameters.json")
        self.algorithm = algorithm or algorithm_of(self.given)
        log.algorithm = _NAMES[self.algorithm]
        log.host = host_of(config / "resourceconfig.json", log.host)
        table = FMHyperparameters if self.algorithm == "fm" else KNNHyperparameters
        log.configuration(table.default_configuration(), self.given, str(config / "hyperparameters.json"))
        table.read(self.given)  # before rows are read
        self.channels = channels_of(root, config / "inputdataconfig.json", log)

    def run(self, stop: _Stop, padded: bool) -> TrainingResult:
        self.folder.mkdir(parents=True, exist_ok=True)  # before the work, not after it
        if self.algorithm == "fm":
            self._fm(stop, padded)
        else:
            self._knn(stop)
        if stop.came:
            self.log.info("SIGTERM: training was stopped, the model is what it had learned", "WARNING")
        return TrainingResult(self.folder, stop.came)

    def _fm(self, stop: _Stop, padded: bool) -> None:
        fm = estimator(self.given, **self.settings)
        width = fm.hyperparameters.feature_dim
        X, y = self._read("train", width, takes_csv=False)
        test = self._read("test", width, takes_csv=False) if "test" in self.channels else None
        fm.fit(X, y, log=self.log)
        with stop.later():
            fm.save_artifact(self.folder)
        if test is not None and not stop.came:
            self.log.tested(fm_metrics(fm.predictor_type, fm.measure(*test, padded=padded)))

    def _knn(self, stop: _Stop) -> None:
        knn = KNN(self.given, **self.settings)
        width = knn.hyperparameters.feature_dim
        X, y = self._read("train", None if width == "auto" else int(width), takes_csv=True)
        test = self._read("test", X.shape[1], takes_csv=True) if "test" in self.channels else None
        knn.fit(X, y)
        del X, y
        with stop.later():
            knn.save_artifact(self.folder)
        if test is not None and not stop.came:
            of_test = knn.evaluate(*test)
            self.log.tested([(name, "loss" if name == "mse" else "score", value) for name, value in of_test.items()])

    def _read(self, name: str, n_features: int | None, *, takes_csv: bool) -> tuple[Any, Any]:
        channel = self.channels[name]
        X, y = read_rows(channel, n_features, takes_csv=takes_csv)
        entries = f"{X.nnz:,} entries, sparse" if hasattr(X, "nnz") else "dense"
        n_files = len(channel.files())
        self.log.info(f"Channel {name}: {X.shape[0]:,} rows of {X.shape[1]:,} features, {entries}, {n_files} file(s)")
        return X, y


class _Stop:
    """Whether SIGTERM came, and what it does: raise `StopTraining`, or nothing yet."""

    def __init__(self) -> None:
        self.came = False
        self._raises = True

    def on_sigterm(self, *_: object) -> None:
        first, self.came = not self.came, True
        if first and self._raises:
            raise StopTraining

    @contextlib.contextmanager
    def later(self) -> Iterator[None]:
        """Inside, nothing is interrupted: for saving, which is short."""
        self._raises = False
        try:
            yield
        finally:
            self._raises = True


@contextlib.contextmanager
def _sigterm() -> Iterator[_Stop]:
    stop = _Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may set handlers
        return
    before = signal.signal(signal.SIGTERM, stop.on_sigterm)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _logged_warnings(job: JobLog) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: job.info(" ".join(str(message).split()), "WARNING")
        yield
