"""The server over sockets, in a process of its own: limits, clients that misbehave, and how it ends."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from servers import run_server

from factorec.service.server import _listen

STUB = Path(__file__).parents[1] / "helpers" / "stub_server.py"


def stub(limits=None, **options):
    return run_server(STUB, json.dumps({"limits": limits or {}, **options}))


@pytest.fixture(scope="module")
def shared():
    with stub(for_headers=1) as server:
        yield server


def request(seconds=0.0, n=1):
    return {"instances": [{"features": [seconds, 0]}] * n}


def post(server, seconds=0.0, path="/invocations", **options):
    return httpx.post(server.url + path, json=request(seconds), timeout=30, **options)


def wait_for_ping(server):
    began = time.monotonic()
    assert httpx.get(server.url + "/ping").status_code == 200
    return time.monotonic() - began


def talk(server, *parts, buffer=None):
    """Send parts; what comes back until the server closes the connection."""
    with socket.socket() as connection:
        if buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", server.port))
        for part in parts:
            time.sleep(part) if isinstance(part, float) else connection.sendall(part)
        return b"".join(iter(lambda: receive(connection), b""))


def receive(connection):
    try:
        return connection.recv(2**16)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_finish(number):
    with stub() as server, ThreadPoolExecutor() as threads:
        running = threads.submit(post, server, 1.0)
        time.sleep(0.3)
        idle = httpx.Client()
        idle.get(server.url + "/ping")  # a connection that is kept open does not hold the server up
        began = time.monotonic()
        code, err = server.stop(number)
        assert running.result().status_code == 200
        assert (code, err) == (0, "")
        assert time.monotonic() - began < 10
        idle.close()
        with pytest.raises(httpx.ConnectError):
            post(server)


def test_requests_that_take_too_long_do_not_hold_up_the_end():
    with stub(to_finish=1) as server, ThreadPoolExecutor() as threads:
        running = threads.submit(post, server, 4.0)
        time.sleep(0.3)
        code, _ = server.stop()
        assert code == 5
        assert running.exception() is not None or running.result().status_code == 500


def test_more_than_the_server_takes_is_refused_and_ping_answers():
    with stub({"max_concurrency": 1, "max_waiting": 1}) as server, ThreadPoolExecutor() as threads:
        running = [threads.submit(post, server, 1.0)]
        time.sleep(0.3)
        running.append(threads.submit(post, server, 1.0))
        time.sleep(0.3)
        refused = post(server)
        assert (refused.status_code, refused.text) == (503, "2 requests are being answered or wait; try later")
        wrapped = post(server, path="/endpoints/factorec/invocations")
        assert (wrapped.status_code, wrapped.headers["x-amzn-errortype"]) == (503, "ServiceUnavailable")
        assert wait_for_ping(server) < 2
        assert [one.result().status_code for one in running] == [200, 200]
        assert post(server).status_code == 200


def test_time_for_an_answer():
    with stub({"timeout": 0.5, "max_concurrency": 1}) as server:
        late = post(server, 1.5)
        assert (late.status_code, late.text) == (503, "the request was not answered within 0.5 s")
        wrapped = post(server, 1.5, path="/endpoints/factorec/invocations")  # waits for the first, is dropped
        assert wrapped.status_code == 424
        assert wrapped.json()["OriginalStatusCode"] == 0
        assert wrapped.json()["OriginalMessage"].startswith("Your invocation timed out")
        time.sleep(1.5)
        assert post(server).status_code == 200


def test_time_for_a_body():
    with stub({"timeout": 0.5}) as server:
        answer = talk(server, b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", 0.2, b'"')
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert answer.endswith(b"the request did not arrive within 0.5 s")
        assert wait_for_ping(server) < 2


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"POST /invo"],
        [b"GET /ping HTTP/1.1\r\n", 0.3, b"A: b\r\n", 0.3, b"C: d\r\n"],
        # a body that nobody reads
        [b"GET /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", 0.3, b"x", 0.3, b"x"],
    ],
)
def test_time_for_headers(shared, parts):
    talk(shared, *parts)
    assert wait_for_ping(shared) < 2


def test_a_flood_of_idle_connections_leaves_room():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, before[1]))  # for the server, which inherits it
    try:
        server = ExitStack()
        running = server.enter_context(stub())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    with server, ExitStack() as flood:
        for _ in range(500):
            connection = flood.enter_context(socket.create_connection(("127.0.0.1", running.port)))
            connection.sendall(b"POST /invo")
        assert wait_for_ping(running) < 2
        flood.close()
        assert running.stop() == (0, "")


def test_time_to_take_a_response():
    # More than the system's buffers hold, 4 MB where they are not set up otherwise.
    with stub({"timeout": 2.0, "max_body": 20 * 2**20}, width=2_500_000) as server:
        body = json.dumps(request()).encode()
        head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        answer = talk(server, head + body, 5.0, buffer=2**16)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert len(answer) < 9_000_000


def test_a_client_that_still_sends_sees_that_its_body_is_too_large():
    with stub({"max_body": 1_000_000}) as server:
        for content in (b" " * 4_000_000, iter([b" " * 100_000] * 40)):
            response = httpx.post(server.url + "/invocations", content=content)
            assert (response.status_code, response.text) == (413, "HTTP content length exceeded 1000000 bytes.")


def test_a_client_that_asks_first_is_told_at_once():
    with stub({"max_body": 1000}) as server:
        head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n"
        assert talk(server, head).startswith(b"HTTP/1.1 413 ")


def test_bytes_held_by_all_requests_together():
    with stub({"max_body": 1000, "max_buffered": 1000}) as server, socket.socket() as connection:
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 990\r\n\r\n" + b" " * 980)
        time.sleep(0.3)
        response = post(server)
        assert (response.status_code, response.text[:35]) == (503, "requests of more than 1000 bytes ar")
        connection.close()
        time.sleep(0.3)
        assert post(server).status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_not_http(shared, head):
    answer = talk(shared, head + b"\r\n")
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert wait_for_ping(shared) < 2


def test_many_clients_at_a_time(shared):
    with ThreadPoolExecutor(32) as threads, httpx.Client(timeout=60, limits=httpx.Limits(max_connections=32)) as client:
        asked = [
            threads.submit(client.post, shared.url + "/invocations", json=request(n=1 + n % 7)) for n in range(400)
        ]
        counts = [len(one.result().json()["predictions"]) for one in asked]
    assert counts == [1 + n % 7 for n in range(400)]


class TestCommand:
    """`factorec serve`."""

    def test_an_address_in_use(self, saved_model, run_command):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            code, err = run_command("serve", saved_model, "--port", port)
        assert (code, err) == (4, f"factorec: 127.0.0.1:{port}: cannot listen: Address already in use\n")

    def test_a_bad_model(self, tmp_path, run_command):
        path = tmp_path / "model.factorec"
        path.write_bytes(b"no model")
        code, err = run_command("serve", path)
        assert (code, err.count("\n")) == (4, 1)
        assert str(path) in err

    def test_no_model(self, tmp_path, run_command):
        code, err = run_command("serve", tmp_path / "nothing")
        assert (code, err) == (4, f"factorec: {tmp_path / 'nothing'}: No such file or directory\n")

    def test_requests_are_logged_on_request(self, saved_model):
        with run_server("-m", "factorec", "serve", saved_model, "--port", 0, "--access-log") as server:
            httpx.get(server.url + "/ping")
            code, err = server.stop()
        assert code == 0
        assert '"GET /ping HTTP/1.1" 200' in err
        assert len(err.splitlines()) == 1


class TestContainer:
    """`factorec sagemaker serve`."""

    def test_the_environment_decides(self, tmp_path, saved_model):
        os.link(saved_model, tmp_path / "model")
        environment = {
            "SAGEMAKER_BIND_TO_PORT": "0",
            "SAGEMAKER_BATCH": "true",
            "SAGEMAKER_MAX_PAYLOAD_IN_MB": "7",
            "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
            "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "3",
        }
        arguments = ["-m", "factorec", "sagemaker", "serve", "--root", tmp_path, "--host", "127.0.0.1"]
        with run_server(*arguments, environment=environment) as server:
            assert httpx.get(server.url + "/execution-parameters").json() == {
                "MaxConcurrentTransforms": 3,
                "BatchStrategy": "SINGLE_RECORD",
                "MaxPayloadInMB": 7,
            }

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SAGEMAKER_BIND_TO_PORT", "http"),
            ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "101"),
            ("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", "0"),
            ("SAGEMAKER_BATCH_STRATEGY", "MultiRecord"),
        ],
    )
    def test_a_bad_environment(self, tmp_path, run_command, monkeypatch, name, value):
        monkeypatch.setenv(name, value)
        code, err = run_command("sagemaker", "serve", "--root", tmp_path)
        assert code == 3
        assert name in err


def test_connections_are_told_to_be_tcp():
    """Otherwise asyncio leaves Nagle's algorithm on, and clients wait 40 ms for every response."""
    with _listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.proto == socket.IPPROTO_TCP
