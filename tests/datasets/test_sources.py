"""The two network sources, with a server on this machine and a pip that is a script."""

from __future__ import annotations

import hashlib
import http.server
import sys
import threading

import pytest

from factorec.datasets import _sources
from factorec.datasets._sources import Unavailable


@pytest.fixture
def serve(monkeypatch):
    """Serve one answer instead of GroupLens; returns the list of requests."""
    servers = []

    def start(content, status=200):
        requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                requests.append(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(_sources, "URL", f"http://127.0.0.1:{server.server_port}/ml-100k.zip")
        return requests

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def pin(monkeypatch, content):
    monkeypatch.setattr(_sources, "URL_SIZE", len(content))
    monkeypatch.setattr(_sources, "URL_MD5", hashlib.md5(content).hexdigest())


def test_the_published_file_is_taken(serve, make_zip, original, monkeypatch):
    content = make_zip(original).read_bytes()
    pin(monkeypatch, content)
    requests = serve(content)
    assert _sources.from_grouplens() == _sources.Archive("original", *original.values())
    assert requests == ["/ml-100k.zip"]


@pytest.mark.parametrize(
    ("served", "status", "reason"),
    [
        (b"x" * 100, 200, "not the published file"),
        (b"x" * 99, 200, "got 99 bytes"),
        (b"x" * 200_000, 200, "more than the 100 bytes"),
        (b"", 503, "503 Server Error"),
    ],
)
def test_anything_else_is_not_taken_and_asked_for_once(serve, monkeypatch, served, status, reason):
    pin(monkeypatch, b"y" * 100)
    requests = serve(served, status)
    with pytest.raises(Unavailable, match=reason):
        _sources.from_grouplens()
    assert len(requests) == 1


def test_nobody_listens(monkeypatch):
    monkeypatch.setattr(_sources, "URL", "http://127.0.0.1:9/ml-100k.zip")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        _sources.from_grouplens()


def test_without_pooch_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    monkeypatch.delenv("FACTOREC_DATA", raising=False)
    for source in (_sources.from_grouplens, _sources.cache_folder):
        with pytest.raises(Unavailable, match=r"pip install 'factorec\[cli\]'"):
            source()


def test_cache_folder_is_the_users_or_that_of_the_platform(monkeypatch, tmp_path):
    monkeypatch.setenv("FACTOREC_DATA", str(tmp_path))
    assert _sources.cache_folder() == tmp_path
    monkeypatch.delenv("FACTOREC_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert _sources.cache_folder().name == "factorec"


@pytest.fixture
def pip(monkeypatch, tmp_path):
    """Run a script in place of ``python -m pip``, in the folder and with the arguments that pip would get."""

    def install(script):
        path = tmp_path / "python"
        path.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n{script}\n')
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    return install


def test_the_wheel_is_read_not_installed(pip, make_zip, recbole, monkeypatch, tmp_path):
    path = make_zip(recbole, "recbole-1.2.1-py3-none-any.whl", folder="recbole/dataset_example/ml-100k/")
    monkeypatch.setattr(_sources, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    pip(f"cp {path} .")
    assert _sources.from_wheel() == _sources.Archive("recbole", *recbole.values())
    arguments = (tmp_path / "arguments").read_text()
    assert arguments.startswith("-m pip download --no-deps --only-binary=:all:")
    assert arguments.endswith("recbole==1.2.1\n")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo No module named pip >&2; exit 1", "No module named pip"),
        ("exit 3", "pip ended with code 3"),
        ("echo other > recbole-1.2.1-py3-none-any.whl", "not the expected file"),
        ("printf 'ERROR: no matching\\n\\n[notice] new release\\n' >&2; exit 1", "^ERROR: no matching$"),
    ],
)
def test_a_failing_pip_gives_its_reason(pip, script, reason):
    pip(script)
    with pytest.raises(Unavailable, match=reason):
        _sources.from_wheel()


def test_an_interpreter_that_cannot_be_run(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(Unavailable, match="No such file"):
        _sources.from_wheel()
