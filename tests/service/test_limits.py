from __future__ import annotations

import pytest

from factorec.errors import DataError
from factorec.service import Limits
from factorec.service.container import read_environment


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_body": 0}, "max_body must be an integer above 0, got 0"),
        ({"max_rows": 1.5}, "max_rows must be an integer above 0, got 1.5"),
        ({"timeout": float("nan")}, "timeout must be a number above 0, got nan"),
        ({"timeout": float("inf")}, "timeout must be a number above 0, got inf"),
        ({"max_concurrency": True}, "max_concurrency must be an integer above 0, got True"),
        ({"max_body": 10, "max_buffered": 9}, "max_buffered must be at least max_body, 10, got 9"),
    ],
)
def test_limits_that_cannot_be(given, message):
    with pytest.raises(DataError, match=message):
        Limits(**given)


def test_the_buffer_has_room_for_the_largest_bodies():
    assert Limits().buffer == 256 * 2**20
    assert Limits(max_body=100 * 2**20).buffer == 400 * 2**20
    assert Limits(max_body=10, max_buffered=30).buffer == 30


def test_an_empty_environment_says_nothing():
    settings = read_environment({"SAGEMAKER_BIND_TO_PORT": " ", "SAGEMAKER_MAX_PAYLOAD_IN_MB": ""})
    assert (settings.port, settings.limits, settings.batch_strategy) == (8080, {}, "MULTI_RECORD")


def test_no_limit_of_the_payload_is_the_highest():
    assert read_environment({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"}).limits == {"max_body": 100 * 2**20}
