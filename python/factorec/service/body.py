"""The body of a request, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from ..sagemaker.messages import RequestError, TooLargeError
from .errors import BusyError, SlowError
from .limits import Limits

__all__ = ["BodyReader"]

# A refused body is read to its end, and thrown away, up to this many times `max_body`: clients that are still sending
# when the connection closes see a broken pipe instead of the response.
_THROWN_AWAY = 8


class BodyReader:
    """Reads the bodies of all requests, whose bytes count together while they are held.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The body of `request`, held while the block runs.

        Raises
        ------
        RequestError
            408, 413 or 503.
        """
        limits, held, parts = self._limits, 0, []
        refusal = self._refuse_early(request)
        seen = 0
        try:
            try:
                async with asyncio.timeout(limits.timeout):
                    async for part in request.stream():
                        seen += len(part)
                        if refusal is None:
                            refusal = self._refuse(seen, len(part))
                        if refusal is None:
                            parts.append(part)
                            held += len(part)
                            self._held += len(part)
                        else:
                            parts.clear()
                            if seen > _THROWN_AWAY * limits.max_body:
                                break
            except TimeoutError:
                raise SlowError(f"the request did not arrive within {limits.timeout:g} s") from None
            if refusal is not None:
                raise refusal
            body = b"".join(parts)
            parts.clear()
            yield body
        finally:
            self._held -= held

    def _refuse_early(self, request: Request) -> RequestError | None:
        """What can be said before a byte of the body has come."""
        # The server has checked that it is a number, and sends no more of the body than it says.
        length = int(request.headers.get("content-length", "0"))
        if length <= self._limits.max_body:
            return None
        refusal = self._too_large()
        if "expect" in request.headers or length > _THROWN_AWAY * self._limits.max_body:
            raise refusal  # a client that asks first sends nothing; one that sends as much is not worth reading
        return refusal

    def _refuse(self, seen: int, part: int) -> RequestError | None:
        if seen > self._limits.max_body:
            return self._too_large()
        if self._held + part > self._limits.max_buffered:
            return BusyError(f"requests of more than {self._limits.max_buffered} bytes are being answered; try later")
        return None

    def _too_large(self) -> RequestError:
        # The words of the managed service (its clients' reports: aws/sagemaker-python-sdk, issue 171).
        return TooLargeError(f"HTTP content length exceeded {self._limits.max_body} bytes.")
