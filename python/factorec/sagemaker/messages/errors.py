"""Requests that cannot be answered, with the status codes of the managed containers (contract 3.3)."""

from __future__ import annotations

from ...errors import DataError

__all__ = ["NotAcceptableError", "PayloadError", "RequestError", "TooLargeError", "UnsupportedContentTypeError"]


class RequestError(DataError):
    """A request that cannot be answered.

    Attributes
    ----------
    status : int
        The HTTP status.
    """

    status = 400


class PayloadError(RequestError):
    """A body that is not what its content type says, or that does not fit the model: 400.

    The message begins with the words of the managed containers, which add no detail; ours goes on with where
    and what.

    Examples
    --------
    >>> print(PayloadError("instances[3]: features has 4 values, the model has 5 features"))
    unable to evaluate payload provided: instances[3]: features has 4 values, the model has 5 features
    """

    status = 400

    def __init__(self, detail: str) -> None:
        super().__init__(f"unable to evaluate payload provided: {detail}")
        self.detail = detail


class NotAcceptableError(RequestError):
    """A type of response that the model does not give: 406."""

    status = 406


class TooLargeError(RequestError):
    """A body over the limit: 413."""

    status = 413


class UnsupportedContentTypeError(RequestError):
    """A type of request that the model does not take: 415."""

    status = 415
