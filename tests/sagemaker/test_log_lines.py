"""The log's lines, read back with the regular expressions of the service's own metric definitions."""

from __future__ import annotations

import io
import json
import re

import pytest

from factorec.sagemaker.log_lines import JobLog, fm_metrics

# As DescribeTrainingJob lists them for built-in algorithms.
DEFINITIONS = {
    "train:progress": r"#progress_metric: host=\S+, completed (\S+) %",
    "train:throughput": r"#throughput_metric: host=\S+, train throughput=(\S+) records/second",
    "train:binary_classification_accuracy": (
        r"#quality_metric: host=\S+, train binary_classification_accuracy <score>=(\S+)"
    ),
    "train:binary_classification_cross_entropy": (
        r"#quality_metric: host=\S+, train binary_classification_cross_entropy <loss>=(\S+)"
    ),
    "train:binary_f_beta": r"#quality_metric: host=\S+, train binary_f_\S+ <score>=(\S+)",
    "test:binary_classification_accuracy": (
        r"#quality_metric: host=\S+, test binary_classification_accuracy <score>=(\S+)"
    ),
    "test:binary_classification_cross_entropy": (
        r"#quality_metric: host=\S+, test binary_classification_cross_entropy <loss>=(\S+)"
    ),
    "test:binary_f_beta": r"#quality_metric: host=\S+, test binary_f_\S+ <score>=(\S+)",
    "test:rmse": r"#quality_metric: host=\S+, test rmse <loss>=(\S+)",
    "test:mse": r"#quality_metric: host=\S+, test mse <loss>=(\S+)",
    "test:absolute_loss": r"#quality_metric: host=\S+, test absolute_loss <loss>=(\S+)",
}
PREFIX = r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d INFO \d+\] "

CLASSIFIED = fm_metrics("binary_classifier", {"accuracy": 0.75, "log_loss": 0.5, "f1": 1 / 3})
REGRESSED = fm_metrics("regressor", {"rmse": 0.1, "mae": 0.07})


def found(text: str) -> dict[str, list[float]]:
    values = {name: [float(value) for value in re.findall(rule, text)] for name, rule in DEFINITIONS.items()}
    return {name: value for name, value in values.items() if value}


def test_the_service_s_metric_definitions_find_their_values():
    log = JobLog(stream := io.StringIO())
    log.batch(0, 0, CLASSIFIED)
    log.epoch(0, CLASSIFIED, n_epochs=2, n_records=90_570, seconds=0.5)
    assert found(stream.getvalue()) == {"train:progress": [50.0], "train:throughput": [181140.0]}
    log.trained(CLASSIFIED)
    log.tested(CLASSIFIED)
    values = found(stream.getvalue())
    for part in ("train", "test"):
        assert values[f"{part}:binary_classification_accuracy"] == [0.75]
        assert values[f"{part}:binary_classification_cross_entropy"] == [0.5]
        assert values[f"{part}:binary_f_beta"] == [1 / 3]  # all digits


def test_a_regressor_s_metrics():
    JobLog(stream := io.StringIO()).tested(REGRESSED)
    assert found(stream.getvalue()) == {
        "test:rmse": [0.1],
        "test:mse": [pytest.approx(0.01)],
        "test:absolute_loss": [0.07],
    }
    assert re.search(rf"^{PREFIX}#test_score \(algo-1\) : \('rmse', 0\.1\)$", stream.getvalue(), re.MULTILINE)


def test_lines_are_those_of_the_recorded_job():
    """Seed 004's log, but for times, the thread and the number of digits."""
    log = JobLog(stream := io.StringIO())
    metrics = fm_metrics("binary_classifier", {"accuracy": 0.720879, "log_loss": 0.592997, "f1": 0.766505})
    log.epoch(14, metrics, n_epochs=200, n_records=90_570, seconds=0.556)
    lines = stream.getvalue().splitlines()
    assert [re.sub(PREFIX, "", line) for line in lines[:3]] == [
        "#quality_metric: host=algo-1, epoch=14, train binary_classification_accuracy <score>=0.720879",
        "#quality_metric: host=algo-1, epoch=14, train binary_classification_cross_entropy <loss>=0.592997",
        "#quality_metric: host=algo-1, epoch=14, train binary_f_1.000 <score>=0.766505",
    ]
    assert all(re.match(PREFIX, line) for line in lines if not line.startswith("#metrics "))
    timing = json.loads(lines[3].removeprefix("#metrics "))
    assert timing["Dimensions"] == {"Algorithm": "factorization-machines", "Host": "algo-1", "Operation": "training"}
    assert timing["Metrics"]["update.time"]["count"] == 1
    assert lines[4].endswith("#progress_metric: host=algo-1, completed 7.5 % of epochs")


def test_batches_count_from_zero_and_other_hosts_have_names():
    JobLog(stream := io.StringIO(), host="algo-2").batch(3, 500, REGRESSED)
    first = stream.getvalue().splitlines()[0]
    assert first.endswith("#quality_metric: host=algo-2, epoch=3, batch=500 train rmse <loss>=0.1")


def test_configuration():
    JobLog(stream := io.StringIO()).configuration({"epochs": "1", "use_bias": "true"}, {"epochs": "200"}, "job.json")
    first, second, third = stream.getvalue().splitlines()
    assert "Reading default configuration from factorec.sagemaker: {'epochs': '1', 'use_bias': 'true'}" in first
    assert "Merging with provided configuration from job.json: {'epochs': '200'}" in second
    assert "Final configuration: {'epochs': '200', 'use_bias': 'true'}" in third
