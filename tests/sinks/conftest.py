"""Databases to write to: a file of SQLite, and a PostgreSQL server that is started for these tests."""

from __future__ import annotations

import contextlib
import importlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import pytest

PASSWORD = "s3:cr/et@%"


class Database:
    """A database under test."""

    def __init__(self, kind: str, uri: str, login: str) -> None:
        self.kind, self.uri, self._login = kind, uri, login

    def connect(self, **options):
        # Not Python's sqlite3: two copies of SQLite in one process would lose their locks.
        return importlib.import_module(f"adbc_driver_{self.kind}.dbapi").connect(
            self._login, autocommit=True, **options
        )

    def query(self, sql: str) -> list[tuple]:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def execute(self, *statements: str) -> None:
        with self.connect() as connection, connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)

    def tables(self) -> list[str]:
        sql = {
            "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
            "postgresql": "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema)' ORDER BY relname",
        }
        return [name for (name,) in self.query(sql[self.kind])]


def _programs() -> Path | None:
    found = shutil.which("postgres")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin")) + ([Path(found).parent] if found else [])
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


def _ordinary_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


@pytest.fixture(scope="session")
def postgresql_server():
    """The URI of a server of our own: in a temporary folder, on a socket in it, so that no port can be taken."""
    programs = _programs()
    if programs is None:
        message = "no PostgreSQL here; on Debian: apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(f"CI is set, but {message}", pytrace=False)
        pytest.skip(message)
    folder, user = Path(tempfile.mkdtemp(prefix="factorec-pg-")), _ordinary_user()
    server = None
    try:
        (folder / "password").write_text(PASSWORD)
        if user is not None:
            for path in (folder, folder / "password"):
                shutil.chown(path, user)
        log = folder / "log"
        common = {"user": user, "cwd": folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}
        initdb = [programs / "initdb", "-D", folder / "data", "-U", "owner", "-E", "UTF8", "--no-sync"]
        subprocess.run(
            [*initdb, "-A", "scram-sha-256", f"--pwfile={folder / 'password'}"],
            check=True,
            capture_output=True,
            **common,
        )
        command = [programs / "postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses="]
        with open(log, "wb") as output:
            server = subprocess.Popen([*command, "-c", "fsync=off"], stdout=output, stderr=output, **common)
        uri = f"postgresql://owner:{quote(PASSWORD, safe='')}@/postgres?host={folder}"
        _wait(uri, server, log)
        yield uri
    finally:
        if server is not None:
            server.send_signal(2)  # fast shutdown
            server.wait(timeout=30)
        shutil.rmtree(folder)


def _wait(uri: str, server: subprocess.Popen, log: Path) -> None:
    import adbc_driver_manager
    import adbc_driver_postgresql.dbapi as dbapi

    for _ in range(300):
        with contextlib.suppress(adbc_driver_manager.Error):
            dbapi.connect(uri).close()
            return
        if server.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"PostgreSQL did not start: {log.read_text()}", pytrace=False)


@pytest.fixture
def sqlite(tmp_path) -> Database:
    path = tmp_path / "lists.db"
    return Database("sqlite", f"sqlite:///{path}", str(path))


@pytest.fixture
def postgresql(postgresql_server):
    database = Database("postgresql", postgresql_server, postgresql_server)
    yield database
    schemas = "SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'"
    names = ['"' + name.replace('"', '""') + '"' for (name,) in database.query(schemas)]
    database.execute(*(f"DROP SCHEMA {name} CASCADE" for name in names), "CREATE SCHEMA public")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request) -> Database:
    return request.getfixturevalue(request.param)
