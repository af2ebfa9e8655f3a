"""Requests that this server cannot answer now, whatever the model would say."""

from __future__ import annotations

from ..sagemaker.messages import RequestError

__all__ = ["BusyError", "LateError", "SlowError"]


class SlowError(RequestError):
    """A request that did not arrive in time: 408."""

    status = 408


class BusyError(RequestError):
    """More than the server takes at a time: 503."""

    status = 503


class LateError(RequestError):
    """A request that was not scored in time: 503."""

    status = 503
