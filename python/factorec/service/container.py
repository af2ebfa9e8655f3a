"""The settings that the managed service gives a container: variables of its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import DataError
from ..sagemaker.payload import MIB, MOST_PAYLOAD
from .app import BatchStrategy

__all__ = ["Settings", "read_environment"]

_STRATEGIES: dict[str, BatchStrategy] = {"MULTI_RECORD": "MULTI_RECORD", "SINGLE_RECORD": "SINGLE_RECORD"}


@dataclass(frozen=True)
class Settings:
    """What the environment says.

    Attributes
    ----------
    port : int
        ``SAGEMAKER_BIND_TO_PORT``, else 8080.
    limits : dict
        For `Limits`, those that are given: ``SAGEMAKER_MAX_PAYLOAD_IN_MB`` (0 to 100; 0, "no limit", is taken as
        100) and ``SAGEMAKER_MAX_CONCURRENT_TRANSFORMS``.
    batch_strategy : {"MULTI_RECORD", "SINGLE_RECORD"}
        ``SAGEMAKER_BATCH_STRATEGY``.
    """

    port: int
    limits: dict[str, Any]
    batch_strategy: BatchStrategy


def read_environment(environment: Mapping[str, str]) -> Settings:
    """Read the variables; those that are empty count as not set.

    ``SAGEMAKER_BATCH`` is no setting: a container answers the requests of a batch transform as any others.

    Parameters
    ----------
    environment : mapping of str to str

    Raises
    ------
    DataError
        If one cannot be used; it is named.

    Examples
    --------
    >>> read_environment({"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "20"})
    Settings(port=8080, limits={'max_body': 20971520}, batch_strategy='MULTI_RECORD')
    """
    limits = {}
    payload = _integer(environment, "SAGEMAKER_MAX_PAYLOAD_IN_MB", 0, MOST_PAYLOAD)
    if payload is not None:
        limits["max_body"] = (payload or MOST_PAYLOAD) * MIB
    concurrency = _integer(environment, "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", 1, 10_000)
    if concurrency is not None:
        limits["max_concurrency"] = concurrency
    strategy = environment.get("SAGEMAKER_BATCH_STRATEGY") or "MULTI_RECORD"
    if strategy not in _STRATEGIES:
        raise DataError(f"SAGEMAKER_BATCH_STRATEGY must be MULTI_RECORD or SINGLE_RECORD, got {strategy!r}")
    port = _integer(environment, "SAGEMAKER_BIND_TO_PORT", 0, 65535)
    return Settings(8080 if port is None else port, limits, _STRATEGIES[strategy])


def _integer(environment: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = environment.get(name, "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not least <= int(text[:10]) <= most:
        raise DataError(f"{name} must be an integer from {least} to {most}, got {text[:40]!r}")
    return int(text)
