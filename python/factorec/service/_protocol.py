"""HTTP for clients that may never finish what they began."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["ImpatientProtocol"]


class ImpatientProtocol(H11Protocol):
    """uvicorn's protocol, with an end to its patience.

    uvicorn waits without end for the first request of a connection, for headers that have begun, for the rest of a
    body that the application does not read, and for a client to take its response. Here a connection that is not
    answering a request has `for_headers` seconds from its first byte, and a client `for_response` to take a response
    that does not fit the system's buffers. The time for bodies is the application's to limit. Of more than
    `max_connections`, the one that has been idle longest is closed: a flood of them leaves room for a ping.
    """

    for_headers = 10.0
    for_response = 60.0
    max_connections = 1000

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._headers_due = _Alarm(self._abort)
        self._response_due = _Alarm(self._abort)
        self._idle_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._headers_due.set(self.for_headers)
        if len(self.connections) > self.max_connections:
            idle = [one for one in self.connections if isinstance(one, ImpatientProtocol) and not one._answering]
            min(idle, key=lambda one: one._idle_since)._abort()  # this one, if no other is idle

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._answering:
            self._headers_due.clear()
        else:
            self._headers_due.set(self.for_headers)

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_due.clear()
        self._response_due.clear()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._response_due.set(self.for_response)

    def resume_writing(self) -> None:
        self._response_due.clear()
        super().resume_writing()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _abort(self) -> None:
        self.connections.discard(self)  # now: it is lost for asyncio only when the others of this turn are done
        self.transport.abort()


class _Alarm:
    """Calls `action` once, unless it is cleared before."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Set it, where it is not set already."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._action)

    def clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
