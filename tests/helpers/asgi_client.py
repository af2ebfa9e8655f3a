"""Requests to an ASGI application in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx

__all__ = ["AsgiClient"]


class AsgiClient:
    """Sends one request at a time, each by an event loop of its own."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self._send("GET", path))

    def post(self, path: str, content: bytes | Iterable[bytes] = b"", **options: Any) -> httpx.Response:
        """`content` that is not bytes is sent in chunks, without a length."""
        given = content if isinstance(content, bytes) else _chunks(content)
        return asyncio.run(self._send("POST", path, content=given, **options))

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request(method, path, **options)


async def _chunks(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
