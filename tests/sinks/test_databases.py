"""Tables in databases: the documented schema, all rows at once or none (promise 6), bounded memory (promise 5)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import tracemalloc
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from factorec.errors import DatabaseError, DataError
from factorec.sinks import open_sink, write_table

ROWS = 140_000  # more than are collected before they go to the database
ODD = 'a"b; DROP TABLE "x'
COUNT = "SELECT count(*), min(model), max(model) FROM recommendations"


def lists(n_rows=6, item=0):
    rows = np.arange(n_rows)
    return {
        "user_id": rows // 3,
        "rank": rows % 3 + 1,
        "item_id": rows + item,
        "score": (-rows / 7).astype(np.float32),
    }


def test_schema_is_the_documented_one(database):
    before = datetime.now(UTC)
    write_table(lists(), database.uri, model="fm-2")
    rows = database.query('SELECT user_id, "rank", item_id, score, model, "time" FROM recommendations ORDER BY 1, 2')
    np.testing.assert_array_equal([row[3] for row in rows], lists()["score"])
    assert [row[:3] for row in rows] == [(i // 3, i % 3 + 1, i) for i in range(6)]
    assert {row[4] for row in rows} == {"fm-2"}
    (time,) = {row[5] for row in rows}
    if database.kind == "sqlite":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time)
        time = datetime.fromisoformat(time)
        columns = database.query("SELECT name, type, \"notnull\", pk FROM pragma_table_info('recommendations')")
        last = ("time", "TEXT", 1, 0)
    else:
        columns = database.query(
            "SELECT column_name::text, upper(data_type::text), CASE is_nullable WHEN 'NO' THEN 1 ELSE 0 END, "
            "COALESCE(array_position(indkey::int2[], ordinal_position::int2) + 1, 0) FROM information_schema.columns, "
            "pg_index WHERE table_name = 'recommendations' AND indrelid = 'recommendations'::regclass ORDER BY "
            "ordinal_position"
        )
        last = ("time", "TIMESTAMP WITH TIME ZONE", 1, 0)
    assert columns == [
        ("user_id", "BIGINT", 1, 1),
        ("rank", "INTEGER", 1, 2),
        ("item_id", "BIGINT", 1, 0),
        ("score", "REAL", 1, 0),
        ("model", "TEXT", 1, 0),
        last,
    ]
    assert before <= time <= before + timedelta(minutes=1)


def test_text_comes_back(database):
    texts = ["é 日本 😀", "O'Neil; --", 'say "hi"', "two\nlines", "", "%s $1 ?"]
    columns = {
        "user": np.array(texts),
        "rank": np.ones(6, np.uint8),
        "item": texts[::-1],
        "title": np.array([*texts[:5], None], dtype=object),
        "score": np.linspace(0, 1, 6),
    }
    write_table(columns, database.uri, titles=True)
    rows = database.query('SELECT "user", item, title, score FROM recommendations')
    expected = zip(texts, texts[::-1], columns["title"].tolist(), columns["score"].tolist(), strict=True)
    assert sorted(rows) == sorted(expected)


def test_titles_only_when_wanted(database):
    write_table(lists() | {"title": ["x"] * 6}, database.uri)
    with pytest.raises(Exception, match="title"):
        database.query("SELECT title FROM recommendations")


def test_replace_leaves_only_the_new_rows(database):
    write_table(lists(9), database.uri)
    write_table(lists(3, item=50), database.uri)
    assert database.query("SELECT item_id FROM recommendations ORDER BY 1") == [(50,), (51,), (52,)]
    assert database.tables() == ["recommendations"]


def test_append_adds_and_tells_writings_apart(database):
    for model in ("one", "two", "two"):
        write_table(lists(), database.uri, mode="append", model=model)
    groups = 'SELECT model, count(DISTINCT "time"), count(*) FROM recommendations GROUP BY model ORDER BY model'
    assert database.query(groups) == [("one", 1, 6), ("two", 2, 12)]
    assert database.tables() == ["recommendations"]
    write_table(lists(), database.uri)  # replacing takes all of them away
    assert database.query(COUNT) == [(6, "factorec", "factorec")]


def test_pieces_in_any_number(database):
    with open_sink(database.uri) as sink:
        for start in range(0, 300_000, 50_000):
            sink.write({name: values[start : start + 50_000] for name, values in lists(300_000).items()})
    assert database.query("SELECT count(*), count(DISTINCT item_id), max(item_id) FROM recommendations") == [
        (300_000, 300_000, 299_999)
    ]


def test_lists_of_one_user_in_several_contexts(database):
    columns = {"user_id": [1, 1], "hour": [8, 20], "rank": [1, 1], "item_id": [5, 6]}
    for _ in range(2):
        write_table(columns, database.uri)
    assert database.query("SELECT hour, item_id FROM recommendations ORDER BY hour") == [(8, 5), (20, 6)]


@pytest.mark.parametrize("again", ["recommendations", "RECOMMENDATIONS"])
def test_names_in_sqlite_have_no_case(sqlite, again):
    write_table(lists(), sqlite.uri)
    write_table(lists(3), sqlite.uri, table=again)
    assert sqlite.query("SELECT count(*) FROM recommendations") == [(3,)]


def test_append_of_the_same_time_takes_the_place(database):
    """So that a job may repeat what it may have written."""
    now = datetime(2025, 1, 31, 9, 0, 0, 5, tzinfo=UTC)
    for n_rows, time in ((6, now), (9, now + timedelta(days=1)), (3, now)):
        write_table(lists(n_rows), database.uri, mode="append", time=time)
    counts = 'SELECT count(*) FROM recommendations GROUP BY "time" ORDER BY "time"'
    assert database.query(counts) == [(3,), (9,)]


def test_no_rows(database):
    write_table(lists(), database.uri)
    write_table({name: values[:0] for name, values in lists().items()}, database.uri)
    assert database.query("SELECT count(*) FROM recommendations") == [(0,)]


def test_no_call_of_write_changes_nothing(database):
    write_table(lists(), database.uri)
    with open_sink(database.uri):
        pass
    assert database.query("SELECT count(*) FROM recommendations") == [(6,)]


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_names_are_taken_literally(database, mode):
    database.execute("CREATE TABLE x (a INTEGER)", "CREATE TABLE a (a INTEGER)")
    for _ in range(2):
        columns = lists()
        write_table({ODD: columns.pop("user_id")} | columns, database.uri, table=ODD, model=ODD, mode=mode)
    assert database.tables() == ["a", ODD, "x"]
    quoted = '"' + ODD.replace('"', '""') + '"'
    assert database.query(f"SELECT count(*), max(model) FROM {quoted}") == [(6 if mode == "replace" else 12, ODD)]


def test_postgresql_schema(postgresql):
    postgresql.execute('CREATE SCHEMA "s.""x"')
    for _ in range(2):
        write_table(lists(), postgresql.uri, schema='s."x', table="lists")
    assert postgresql.query('SELECT count(*) FROM "s.""x".lists') == [(6,)]
    with pytest.raises(DatabaseError, match='schema "nowhere" does not exist'):
        write_table(lists(), postgresql.uri, schema="nowhere")


def test_what_hangs_on_the_table_stays(database):
    """A role may still read the list, a view still shows it, an index of the owner is still there."""
    write_table(lists(), database.uri)
    database.execute(
        'CREATE VIEW best AS SELECT * FROM recommendations WHERE "rank" = 1',
        "CREATE INDEX by_item ON recommendations (item_id)",
    )
    if database.kind == "postgresql":
        database.execute("CREATE ROLE reader", "GRANT SELECT ON recommendations TO reader")
    else:
        database.execute("CREATE TRIGGER t AFTER DELETE ON recommendations BEGIN SELECT 1; END")
    write_table(lists(item=70), database.uri)
    assert database.query("SELECT item_id FROM best ORDER BY 1") == [(70,), (73,)]
    if database.kind == "postgresql":
        assert database.query("SELECT has_table_privilege('reader', 'recommendations', 'SELECT')") == [(True,)]
        assert database.query("SELECT count(*) FROM pg_indexes WHERE indexname = 'by_item'") == [(1,)]
        database.execute("DROP OWNED BY reader", "DROP ROLE reader")
    else:
        assert database.query("SELECT name FROM sqlite_master WHERE type IN ('index', 'trigger') ORDER BY 1") == [
            ("by_item",),
            ("t",),
        ]


# ---- refused ----


@pytest.mark.parametrize("mode", ["replace", "append"])
@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("user_id BIGINT, name TEXT", "no column 'rank'; .* a column 'name' that is not written"),
        (
            'user_id INTEGER, "rank" INTEGER, item_id BIGINT, score REAL, model TEXT, "time" {time}',
            "column 'user_id' is (?i:integer), to be written is BIGINT",
        ),
    ],
)
def test_table_of_another_schema_is_left_alone(database, mode, table, message):
    time = "TEXT" if database.kind == "sqlite" else "TIMESTAMPTZ"
    database.execute(
        f"CREATE TABLE recommendations ({table.format(time=time)})", "INSERT INTO recommendations DEFAULT VALUES"
    )
    with pytest.raises(DataError, match=f"is there with another schema: {message}.* Drop it or name another table"):
        write_table(lists(), database.uri, mode=mode)
    assert database.query("SELECT count(*) FROM recommendations") == [(1,)]
    assert database.tables() == ["recommendations"]


def test_append_to_a_table_of_one_list_per_user(database):
    write_table(lists(), database.uri)
    with pytest.raises(DataError, match="made by mode='replace' and holds one list per user"):
        write_table(lists(), database.uri, mode="append")
    assert database.query("SELECT count(*) FROM recommendations") == [(6,)]


def test_view_is_left_alone(database):
    database.execute("CREATE VIEW recommendations AS SELECT 1 AS a")
    with pytest.raises(DataError, match="is there as a view; name another table"):
        write_table(lists(), database.uri)


def test_user_asked_for_twice(database):
    write_table(lists(), database.uri)
    with pytest.raises(DataError, match="two rows of one user and rank; was a user asked for twice"):
        write_table(
            {"user_id": [1, 1], "rank": [1, 1], "item_id": [1, 2], "score": np.ones(2, np.float32)}, database.uri
        )
    assert database.query("SELECT count(*) FROM recommendations") == [(6,)]
    assert database.tables() == ["recommendations"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user_id": [1], "time": [1]}, "column 'time' is one that the database table has for itself"),
        ({"user_id": np.array([2**64 - 1], np.uint64), "rank": [1]}, "too large for the database"),
        (
            {"user_id": np.array(["a", 1], dtype=object), "rank": [1, 2]},
            "column 'user_id' cannot be written to a database",
        ),
    ],
)
def test_bad_columns(database, columns, message):
    with pytest.raises(DataError, match=message):
        write_table(columns, database.uri)
    assert database.tables() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"table": ""}, "table must be text"),
        ({"table": "a\0b"}, "table must be text"),
        ({"table": "a\ud800"}, "table must be text"),
        ({"model": None}, "model must be text"),
        ({"time": datetime(2025, 1, 1)}, "time must be a datetime with a time zone"),
        ({"mode": "upsert"}, "mode must be 'replace' or 'append', got 'upsert'"),
    ],
)
def test_bad_options(sqlite, options, message):
    with pytest.raises(DataError, match=message):
        write_table(lists(), sqlite.uri, **options)


def test_sqlite_has_no_schemas(sqlite):
    with pytest.raises(DataError, match="schema='s': SQLite has no schemas"):
        write_table(lists(), sqlite.uri, schema="s")


@pytest.mark.parametrize("options", [{"mode": "append"}, {"schema": "s"}])
def test_files_are_always_replaced(tmp_path, options):
    with pytest.raises(DataError, match=r"are for databases; .*x\.csv is a file"):
        write_table(lists(), tmp_path / "x.csv", **options)
    assert os.listdir(tmp_path) == []


def test_titles_of_files_can_be_left_out(tmp_path):
    write_table({"a": [1], "title": ["x"]}, tmp_path / "t.csv", titles=False)
    assert (tmp_path / "t.csv").read_text() == "a\n1\n"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("mysql://u:secret@h/d", "cannot write to 'mysql'"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("postgresql://u:se/cret@h/d", "cannot read the postgresql:// URI"),
        ("postgresql://u:se#cret@h/d", "cannot read the postgresql:// URI"),
        ("postgresql://u:secret@h:port/d", "cannot read the postgresql:// URI"),
    ],
)
def test_unreadable_uris_show_no_secret(uri, message):
    with pytest.raises(DataError, match=message) as caught:
        write_table(lists(), uri)
    assert "cret" not in str(caught.value)


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        write_table(lists(), f"sqlite:///{tmp_path}/none/x.db")


def test_file_that_is_no_database(tmp_path):
    (tmp_path / "x.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(DatabaseError, match=r"x\.db, .*: .*not a database"):
        write_table(lists(), f"sqlite:///{tmp_path}/x.db")


@pytest.mark.parametrize("part", ["wrong_password", "unreachable", "in_query"])
def test_no_password_in_messages(postgresql_server, part):
    uri = {
        "wrong_password": postgresql_server.replace("s3%3A", "wrongSecret"),
        "unreachable": "postgresql://owner:wrongSecret@127.0.0.1:1/postgres",
        "in_query": "postgresql://owner@127.0.0.1:1/postgres?password=wrongSecret&sslmode=wrongSecret",
    }[part]
    with pytest.raises(DatabaseError, match="postgresql://owner@") as caught:
        write_table(lists(), uri)
    error = caught.value
    assert "rongSecret" not in f"{error} {error!r} {error.__cause__} {error.__dict__}"
    assert error.__suppress_context__


def test_no_password_in_representations(postgresql):
    from factorec.sinks.uri import DatabaseAddress

    with open_sink(postgresql.uri) as sink:
        assert "cr" not in repr(vars(sink)).replace("PostgresqlDatabase", "").replace("SqlWriter", "")
    assert "s3" not in repr(DatabaseAddress.parse(postgresql.uri))


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
def test_missing_driver_names_the_extra(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, f"adbc_driver_{name}", None)
    monkeypatch.setitem(sys.modules, f"adbc_driver_{name}.dbapi", None)
    uri = {"sqlite": f"sqlite:///{tmp_path}/x.db", "postgresql": "postgresql://h/d"}[name]
    with pytest.raises(DataError, match=rf"needs adbc-driver-{name}: pip install 'factorec\[sql\]'"):
        write_table(lists(), uri)
    assert os.listdir(tmp_path) == []


# ---- interrupted ----


@pytest.mark.parametrize("mode", ["replace", "append"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("n_rows", [3, ROWS])
def test_error_in_the_block_leaves_the_old_rows(database, mode, error, n_rows):
    write_table(lists(), database.uri, mode="append", model="old")

    def write():
        with open_sink(database.uri, mode=mode) as sink:
            sink.write(lists(n_rows))
            raise error

    with pytest.raises(error):
        write()
    assert database.query(COUNT) == [(6, "old", "old")]
    assert database.tables() == ["recommendations"]


def start_writing(database, mode):
    """A process that has handed rows over and goes on doing so."""
    script = """
        import sys, time
        import numpy as np
        from factorec.sinks import open_sink
        uri, mode = sys.argv[1:]
        with open_sink(uri, mode=mode, model="new") as sink:
            for piece in range(10_000):
                users = np.arange(140_000) + piece * 140_000
                score = np.zeros(140_000, np.float32)
                sink.write({"user_id": users, "rank": np.ones_like(users), "item_id": users, "score": score})
                print("written", flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), database.uri, mode]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for _ in range(2):
        assert process.stdout.readline() == "written\n"
    return process


@pytest.mark.parametrize(
    ("mode", "how"), [("replace", signal.SIGKILL), ("append", signal.SIGKILL), ("replace", signal.SIGINT)]
)
def test_killed_writer_leaves_the_old_rows(database, mode, how):
    """And what it left behind is gone after the next writing."""
    write_table(lists(), database.uri, mode="append", model="old")
    with start_writing(database, mode) as process:
        process.send_signal(how)
        assert process.wait(timeout=60) == -how  # Ctrl-C is heard in the middle of a call of the driver, too
    assert database.query(COUNT) == [(6, "old", "old")]
    write_table(lists(), database.uri, mode=mode, model="old")
    assert database.query(COUNT) == [(6 if mode == "replace" else 12, "old", "old")]
    assert database.tables() == ["recommendations"]


def test_lost_connection_leaves_the_old_rows(postgresql):
    write_table(lists(), postgresql.uri, model="old")

    def write():
        with open_sink(postgresql.uri) as sink:
            sink.write(lists(ROWS))
            postgresql.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            sink.write(lists(ROWS))

    with pytest.raises(DatabaseError, match="postgresql://owner@"):
        write()
    assert postgresql.query(COUNT) == [(6, "old", "old")]


def test_full_disk_leaves_the_old_rows(sqlite, tmp_path):
    """The system itself refuses to let the file grow."""
    write_table(lists(), sqlite.uri, model="old")
    script = """
        import resource, sys
        import numpy as np
        from factorec.errors import DatabaseError
        from factorec.sinks import write_table
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        n = np.arange(300_000)
        try:
            write_table({"user_id": n, "rank": n, "item_id": n, "score": n.astype(np.float32)}, sys.argv[1])
        except DatabaseError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), sqlite.uri],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert re.search("disk|full", done.stdout)
    assert sqlite.query(COUNT) == [(6, "old", "old")]
    assert sqlite.tables() == ["recommendations"]


def test_readers_see_the_old_rows_or_the_new(database):
    """Also in the middle of a writing; and they do not wait for its end."""
    write_table(lists(12), database.uri, model="old")
    seen, stop = [], threading.Event()

    def read():
        with database.connect() as connection, connection.cursor() as cursor:
            if database.kind == "sqlite":
                cursor.execute("PRAGMA busy_timeout = 10000")
                cursor.fetchall()
            while not stop.is_set():
                cursor.execute(COUNT)
                seen.append(cursor.fetchone())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with open_sink(database.uri, model="new") as sink:
            for start in range(0, 3 * ROWS, ROWS):
                sink.write({name: values[start : start + ROWS] for name, values in lists(3 * ROWS).items()})
                before = len(seen)
                while len(seen) < before + 2 and reader.is_alive():  # it reads while the block is open
                    pass
    finally:
        stop.set()
        reader.join()
    seen += database.query(COUNT)
    assert set(seen) == {(12, "old", "old"), (3 * ROWS, "new", "new")}


def test_transaction_that_began_before_sees_the_old_rows(postgresql):
    write_table(lists(), postgresql.uri, model="old")
    with postgresql.connect() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT 1")
        cursor.fetchall()
        write_table(lists(9), postgresql.uri, model="new")
        cursor.execute(COUNT)
        assert cursor.fetchall() == [(6, "old", "old")]
        cursor.execute("COMMIT")
    assert postgresql.query(COUNT) == [(9, "new", "new")]


def test_second_writer_to_a_table_of_sqlite_ends_the_first(sqlite):
    """Rows of the two are never mixed."""

    def write():
        with open_sink(sqlite.uri, model="first") as first:
            first.write(lists(ROWS))
            write_table(lists(), sqlite.uri, model="second")
            first.write(lists(ROWS))

    with pytest.raises(DatabaseError, match="no such table"):
        write()
    assert sqlite.query(COUNT) == [(6, "second", "second")]
    assert sqlite.tables() == ["recommendations"]


def test_memory_does_not_grow_with_the_table(database):
    """Promise 5: three times the rows, the same peak."""

    def peak(n_pieces):
        tracemalloc.start()
        most = 0
        with open_sink(database.uri) as sink:
            for piece in range(n_pieces):
                users = np.arange(70_000) + piece * 70_000
                sink.write({"user_id": users, "rank": np.ones_like(users)})
                most = max(most, pa.total_allocated_bytes())
        traced = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return traced + most

    peak(1)
    assert peak(9) < 1.5 * peak(3)
