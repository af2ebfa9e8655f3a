"""How fast, and in how much memory, `factorec serve` answers requests of ten sparse rows.

Usage: python benchmarks/serving.py [--out build/bench/serving.json] [--rate R] [--seconds S] [--requests N]

The server is a process of its own, started by the command; this one makes the load. Open loop: requests are sent at
random times of the given rate (exponential gaps), whether or not earlier ones are answered, each on a connection that
is free, or a new one; a latency is counted from the time at which the request was due, so that what waits in this
process counts too. Every response is checked for its status and its number of scores.

Then, for memory, N requests by eight connections as fast as they are answered, in the same server: its resident bytes
after the first tenth and at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

import machine
from factorec.formats.fm_artifact import write_fm_artifact

N_USERS, N_ITEMS, N_FACTORS, N_ROWS = 943, 1682, 64, 10
BAR_P99_MS, BAR_RSS, BAR_PING_S = 20, 1.05, 2
CONNECTIONS = 8
WARM_UP_SECONDS = 3
PING = b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def write_model(path: Path) -> None:
    """A factorization machine of MovieLens 100K's size."""
    random = np.random.default_rng(0)
    n = N_USERS + N_ITEMS
    linear = random.normal(0, 0.1, n).astype(np.float32)
    factors = random.normal(0, 0.1, (n, N_FACTORS)).astype(np.float32)
    given = {"feature_dim": str(n), "num_factors": str(N_FACTORS), "predictor_type": "binary_classifier"}
    write_fm_artifact(path, 0.1, linear, factors, predictor_type="binary_classifier", hyperparameters=given)


def make_requests(count: int) -> list[bytes]:
    """Different requests, ready to send."""
    random = np.random.default_rng(1)
    return [_request(random) for _ in range(count)]


def _request(random: np.random.Generator) -> bytes:
    users, items = random.integers(0, N_USERS, N_ROWS), N_USERS + random.integers(0, N_ITEMS, N_ROWS)
    rows = [
        {"data": {"features": {"keys": [int(user), int(item)], "shape": [N_USERS + N_ITEMS], "values": [1.0, 1.0]}}}
        for user, item in zip(users, items, strict=True)
    ]
    body = json.dumps({"instances": rows}).encode()
    head = f"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One request at a time; raw, because an HTTP client costs more than the server."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if end and len(body) >= int(re.search(rb"(?i)content-length: (\d+)", head)[1]):
            answer, self._received = self._received, b""
            self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("closed"))


class Pool:
    """Connections that are free; more are opened as needed."""

    def __init__(self, port: int) -> None:
        self._port, self._free, self.opened = port, deque[Connection](), 0

    async def ask(self, request: bytes) -> bytes:
        connection = self._free.pop() if self._free else await self._open()
        answer = await connection.ask(request)
        self._free.append(connection)
        return answer

    async def _open(self) -> Connection:
        self.opened += 1
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._port)
        return connection


def good(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 200 ") and answer.count(b'"score"') == N_ROWS


async def open_loop(port: int, requests: list[bytes], rate: float, seconds: float) -> dict[str, Any]:
    """Latencies in seconds, failures, and the times of pings beside them."""
    random = np.random.default_rng(2)
    due = np.cumsum(random.exponential(1 / rate, round(rate * seconds)))
    latencies, failed, pool = [], 0, Pool(port)
    loop = asyncio.get_running_loop()

    async def one(number: int, at: float) -> None:
        nonlocal failed
        try:
            ok = good(await pool.ask(requests[number % len(requests)]))
        except OSError:
            ok = False
        latencies.append(loop.time() - at)
        failed += not ok

    async with _pings(port) as pings:
        began, tasks = loop.time() + 0.1, set()
        for number, offset in enumerate(due):
            wait = began + offset - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            task = loop.create_task(one(number, began + offset))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
    return {"latencies": np.array(latencies), "failed": failed, "pings": pings, "connections": pool.opened}


@asynccontextmanager
async def _pings(port: int) -> AsyncIterator[list[float]]:
    times: list[float] = []
    pool = Pool(port)

    async def ping() -> None:
        while True:
            began = time.perf_counter()
            await pool.ask(PING)
            times.append(time.perf_counter() - began)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(ping())
    yield times
    task.cancel()


async def closed_loop(port: int, requests: list[bytes], count: int, on_count: Callable[[int], None]) -> int:
    """Send `count` requests as fast as they are answered; how many failed."""
    left, done, failed, pool = iter(range(count)), 0, 0, Pool(port)

    async def client() -> None:
        nonlocal done, failed
        for number in left:
            failed += not good(await pool.ask(requests[number % len(requests)]))
            done += 1
            on_count(done)

    clients: list[Awaitable[None]] = [client() for _ in range(CONNECTIONS)]
    await asyncio.gather(*clients)
    return failed


def resident(pid: int) -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    requests, rss = make_requests(1000), {}
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.tar.gz"
        write_model(model)
        command = [sys.executable, "-m", "factorec", "serve", str(model), "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                port = int(re.search(r":(\d+)$", server.stdout.readline())[1])
                asyncio.run(open_loop(port, requests, arguments.rate, WARM_UP_SECONDS))
                found = asyncio.run(open_loop(port, requests, arguments.rate, arguments.seconds))

                def note(done: int) -> None:
                    if done in (arguments.requests // 10, arguments.requests):
                        rss[done] = resident(server.pid)

                began = time.perf_counter()
                failed = asyncio.run(closed_loop(port, requests, arguments.requests, note))
                took = time.perf_counter() - began
            finally:
                server.terminate()
    ms = 1000 * np.quantile(found["latencies"], [0.5, 0.99, 0.999, 1])
    first, last = rss[arguments.requests // 10], rss[arguments.requests]
    open_case = f"{arguments.rate:g} requests/s of {N_ROWS} sparse rows, JSON, {len(found['latencies']):,} requests"
    memory_case = f"{arguments.requests:,} requests, {CONNECTIONS} connections, as fast as they are answered"
    return [
        {"case": f"{open_case}: p50 ms", "value": ms[0]},
        {"case": f"{open_case}: p99 ms", "value": ms[1], "bar": BAR_P99_MS, "better": "lower"},
        {"case": f"{open_case}: p99.9 ms", "value": ms[2]},
        {"case": f"{open_case}: longest, ms", "value": ms[3]},
        {"case": f"{open_case}: failed", "value": found["failed"], "bar": 0, "better": "lower"},
        {"case": "/ping beside them: longest, s", "value": max(found["pings"]), "bar": BAR_PING_S, "better": "lower"},
        {"case": f"{memory_case}: requests/s", "value": arguments.requests / took},
        {"case": f"{memory_case}: failed", "value": failed, "bar": 0, "better": "lower"},
        {"case": f"{memory_case}: server's resident MB at the end", "value": last / 1e6},
        {
            "case": f"{memory_case}: resident at the end / after {arguments.requests // 10:,}",
            "value": last / first,
            "bar": BAR_RSS,
            "better": "lower",
        },
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=500, help="requests a second of the open loop")
    parser.add_argument("--seconds", type=float, default=60, help="length of the open loop")
    parser.add_argument("--requests", type=int, default=200_000, help="requests of the closed loop")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    figures = measure(arguments)
    for figure in figures:
        bar = f"  (bar: {figure['bar']})" if "bar" in figure else ""
        print(f"{figure['case']}: {figure['value']:.4g}{bar}")
    if arguments.out:
        document = {"command": "python benchmarks/serving.py", "machine": machine.describe(), "figures": figures}
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(document, indent=1, default=float))


if __name__ == "__main__":
    main()
