"""The lines that a training job of the managed service logs, as the metric definitions of its tuner read them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

__all__ = ["JobLog", "Metrics", "fm_metrics"]

# (name, "loss" or "score", value), in the order of the log.
Metrics = Sequence[tuple[str, str, float]]

OnEpoch = Callable[[int, dict[str, dict[str, float]]], object]


def fm_metrics(predictor_type: str, metrics: Mapping[str, float]) -> Metrics:
    """The metrics of an estimator's history under the service's names, in its order.

    Parameters
    ----------
    predictor_type : {"binary_classifier", "regressor"}
    metrics : mapping of str to float
        log_loss, accuracy, f1; or rmse, mae.

    Returns
    -------
    list of (str, {"loss", "score"}, float)

    Examples
    --------
    >>> fm_metrics("regressor", {"rmse": 2.0, "mae": 1.5})
    [('rmse', 'loss', 2.0), ('mse', 'loss', 4.0), ('absolute_loss', 'loss', 1.5)]
    """
    if predictor_type == "binary_classifier":
        return [
            ("binary_classification_accuracy", "score", metrics["accuracy"]),
            ("binary_classification_cross_entropy", "loss", metrics["log_loss"]),
            ("binary_f_1.000", "score", metrics["f1"]),  # beta with three decimals
        ]
    return [
        ("rmse", "loss", metrics["rmse"]),
        ("mse", "loss", metrics["rmse"] ** 2),
        ("absolute_loss", "loss", metrics["mae"]),
    ]


class JobLog:
    """Writes a job's lines to a text stream, each at once.

    Parameters
    ----------
    stream : text stream
    algorithm : str
        As the lines with timings name it.
    host : str, default="algo-1"

    Examples
    --------
    >>> import io
    >>> stream = io.StringIO()
    >>> JobLog(stream).epoch(0, [("rmse", "loss", 0.5)], n_epochs=4, n_records=1000, seconds=0.5)
    >>> for line in stream.getvalue().splitlines():
    ...     print(line.partition("] ")[2] or line[:40])
    #quality_metric: host=algo-1, epoch=0, train rmse <loss>=0.5
    #metrics {"StartTime": ...
    #progress_metric: host=algo-1, completed 25.0 % of epochs
    #throughput_metric: host=algo-1, train throughput=2000.0 records/second
    """

    def __init__(self, stream: TextIO, *, algorithm: str = "factorization-machines", host: str = "algo-1") -> None:
        self.stream = stream
        self.algorithm = algorithm
        self.host = host

    def info(self, text: str, level: str = "INFO") -> None:
        """Write a line with the prefix of the service: time (UTC), level and thread."""
        now = time.strftime("%m/%d/%Y %H:%M:%S", time.gmtime())
        self.stream.write(f"[{now} {level} {threading.get_ident()}] {text}\n")
        self.stream.flush()

    def configuration(self, defaults: Mapping[str, str], given: Mapping[str, str], source: str) -> None:
        """Write what hyperparameters there are: the service's defaults, those given in ``source``, both merged."""
        self.info(f"Reading default configuration from {__package__}: {dict(defaults)}")
        self.info(f"Merging with provided configuration from {source}: {dict(given)}")
        self.info(f"Final configuration: {dict(defaults) | dict(given)}")

    def batch(self, epoch: int, batch: int, metrics: Metrics) -> None:
        """Write the metrics of an epoch up to a batch; both count from 0."""
        self._quality(f"epoch={epoch}, batch={batch} train", metrics)

    def epoch(self, epoch: int, metrics: Metrics, *, n_epochs: int, n_records: int, seconds: float) -> None:
        """Write the metrics of an epoch, how far training is, and how fast."""
        self._quality(f"epoch={epoch}, train", metrics)
        self._timing("update.time", seconds)
        self.info(f"#progress_metric: host={self.host}, completed {100.0 * (epoch + 1) / n_epochs} % of epochs")
        rate = n_records / seconds if seconds > 0 else float("inf")
        self.info(f"#throughput_metric: host={self.host}, train throughput={rate} records/second")

    def on_epoch(self, predictor_type: str, n_epochs: int, n_records: int, then: OnEpoch | None) -> OnEpoch:
        """For `FMClassifier.fit`: writes the lines of each epoch, and then calls ``then``."""
        began = time.perf_counter()

        def told(epoch: int, metrics: dict[str, dict[str, float]]) -> None:
            nonlocal began
            seconds = time.perf_counter() - began
            of_train = fm_metrics(predictor_type, metrics["train"])
            self.epoch(epoch, of_train, n_epochs=n_epochs, n_records=n_records, seconds=seconds)
            if then is not None:
                then(epoch, metrics)
            began = time.perf_counter()

        return told

    def trained(self, metrics: Metrics) -> None:
        """Write the metrics of the last epoch as those of the job."""
        self._quality("train", metrics)

    def tested(self, metrics: Metrics) -> None:
        """Write the metrics of the test channel."""
        for name, _, value in metrics:
            self.info(f"#test_score ({self.host}) : {(name, float(value))}")
        self._quality("test", metrics)

    def _quality(self, of: str, metrics: Metrics) -> None:
        for name, kind, value in metrics:
            self.info(f"#quality_metric: host={self.host}, {of} {name} <{kind}>={float(value)!r}")

    def _timing(self, name: str, seconds: float) -> None:
        now, milliseconds = time.time(), 1000 * seconds
        line = {
            "StartTime": now - seconds,
            "EndTime": now,
            "Dimensions": {"Algorithm": self.algorithm, "Host": self.host, "Operation": "training"},
            "Metrics": {name: {"sum": milliseconds, "count": 1, "min": milliseconds, "max": milliseconds}},
        }
        self.stream.write(f"#metrics {json.dumps(line)}\n")
        self.stream.flush()
