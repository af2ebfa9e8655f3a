"""What one request, and all of them together, may take."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .._threads import resolve_n_jobs
from ..errors import DataError
from ..sagemaker.payload import MIB, PAYLOAD

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Limits of a server.

    Parameters
    ----------
    max_body : int, default=6291456
        Bytes of a request, and of a response: the managed service's 6 MiB. More is refused with status 413.
    max_rows : int, default=100000
        Rows of a request. More is refused with 413.
    timeout : float, default=60.0
        Seconds, the managed service's, for a request to arrive (else 408) and then to be answered (else 503), and
        for a client to take its response (else the connection is closed).
    max_concurrency : int, optional
        Requests that are scored at a time, each in a thread; None: one for each CPU that the process may use. Small
        requests to a factorization machine are answered at once and do not count.
    max_waiting : int, default=64
        Requests that wait for a thread. More are refused with 503.
    max_buffered : int, optional
        Bytes of all requests that are arriving, waiting or being scored. More are refused with 503. None: 256 MiB, or
        four bodies of the largest size if that is more.

    Raises
    ------
    DataError
        If one is not a number above zero, or `max_buffered` has no room for one body.

    Examples
    --------
    >>> Limits(max_body=1000).max_rows
    100000
    """

    max_body: int = PAYLOAD * MIB
    max_rows: int = 100_000
    timeout: float = 60.0
    max_concurrency: int = field(default_factory=lambda: resolve_n_jobs(None))
    max_waiting: int = 64
    max_buffered: int | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name == "max_buffered" and value is None:
                continue
            kinds, what = ((int, float), "a number") if name == "timeout" else (int, "an integer")
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < math.inf:
                raise DataError(f"{name} must be {what} above 0, got {value!r}")
        if self.max_buffered is not None and self.max_buffered < self.max_body:
            raise DataError(f"max_buffered must be at least max_body, {self.max_body}, got {self.max_buffered}")

    @property
    def buffer(self) -> int:
        """What `max_buffered` comes to, in bytes."""
        return max(256 * MIB, 4 * self.max_body) if self.max_buffered is None else self.max_buffered
