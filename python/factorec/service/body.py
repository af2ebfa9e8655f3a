"""The body of a request, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from ..sagemaker.messages import TooLargeError
from .errors import BusyError, SlowError
from .limits import Limits

__all__ = ["BodyReader"]


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

        What a refused request goes on to send is read and thrown away by the server's protocol, so that clients that
        send everything before they listen see the response and not a broken pipe.

        Raises
        ------
        RequestError
            408, 413 or 503.
        """
        limits = self._limits
        # The server has checked that it is a number, and takes no more of the body than it says.
        if int(request.headers.get("content-length", "0")) > limits.max_body:
            raise self._too_large()
        held, parts = 0, []
        try:
            try:
                async with asyncio.timeout(limits.timeout):
                    async for part in request.stream():
                        held += len(part)
                        self._held += len(part)
                        if held > limits.max_body:
                            raise self._too_large()
                        if self._held > limits.buffer:
                            raise BusyError(
                                f"requests of more than {limits.buffer} bytes are being answered; try later"
                            )
                        parts.append(part)
            except TimeoutError:
                raise SlowError(f"the request did not arrive within {limits.timeout:g} s") from None
            body = b"".join(parts)
            parts.clear()
            yield body
        finally:
            self._held -= held

    def _too_large(self) -> TooLargeError:
        # The words of the managed service (its clients' reports: aws/sagemaker-python-sdk, issue 171).
        return TooLargeError(f"HTTP content length exceeded {self._limits.max_body} bytes.")
