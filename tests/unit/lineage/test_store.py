"""Opening stores: addresses, files of SQLite, databases on servers; and what is in the way."""

import contextlib
import gc
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from fareline.errors import UserMistake
from fareline.packages import CHECKOUT
from lineage.store import migrate
from lineage.store import server as store_server
from lineage.store.address import parse_address, without_password
from lineage.store.open import (
    connect,
    connect_for_run,
    open_store,
    open_store_in_place,
    open_store_to_write,
    sqlite_connection,
    store_connection,
)
from lineage.store.sqlite_snapshot import snapshot
from tests.servers import USER
from tests.stores.writer import StoreWriter, artifact

EXPECTED = (
    "expected sqlite:PATH, mysql://USER@HOST[:PORT]/DATABASE or "
    "postgresql://USER@HOST[:PORT]/DATABASE"
)
CHECK = "Hint: check for a typing mistake; docs/stores.md has examples."
TEXTS = ("back\\slash", "\"quoted\" 'twice'", "line\nline", "😀 مرحبا", "%s $1 ; --", "x\\'); DROP")


def write_small_store(path):
    writer = StoreWriter(path)
    writer.add_run(
        "taxi", "run-1", 1_767_268_800_000, {"CsvExampleGen": (mlmd.Execution.CACHED, 1)}
    )
    writer.add_execution("taxi", "run-1", "ExampleGen", outputs={"examples": [artifact("/e/1")]})
    [examples] = writer.artifact_ids
    writer.add_execution(
        "taxi",
        "run-1",
        "Trainer",
        inputs=[("examples", examples)],
        outputs={"model": [artifact("/m/2", note=TEXTS[0])]},
    )
    model = writer.artifact_ids[0]
    writer.add_execution(
        "taxi", "run-1", "Pusher", inputs=[("model", model)],
        outputs={"pushed_model": [artifact("/p/3", pushed=1, pushed_version="3")]},
    )  # fmt: skip
    return path


@pytest.fixture
def path(tmp_path):
    return write_small_store(tmp_path / "metadata.db")


def refusal(location, passwords=None, opening=open_store):
    with pytest.raises(UserMistake) as caught:
        opening(location, passwords)
    return str(caught.value)


# Addresses.


@pytest.mark.parametrize(
    ("location", "address"),
    [
        ("a/metadata.db", "a/metadata.db"),
        ("/a/meta:data.db", "/a/meta:data.db"),
        ("meta:data.db", "meta:data.db"),
        (Path("/a/b"), "/a/b"),
        ("sqlite:a/b.db", "a/b.db"),
        ("sqlite:/a/b.db", "/a/b.db"),
        ("sqlite:///a/b.db", "/a/b.db"),
        ("sqlite:////a/b.db", "/a/b.db"),
        ("sqlite+pysqlite:////a/b.db", "/a/b.db"),
        ("sqlite+pysqlite:///a/b.db", "/a/b.db"),
        ("mysql+pymysql://me@db/runs", "mysql://me@db/runs"),
        ("postgresql+psycopg2://me@db/runs", "postgresql://me@db/runs"),
        ("mysql://me@db/runs", "mysql://me@db/runs"),
        ("mysql://me@db:3306/runs", "mysql://me@db/runs"),
        ("mysql://m%40e@db:1/my-runs", "mysql://m%40e@db:1/my-runs"),
        ("mysql://me@localhost/runs?socket=/run/s", "mysql://me@localhost/runs?socket=/run/s"),
        ("postgresql://me@db:5432/runs", "postgresql://me@db/runs"),
        ("postgresql://me@[::1]:5433/runs", "postgresql://me@[::1]:5433/runs"),
    ],
)
def test_addresses(location, address):
    parsed = parse_address(location)
    assert str(parsed) == address
    assert parse_address(str(parsed)) == parsed


def test_three_slashes_may_be_of_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.db").write_bytes(b"")
    for location in ("sqlite:///b.db", "sqlite+pysqlite:///b.db", "sqlite:b.db"):
        assert str(parse_address(location)) == "b.db"
    assert str(parse_address(f"sqlite:///{tmp_path}/b.db")) == f"{tmp_path}/b.db"
    assert str(parse_address(f"sqlite://{tmp_path}/b.db")) == f"{tmp_path}/b.db"


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("redis://me@db/runs", "unknown scheme redis"),
        ("postgres://me@db/runs", "unknown scheme postgres"),
        ("sqlite:", "no path"),
        ("sqlite://db/a.db", "a host in front of the path"),
        ("mysql://db/runs", "no user"),
        ("mysql:me@db/runs", "no user"),
        ("mysql://me@/runs", "no host"),
        ("mysql://me@db", "no database"),
        ("mysql://me@db/", "no database"),
        ("mysql://me@db/a/b", "a character that no such name may have here"),
        ("mysql://me@db/a%60b", "a character that no such name may have here"),
        ("postgresql://me@db/a%20user=x", "a character that no such name may have here"),
        ("mysql://me@db:x/runs", "a port or host that is none"),
        ("mysql://me@db:99999/runs", "a port or host that is none"),
        ("mysql://me@db:0/runs", "a port or host that is none"),
        ("mysql://me@[::1/runs", "a port or host that is none"),
        ("mysql://me@db/runs#x", "a # in it"),
        ("mysql://me@db/runs?ssl=1", "an option after the ? other than mysql's socket=PATH"),
        ("postgresql://me@db/r?socket=/s", "an option after the ? other than mysql's socket=PATH"),
    ],
)
def test_what_is_no_address(location, found):
    assert refusal(location) == f"{location}: {found}; {EXPECTED}. {CHECK}"


@pytest.mark.parametrize(
    ("scheme", "variable"), [("mysql", "MYSQL_PWD"), ("postgresql", "PGPASSWORD")]
)
@pytest.mark.parametrize("password", ["s3cret", "s3:c@ret", ""])
def test_a_password_in_the_address_is_refused_and_not_shown(scheme, variable, password):
    assert refusal(f"{scheme}://me:{password}@db/runs") == (
        f"{scheme}://me:***@db/runs: it holds a password; {EXPECTED}. Hint: set {variable} in the "
        "environment instead: a URI ends up in logs, shell histories and the store."
    )


def test_texts_without_addresses_keep_all():
    assert without_password("a: b@c, http://host/x@y") == "a: b@c, http://host/x@y"


# Files of SQLite.


def test_reading_takes_no_lock_and_sees_one_moment(path):
    store = open_store(path)
    writer = metadata_store.MetadataStore(sqlite_connection(path))
    with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        assert len(store.get_artifacts()) == 3
        other.execute("BEGIN EXCLUSIVE")  # fails if anybody reads
        other.execute("ROLLBACK")
    [kind] = [t.id for t in writer.get_artifact_types() if t.name == "Model"]
    writer.put_artifacts([mlmd.Artifact(type_id=kind, uri="/m/9")])
    assert len(store.get_artifacts()) == 3
    assert len(open_store(path).get_artifacts()) == 4


def test_a_stopped_reader_in_place_would_fail_the_writer_but_no_reader_of_ours_is(path):
    """Why there is a copy: a lock that is held makes ML Metadata's writer give up."""
    store = open_store_in_place(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM Artifact").fetchone()
        with (
            contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other,
            pytest.raises(sqlite3.OperationalError, match="database is locked"),
        ):
            other.execute("BEGIN EXCLUSIVE")
    assert len(store.get_artifacts()) == 3


def test_a_writer_never_fails_while_others_read_all_the_time(path):
    stop = threading.Event()
    read = []

    def keep_reading():
        while not stop.is_set():
            store = open_store(path)
            read.append(
                len(store.get_events_by_execution_ids([e.id for e in store.get_executions()]))
            )

    # In a process of its own: in this one the readers would drop the writer's locks.
    code = (
        "import sys\n"
        "from lineage.store.open import connect, sqlite_connection\n"
        "from ml_metadata.proto import metadata_store_pb2 as mlmd\n"
        "store = connect(sqlite_connection(sys.argv[1]))\n"
        "kind = store.get_execution_types()[0].id\n"
        "for _ in range(200): store.put_execution(mlmd.Execution(type_id=kind), [], [])\n"
    )
    readers = [threading.Thread(target=keep_reading) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        subprocess.run([sys.executable, "-c", code, path], cwd=CHECKOUT, check=True, timeout=240)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert len(read) >= 2
    assert len(open_store(path).get_executions()) == 204


@pytest.mark.parametrize("in_memory", [True, False])
def test_no_copy_is_left(path, tmp_path, monkeypatch, in_memory):
    memory = tmp_path / "temp" if in_memory else tmp_path / "none"
    monkeypatch.setattr("lineage.store.sqlite_snapshot.MEMORY_FOLDER", memory)
    if in_memory:
        monkeypatch.setattr("tempfile.gettempdir", lambda: pytest.fail("not in memory"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    store = open_store(path)
    assert list((tmp_path / "temp").iterdir()) == []
    assert len(store.get_artifacts()) == 3


def test_no_room_for_a_copy(path, tmp_path, monkeypatch):
    monkeypatch.setattr("lineage.store.sqlite_snapshot.MEMORY_FOLDER", tmp_path / "none")
    monkeypatch.setattr("shutil.copyfile", lambda *_: os.truncate(os.devnull + "/x", 0))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert refusal(path) == (
        f"{path}: cannot be copied to {tmp_path} (Not a directory); expected room for a copy, "
        "since reading the store itself would hold up a pipeline. Hint: make room, or set "
        "TMPDIR to another folder."
    )


def kill_in_a_transaction(path):
    """Leaves a store half written, with the journal that undoes it."""
    code = (
        "import os, sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA cache_size = 1')\n"
        "c.execute('BEGIN')\n"
        "c.execute(\"UPDATE Artifact SET uri = 'half' || uri\")\n"
        "c.execute('CREATE TABLE filler AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
        " FROM n WHERE i < 20000) SELECT i, hex(randomblob(50)) FROM n')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], timeout=60)
    assert done.returncode == -9
    journal = Path(f"{path}-journal")
    assert journal.stat().st_size > 0
    return journal


def test_a_store_whose_writer_was_killed_is_read_as_it_was_before(path):
    expected = [a.uri for a in open_store(path).get_artifacts()]
    journal = kill_in_a_transaction(path)
    before = path.read_bytes(), journal.read_bytes()
    assert [a.uri for a in open_store(path).get_artifacts()] == expected
    assert (path.read_bytes(), journal.read_bytes()) == before


def test_a_store_that_stays_locked(path, monkeypatch):
    monkeypatch.setattr("lineage.store.sqlite_snapshot.BUSY_SECONDS", 0.2)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert refusal(path) == (
            f"{path}: another process has been writing to it for 0.2 s; expected a moment without "
            "a writer. Hint: try again, or look for a pipeline that was stopped while it wrote."
        )


def test_a_store_with_a_write_ahead_log(path):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("UPDATE Artifact SET uri = '/late' WHERE id = 1")
        with snapshot(path) as copy:
            assert not Path(f"{copy}-wal").exists()
        assert open_store(path).get_artifacts_by_id([1])[0].uri == "/late"


@pytest.mark.parametrize("name", ["a b.db", "wh?at#100%.db", "ä'\"ß.db"])
def test_odd_names(path, name):
    odd = path.with_name(name)
    shutil.copy(path, odd)
    assert len(open_store(odd).get_artifacts()) == 3


# Versions.

CURRENT = 10


def set_version(path, version):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE MLMDEnv SET schema_version = ?", (version,))


@pytest.mark.parametrize("version", [9, 6, 1])
def test_an_older_store_is_refused_and_a_copy_can_be_migrated(path, version):
    expected = [a.uri for a in open_store(path).get_artifacts()]
    metadata_store.downgrade_schema(sqlite_connection(path), version)
    before = path.read_bytes()
    copy = path.with_name("metadata-migrated.db")
    assert refusal(path) == (
        f"{path}: the store has schema version {version}; expected version {CURRENT}, that of the "
        f"ml-metadata installed here. Hint: migrate a copy: cp {path} {copy} && "
        f"python -m lineage.store.migrate {copy}."
    )
    assert path.read_bytes() == before
    hint = refusal(path).partition("migrate a copy: ")[2].removesuffix(".")
    command = hint.replace("python ", f"{sys.executable} ")
    done = subprocess.run(command, shell=True, cwd=CHECKOUT, capture_output=True, text=True)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, f"{copy}: migrated")
    assert [a.uri for a in open_store(copy).get_artifacts()] == expected
    assert path.read_bytes() == before


@pytest.mark.parametrize("opening", [open_store_in_place, open_store_to_write, connect_for_run])
def test_nobody_opens_an_older_store(path, opening):
    metadata_store.downgrade_schema(sqlite_connection(path), 9)
    before = path.read_bytes()
    assert "the store has schema version 9; expected" in refusal(path, opening=opening)
    assert path.read_bytes() == before


def test_a_newer_store_is_refused(path):
    set_version(path, 99)
    assert refusal(path) == (
        f"{path}: the store has schema version 99; expected version {CURRENT}, that of the "
        "ml-metadata installed here. Hint: use the ml-metadata that wrote it, or a newer one."
    )


def test_migrating_says_what_is_wrong(tmp_path, capsys):
    assert migrate.main([str(tmp_path / "none.db")]) == 2
    assert migrate.main(["mysql://me@db/runs"]) == 2
    assert migrate.main([]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}/none.db: no such file; expected a copy of a store. Hint: make it with cp.",
        "mysql://me@db/runs: a server, and no file; expected a copy of a store. Hint: make it with "
        "cp.",
        "usage: python -m lineage.store.migrate COPY",
    ]


# Servers.


@pytest.fixture
def database(server):
    return server.new_database()


def tables(server, database):
    schema = f"'{database}'" if server.scheme == "mysql" else "current_schema()"
    return server.execute(
        f"SELECT table_name FROM information_schema.tables WHERE table_schema = {schema}", database
    )


def copy_rows(path, server, database):
    """Fills a store on a server with the rows of an SQLite store."""
    connect_for_run(server.uri(database), server.passwords)
    with contextlib.closing(sqlite3.connect(path)) as source:
        names = [
            n for (n,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for name in names:
            if name.startswith("sqlite_"):
                continue
            server.execute(f"DELETE FROM {name}", database)
            cursor = source.execute(f"SELECT * FROM {name}")
            columns = [column[0] for column in cursor.description]
            literal = _literal(server, columns)
            rows = [f"({', '.join(map(literal, columns, row))})" for row in cursor]
            if rows:
                statement = f"INSERT INTO {name} ({', '.join(columns)}) VALUES {', '.join(rows)}"
                server.execute(statement, database)


def _literal(server, columns):
    def literal(column, value):
        if value is None:
            return "NULL"
        if isinstance(value, str):
            escaped = value.replace("'", "''")
            return (
                f"'{escaped}'"
                if server.scheme != "mysql"
                else "'" + escaped.replace("\\", "\\\\") + "'"
            )
        if server.scheme == "postgresql" and column in ("is_custom_property", "is_index_step"):
            return "TRUE" if value else "FALSE"
        return repr(value)

    return literal


def answers(*store, environment=None):
    """What commands say about a store, and on stderr."""
    code = "import sys; from cli.app import main; sys.exit(main())"
    said = {}
    for command in (["runs"], ["upstream", "PushedModel:3"], ["models"]):
        done = subprocess.run(
            [sys.executable, "-c", code, "lineage", *command, "--json", *store],
            cwd=CHECKOUT,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        said[command[0]] = json.loads(done.stdout)
    return said


def test_a_server_answers_as_a_file_does_and_a_reader_need_not_write(path, server, database):
    copy_rows(path, server, database)
    expected = answers("--store", f"sqlite:{path}")
    assert expected["runs"][0]["run_id"] == "run-1"
    environment = server.environment()
    assert answers("--store", server.uri(database), environment=environment) == expected
    quote = "'{}'@'%'" if server.scheme == "mysql" else "{}"
    reader = quote.format(f"reader_{database[-8:]}")
    if server.scheme == "mysql":
        server.execute(f"CREATE USER {reader} IDENTIFIED BY '{server.password}'")
        server.execute(f"GRANT SELECT ON `{database}`.* TO {reader}")
    else:
        server.execute(f"CREATE ROLE {reader} LOGIN PASSWORD '{server.password}'")
        server.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}", database)
    uri = server.uri(database, f"reader_{database[-8:]}")
    assert answers("--store", uri, environment=environment) == expected


def test_a_reader_creates_nothing_in_an_empty_database(server, database):
    uri = server.uri(database)
    for opening in (open_store, open_store_in_place, open_store_to_write):
        assert refusal(uri, server.passwords, opening) == (
            f"{uri}: the database holds no ML Metadata; expected a metadata store. Hint: run a "
            "pipeline with metadata.store set to it first, or check the database's name."
        )
    assert tables(server, database) == []


def test_a_run_creates_the_tables_and_any_text_comes_back(server, database):
    uri = server.uri(database)
    config = connect_for_run(uri, server.passwords)
    connect_for_run(uri, server.passwords)  # once more, on what is there
    store = connect(config)
    long = "".join(f"{i * 7919 % 65521:x}" for i in range(40_000))  # does not compress
    kind = store.put_artifact_type(mlmd.ArtifactType(name="Texts"))
    made = mlmd.Artifact(type_id=kind, uri=f"/a/{TEXTS[0]}")
    for index, text in enumerate((*TEXTS, long)):
        made.custom_properties[f"text_{index}"].string_value = text
    made.custom_properties["struct"].struct_value["a\\b"] = "c\\d"
    [made_id] = store.put_artifacts([made])
    for opened in (store, open_store(uri, server.passwords)):
        [found] = opened.get_artifacts_by_id([made_id])
        assert found.uri == made.uri
        assert found.custom_properties == made.custom_properties


def test_elements_come_in_the_order_of_their_ids(server, database):
    """TFX gives the outputs of cached executions names by their order."""
    store = connect(connect_for_run(server.uri(database), server.passwords))
    kind = store.put_artifact_type(mlmd.ArtifactType(name="Ordered"))
    ids = store.put_artifacts([mlmd.Artifact(type_id=kind, uri=f"/{i}") for i in range(3)])
    [first] = store.get_artifacts_by_id(ids[:1])
    first.state = mlmd.Artifact.LIVE
    store.put_artifacts([first])  # to PostgreSQL a new row, behind the others
    raw = metadata_store.MetadataStore(connect_for_run(server.uri(database), server.passwords))
    if server.scheme == "postgresql":  # if not, there is nothing to mend any more
        assert [a.id for a in raw.get_artifacts_by_id(ids)] != ids
        turned = [ids[2], ids[0], ids[1]]
        assert [a.id for a in store.get_artifacts_by_id(turned)] == turned
    assert [a.id for a in store.get_artifacts_by_id(ids)] == ids
    assert [a.id for a in store.get_artifacts_by_type("Ordered")] == ids


def test_a_connection_ends_with_the_store(server, database):
    """Without waiting for the garbage collector: a server has a hundred connections."""
    uri = server.uri(database)
    config = connect_for_run(uri, server.passwords)
    gc.disable()
    try:
        for opening in (lambda: connect(config), lambda: open_store(uri, server.passwords)):
            store = opening()
            assert store.get_artifacts() == []
            gone = weakref.ref(store)
            del store
            assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("password", ["", "a b'c\"\\d#@:/é"])
def test_passwords_of_any_kind(server, database, password):
    connect_for_run(server.uri(database), server.passwords)
    user = f"user_{database[-8:]}"
    if server.scheme == "mysql":
        escaped = password.replace("\\", "\\\\").replace("'", "''")
        server.execute(f"CREATE USER {user}@'%' IDENTIFIED BY '{escaped}'")
        server.execute(f"GRANT SELECT ON `{database}`.* TO {user}@'%'")
    elif not password:
        pytest.skip("PostgreSQL lets nobody in with an empty password")
    else:
        escaped = password.replace("\\", "\\\\").replace("'", "\\'")
        server.execute(f"CREATE ROLE {user} LOGIN PASSWORD E'{escaped}'")
        server.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}", database)
    store = open_store(server.uri(database, user), {server.scheme: password})
    assert store.get_artifacts() == []


def test_postgresql_sessions_of_readers_are_read_only(server, database):
    uri = server.uri(database)
    connect_for_run(uri, server.passwords)
    if server.scheme == "mysql":
        pytest.skip("ML Metadata's MySQL connection cannot be told to; a user with SELECT can")
    with pytest.raises(Exception, match="read-only transaction"):
        open_store(uri, server.passwords).put_context_type(mlmd.ContextType(name="x"))
    open_store_to_write(uri, server.passwords).put_context_type(mlmd.ContextType(name="x"))


def test_a_socket(server, database):
    if server.scheme != "mysql":
        pytest.skip("MySQL's alone")
    connect_for_run(server.uri(database), server.passwords)
    uri = f"mysql://{USER}@localhost/{database}?socket={server.folder}/socket"
    assert open_store(uri, server.passwords).get_artifacts() == []


def test_what_a_server_refuses(server, database):
    name = {"mysql": "MYSQL_PWD", "postgresql": "PGPASSWORD"}[server.scheme]
    uri = server.uri(database)
    may_log_in = f"expected a user who may log in. Hint: set {name}, or name another user."
    assert refusal(uri, {server.scheme: "wr0ng"}) == (
        f"{uri}: the server refuses the user {USER} with the password in {name}; {may_log_in}"
    )
    assert refusal(uri) == (
        f"{uri}: the server refuses the user {USER} with no password, since {name} is not set; "
        f"{may_log_in}"
    )
    elsewhere = server.uri("nowhere")
    assert refusal(elsewhere, server.passwords) == (
        f"{elsewhere}: the server has no database nowhere; expected one that is there. Hint: "
        "create it, or check the name."
    )


def test_other_versions_on_a_server(server, database):
    uri = server.uri(database)
    connect_for_run(uri, server.passwords)
    server.execute("UPDATE MLMDEnv SET schema_version = 99", database)
    start = f"{uri}: the store has schema version"
    known = f"expected version {CURRENT}, that of the ml-metadata installed here. Hint:"
    assert refusal(uri, server.passwords) == (
        f"{start} 99; {known} use the ml-metadata that wrote it, or a newer one."
    )
    server.execute("UPDATE MLMDEnv SET schema_version = 9", database)
    for opening in (open_store, connect_for_run):
        assert refusal(uri, server.passwords, opening) == (
            f"{start} 9; {known} migrate a copy of the database, as docs/stores.md says."
        )
    assert server.execute("SELECT schema_version FROM MLMDEnv", database) == [(9,)]


@pytest.mark.parametrize("scheme", ["mysql", "postgresql"])
def test_nobody_answers(scheme):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    uri = f"{scheme}://me@127.0.0.1:{port}/runs"
    assert refusal(uri) == (
        f"{uri}: no database server answers at 127.0.0.1 port {port} (Connection refused); "
        "expected one that is running. Hint: start it, or check host and port."
    )
    uri = f"{scheme}://me@no.invalid/runs"
    assert "no database server answers at no.invalid port" in refusal(uri)


@pytest.mark.parametrize("scheme", ["mysql", "postgresql"])
def test_a_server_that_takes_the_call_and_says_nothing(scheme, monkeypatch):
    monkeypatch.setattr(store_server, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(store_server, "ANSWER_SECONDS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        uri = f"{scheme}://me@127.0.0.1:{port}/runs"
        assert f"no database server answers at 127.0.0.1 port {port} (" in refusal(uri)


def test_the_connection_of_a_run_is_not_read_only():
    address = parse_address("postgresql://me@db/runs")
    assert store_connection(address).postgresql.dbname == "'runs'"
    assert "read_only=on" in store_connection(address, read_only=True).postgresql.dbname
