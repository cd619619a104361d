"""The explorer's file: what is in it, byte for byte the same, and the server that shows it."""

import base64
import contextlib
import hashlib
import http.client
import io
import json
import re
import signal
import subprocess
import sys
import threading
import zlib
from importlib import metadata, resources

import pytest

from fareline.errors import UserMistake
from fareline.packages import CHECKOUT
from lineage.graph.graph import Graph
from lineage.ids import find
from lineage.store.open import open_store
from report.explorer import library
from report.explorer.data import content
from report.explorer.page import explorer_page, write_explorer
from report.server import Page, PageServer
from tests.stores.big import write_store
from tests.stores.of_explorer import CSV, HOSTILE, LATER_CSV, write_four_runs, write_hostile_store
from tests.stores.writer import StoreWriter, artifact

WEB = resources.files("report.explorer").joinpath("web")
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def four_runs(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "metadata.db"
    return path, write_four_runs(path)


def graph_of(path):
    return Graph(open_store(path))


def unpacked(page):
    [packed] = re.findall(r'<script type="text/plain" id="content">(.*?)</script>', page)
    return json.loads(zlib.decompress(base64.b64decode(packed)))


# What is in it.


def test_everything_of_the_store_is_in_the_page(four_runs):
    path, ids = four_runs
    graph = graph_of(path)
    shown = unpacked(explorer_page(graph))
    assert len(shown["artifacts"]["id"]) == len(graph.all_artifacts()) == 13
    assert len(shown["executions"]["id"]) == len(graph.all_executions()) == 13
    failures = [shown["values"][i] for i in shown["executions"]["failure"]]
    assert [each and (each["error"], each["place"]) for each in failures] == [None] * 12 + [
        ("ValueError: planted <b>here</b>", "models/trainer.py:57, in run_fn")
    ]
    at = graph.all_artifacts().index(graph.artifacts([ids["model-3"]])[0])
    assert sum(shown["artifacts"]["id"][: at + 1]) == ids["model-3"]
    values, [*pairs] = shown["values"], shown["sets"][shown["artifacts"]["set"][at]]
    properties = {values[n]: values[v] for n, v in zip(pairs[::2], pairs[1::2], strict=True)}
    assert properties == {"hyperparameters": '{"width": 8}'}
    assert values[shown["artifacts"]["uri"][at]] == "/artifacts/model/3"
    assert values[shown["artifacts"]["type"][at]] == "Model"


def test_a_run_is_summed_up_from_what_its_nodes_put_out(four_runs):
    path, ids = four_runs
    first, second, third, fourth = content(graph_of(path), None)["runs"]
    assert [run["id"] for run in (first, second, third, fourth)] == [
        "run-1",
        "run-2",
        "run-3",
        "run-4",
    ]
    assert [run["status"] for run in (first, second, third, fourth)] == [
        *["complete"] * 3,
        "failed",
    ]
    assert second["nodes"] == {"cached": 1, "executed": 2}
    assert (second["blessed"], second["pushed"], second["metrics"]["auc"]) == (False, [], 0.7)
    assert (third["blessed"], third["pushed"]) == (True, [ids["pushed-3"]])
    assert (third["data"], third["models"]) == ([ids["examples-3"]], [ids["model-3"]])
    assert (fourth["models"], fourth["blessed"], fourth["metrics"]) == ([], None, {})


def test_a_source_file_is_one_node_however_many_runs_read_it(four_runs):
    sources = content(graph_of(four_runs[0]), None)["sources"]
    assert [source["name"] for source in sources] == [CSV, LATER_CSV]
    assert [len(source["executions"]) for source in sources] == [2, 2]
    assert sources[0]["files"] == [{"path": CSV, "sha256": "1" * 64, "files": 1, "bytes": 1000}]


def test_many_source_files_are_one_node(tmp_path):
    files = [{"path": f"/data/{i:02}.csv", "bytes": i, "sha256": "0" * 64} for i in range(30)]
    writer = StoreWriter(tmp_path / "metadata.db")
    made = artifact("/examples", source_files=json.dumps(files))
    writer.add_execution("taxi", "run-1", "ExampleGen", outputs={"examples": [made]})
    [source] = content(graph_of(writer.path), None)["sources"]
    assert source["name"] == "30 files, the first /data/00.csv"
    assert len(source["files"]) == 30


def test_of_a_stock_store_base_and_pattern_are_the_source(tmp_path):
    writer = StoreWriter(tmp_path / "metadata.db")
    config = json.dumps({"splits": [{"name": "all", "pattern": "span-{SPAN}/*.csv"}]})
    writer.add_execution(
        "taxi",
        "run-1",
        "CsvExampleGen",
        outputs={"examples": [artifact("/examples")]},
        input_base="/data",
        input_config=config,
    )
    [source] = content(graph_of(writer.path), None)["sources"]
    assert source["name"] == "/data/span-{SPAN}/*.csv"
    assert source["files"][0]["sha256"] == ""


def test_the_live_push_is_marked(four_runs):
    path, ids = four_runs
    assert content(graph_of(path), None)["live"] == {"/serving/taxi": ids["pushed-3"]}


@pytest.mark.parametrize(
    ("asked", "opens_on"),
    [
        ("Model:2", {"view": "near", "sel": "a2"}),
        ("Trainer@run-1", {"view": "near", "sel": "e2"}),
        ("run-2", {"view": "run", "run": "run-2"}),
        ("taxi", {"view": "run", "run": "run-4"}),
        (None, {}),
    ],
)
def test_it_opens_on_what_was_asked_for(four_runs, asked, opens_on):
    graph = graph_of(four_runs[0])
    assert content(graph, find(graph, asked) if asked else None)["focus"] == opens_on


def test_numbers_that_a_browser_cannot_hold_become_text(tmp_path):
    writer = StoreWriter(tmp_path / "metadata.db")
    metrics = '{"overall": {"auc": NaN, "loss": 0.5}}'  # as Python writes it
    made = artifact("/e", exact=2**53 - 1, large=2**53 + 1, metrics=metrics)
    writer.add_execution("taxi", "run-1", "Evaluator", outputs={"evaluation": [made]})
    shown = content(graph_of(writer.path), None)
    assert 2**53 - 1 in shown["values"]
    assert str(2**53 + 1) in shown["values"]
    assert shown["runs"][0]["metrics"] == {"auc": "nan", "loss": 0.5}


def test_an_empty_store_has_a_page(tmp_path):
    StoreWriter(tmp_path / "metadata.db")
    shown = unpacked(explorer_page(graph_of(tmp_path / "metadata.db")))
    assert (shown["runs"], shown["artifacts"]["id"], shown["sources"]) == ([], [], [])


# The file.


def test_the_same_store_gives_the_same_bytes_wherever_it_lies(four_runs, tmp_path):
    copy = tmp_path / "elsewhere" / "copy.db"
    copy.parent.mkdir()
    copy.write_bytes(four_runs[0].read_bytes())
    stream, path = io.BytesIO(), tmp_path / "page.html"
    write_explorer(graph_of(four_runs[0]), stream)
    write_explorer(graph_of(copy), path)
    assert stream.getvalue() == path.read_bytes()


def test_a_thousand_runs_take_less_than_five_megabytes(tmp_path):
    write_store(tmp_path / "big.db", runs=1000)
    page = explorer_page(graph_of(tmp_path / "big.db"))
    shown = unpacked(page)
    assert (len(shown["runs"]), len(shown["executions"]["id"])) == (1000, 10_000)
    assert len(page.encode()) < 5 * MEGABYTE


def test_nothing_of_a_hostile_store_stands_in_the_page_as_it_is(tmp_path):
    write_hostile_store(tmp_path / "metadata.db")
    write_four_runs(tmp_path / "harmless.db")
    page = explorer_page(graph_of(tmp_path / "metadata.db"))
    harmless = explorer_page(graph_of(tmp_path / "harmless.db"))
    cut = re.compile(r'(?<=id="content">)[A-Za-z0-9+/=]*(?=</script>)')
    assert cut.sub("", page) == cut.sub("", harmless)
    values = unpacked(page)["values"]
    assert [text for text in HOSTILE if text not in values] == []


def test_the_policy_allows_what_was_written_and_nothing_else(four_runs):
    page = explorer_page(graph_of(four_runs[0]))
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.partition(" ")[::2] for rule in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:"
    scripts = re.findall(r'<script(?: type="module")?>(.*?)</script>', page, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert len(scripts) > 10 and len(styles) == 7
    assert rules["script-src"].split() == [hashed(script) for script in scripts]
    assert rules["style-src"].split() == [hashed(style) for style in styles]


def hashed(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_our_scripts_never_take_text_for_markup_or_code():
    sources = {path.name: path.read_text(encoding="utf-8") for path in WEB.iterdir()}
    scripts = {name: text for name, text in sources.items() if name.endswith(".js")}
    assert len(scripts) > 10
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
        r"|DOMParser|createContextualFragment|srcdoc|setTimeout\(['\"]"
    )
    assert {name for name, text in scripts.items() if forbidden.search(text)} == set()
    assert all(text.startswith('"use strict";\n') for text in scripts.values())


def test_every_file_of_the_page_is_in_it(four_runs):
    page = explorer_page(graph_of(four_runs[0]))
    missing = [
        path.name
        for path in WEB.iterdir()
        if path.suffix in (".js", ".css") and path.read_text(encoding="utf-8") not in page
    ]
    assert missing == []


def test_the_page_says_whose_layout_it_uses(four_runs):
    page = explorer_page(graph_of(four_runs[0]))
    assert f"dagre from netron {metadata.version('netron')}, MIT License" in page
    assert "Copyright (c) 2012-2014 Chris Pettitt" in page


def test_without_the_layout_package_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(library, "PACKAGE", "no-such-package")
    with pytest.raises(
        UserMistake, match="the Python package no-such-package: is not installed;.*make setup"
    ):
        library.find_layout_library()


def test_a_layout_script_of_another_shape_is_refused(monkeypatch):
    monkeypatch.setattr(library, "_SCRIPT", "netron/__init__.py")
    with pytest.raises(UserMistake, match="is not the one we know"):
        library.find_layout_library()


# The server.


@pytest.fixture
def server():
    with running_server(lambda: "<p>page</p>") as started:
        yield started


@contextlib.contextmanager
def running_server(make_page):
    def find_page(path, parameters):
        return Page(make_page()) if path == "/" else None

    server = PageServer("127.0.0.1", 0, find_page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(server, path="/", method="GET", host=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{server.server_port}"})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def test_the_server_makes_the_page_anew_for_every_request():
    pages = iter(["first", "second"])
    with running_server(lambda: next(pages)) as server:
        assert [ask(server)[1], ask(server, "/?again")[1]] == ["first", "second"]


def test_the_server_has_one_page_and_says_how_to_treat_it(server):
    answer, body = ask(server)
    assert (answer.status, body) == (200, "<p>page</p>")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert ask(server, "/etc/passwd")[0].status == 404
    assert ask(server, method="HEAD")[1] == ""
    assert ask(server, method="POST")[0].status == 501


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[", " "]
)
def test_a_name_that_others_can_point_here_is_refused(server, host):
    answer, body = ask(server, host=host)
    assert (answer.status, "page" in body) == (403, False)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8787"])
def test_loopback_is_answered_by_any_of_its_names(server, host):
    assert ask(server, host=host)[0].status == 200


def test_a_store_that_has_gone_is_said_in_the_browser():
    def make_page():
        raise UserMistake.explain("metadata.db", "no such file", "expected one", "run first")

    with running_server(make_page) as server:
        answer, body = ask(server)
    assert answer.status == 503
    assert body.startswith("metadata.db: no such file; expected one.")


def test_a_port_that_is_taken_is_a_mistake(server):
    with pytest.raises(UserMistake, match="cannot be bound.*name another --port"):
        PageServer("127.0.0.1", server.server_port, str)


@pytest.mark.parametrize(("stop", "words"), [(signal.SIGINT, []), (signal.SIGTERM, ["--json"])])
def test_ui_says_its_address_serves_the_page_and_ends_cleanly(four_runs, stop, words):
    command = [sys.executable, "-m", "cli.app", "lineage", "ui", "Model:2", *words]
    command += ["--store", f"sqlite:{four_runs[0]}", "--port", "0"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        address = process.stdout.readline().strip()
        if words:
            [address] = json.loads(address).values()
        port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", address).group(1))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/")
        page = connection.getresponse().read().decode()
        process.send_signal(stop)
        rest, stderr = process.communicate(timeout=30)
    assert unpacked(page)["focus"] == {"view": "near", "sel": "a2"}
    assert (process.returncode, rest) == (0, "")
    assert stderr.splitlines() == ["Ctrl-C ends it.", "", "The explorer has ended."]
