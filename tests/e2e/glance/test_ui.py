"""All runs in a real browser: the table, a run that appears and ends, a failure, pictures."""

import contextlib
import re
import threading
import urllib.request

import pytest

from lineage.graph.current import CurrentGraph
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from report.server import PageServer
from report.ui.site import Site
from tests.browser import CONTRASTS, WCAG_AA, until
from tests.stores.of_explorer import HOSTILE
from tests.stores.of_report import PIPELINE, write_run
from tests.stores.writer import COMPLETE, FAILED, RUNNING, StoreWriter

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.needs("chromium")]
# Where the buttons for the size of a graph lie over a part of it that can be scrolled to.
COVERED = """() => [...document.querySelectorAll('.zoom')].filter((zoom) => {
  const [a, b] = [zoom, zoom.parentElement.querySelector('.graph-scroll')].map((each) =>
    each.getBoundingClientRect());
  return a.top < b.bottom && b.top < a.bottom;
}).map((zoom) => zoom.className)"""
PLACE = ("--workspace", "/a b")
TABLE = "[...document.querySelectorAll('tbody tr')].map(r => r.dataset.run)"


@contextlib.contextmanager
def served(folder, **how):
    store = str(folder / "metadata.db")
    current = CurrentGraph(store, lambda: Graph(open_store(store), PLACE))
    site = Site("my workspace", current, folder / "logs", **how)
    server = PageServer("127.0.0.1", 0, site.find_page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workspace")
    write_run(folder)
    write_run(folder, "run-2", pushed=False)
    write_run(folder, "run-3", stop="Trainer", name=HOSTILE[1])
    log = folder / "logs" / "run-3" / "Trainer.log"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {i}\n" for i in range(100)) + "<b>the last words</b>\n")
    return folder


@pytest.fixture(scope="module")
def url(folder):
    with served(folder) as address:
        yield address


def runs(page):
    return page.evaluate(TABLE)


def text_of(address):
    with urllib.request.urlopen(address) as answer:
        return answer.read().decode()


def test_the_home_sorts_by_every_heading_and_the_address_keeps_it(watch, url):
    page = watch(url)
    assert runs(page) == ["run-3", "run-2", "run-1"]
    page.get_by_role("button", name="run", exact=True).click()
    assert runs(page) == ["run-1", "run-2", "run-3"]
    page.get_by_role("button", name="auc", exact=True).focus()
    page.keyboard.press("Enter")
    # A run without the metric comes last, either way.
    assert runs(page)[-1] == "run-3"
    page.keyboard.press("Enter")
    assert runs(page)[-1] == "run-3"
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    assert page.evaluate("document.activeElement.textContent") == "auc"
    assert "sort=auc" in page.url
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.locator("th[aria-sort]").get_attribute("data-column") == "auc"


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("refused", ["run-2"]),
        ("outcome=pushed", ["run-1"]),
        ("outcome!=pushed", ["run-3", "run-2"]),
        ("auc>0.5", ["run-2", "run-1"]),
        ("auc>0.5 live", ["run-1"]),
        ("auc>99", []),
        ("live=no", ["run-3", "run-2"]),
        ("valueerror", ["run-3"]),
        ("nothing=1", []),
        ("", ["run-3", "run-2", "run-1"]),
    ],
)
def test_the_home_filters_by_words_and_comparisons(watch, url, filter_, expected):
    page = watch(url)
    page.get_by_label("Filter").fill(filter_)
    assert runs(page) == expected
    said = "3 runs" if len(expected) == 3 else f"{len(expected)} of 3 runs"
    assert page.locator("#count").inner_text() == said
    assert page.locator("#empty").is_hidden() == bool(expected)


def test_a_run_opens_its_page_and_two_are_compared(watch, url):
    page = watch(url)
    for run in ("run-1", "run-2"):
        assert page.locator("#compare").is_hidden()
        page.get_by_label(f"Choose {run} to compare").check()
    page.locator("#compare").click()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.locator("h1").inner_text() == "run-1 and run-2"
    page.get_by_role("link", name="Runs", exact=True).click()
    page.wait_for_selector("html[data-ready]", state="attached")
    page.get_by_role("link", name="run-1").click()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.locator("h1").inner_text() == "run-1"
    page.get_by_role("link", name="Lineage").click()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.locator("#run-switch").is_visible()


def test_a_run_appears_and_ends_without_a_reload(watch, tmp_path):
    write_run(tmp_path)
    with served(tmp_path) as address:
        page = watch(address)
        page.evaluate("window.same = true")
        writer = StoreWriter(tmp_path / "metadata.db")
        execution = writer.add_execution(PIPELINE, "run-2", "ExampleGen", RUNNING)
        writer.record_run("run-2", nodes='["ExampleGen", "Trainer"]')
        until(page, f"{TABLE}.length === 2")
        row = page.locator("tr[data-run='run-2']")
        until(page, "document.body.innerText.includes('0 of 2 nodes; now ExampleGen')")
        assert "running" in row.inner_text()
        own = watch(f"{address}run/run-2")
        own.evaluate("window.same = true")
        assert "The run is at work" in own.locator("#verdict").inner_text()
        writer._set("Execution", execution, last_known_state=COMPLETE)
        text = "Traceback (most recent call last):\n  …\nValueError: planted"
        writer.add_execution(PIPELINE, "run-2", "Trainer", FAILED, __execution_result__=text)
        writer.record_run("run-2", outcome="failed", ended="1")
        until(page, "document.body.innerText.includes('Trainer: ValueError: planted')")
        until(own, "document.querySelector('#verdict').innerText.includes('Trainer failed')")
        until(own, "document.body.dataset.mark === ''")
        assert page.evaluate("window.same") and own.evaluate("window.same")


def test_a_failed_node_shows_traceback_log_and_commands(watch, url):
    page = watch(f"{url}run/run-3#record")
    record = page.locator("#record")
    assert record.locator("pre").first.inner_text().startswith("Traceback (most recent call last):")
    assert (
        record.locator("code").first.inner_text()
        == "fareline logs run-3 Trainer --workspace '/a b'"
    )
    record.locator("summary", has_text="End of the log").click()
    log = record.locator("details", has_text="End of the log").locator("pre").inner_text()
    assert log.endswith("<b>the last words</b>")
    assert len(log.splitlines()) == 60
    assert page.evaluate("window.hurt") is None


def test_the_pictures_of_an_artifact_are_those_of_its_runs_page(watch, url, folder):
    drawings = set(re.findall(r"<svg.*?</svg>", text_of(f"{url}run/run-1"), re.DOTALL))
    graph = Graph(open_store(folder / "metadata.db"))
    shown = {}
    for execution in graph.executions_of_run("run-1"):
        for artifacts in graph.outputs(execution).values():
            for artifact in artifacts:
                text = text_of(f"{url}pictures/{artifact.id}")
                found = set(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
                assert found <= drawings, artifact.key
                if text:
                    shown[artifact.type] = (artifact, len(found))
    assert {kind for kind, (_, count) in shown.items() if count} >= {
        *("ExampleStatistics", "TunerResults", "ModelRun", "ModelEvaluation", "InfraBlessing"),
    }
    artifact = shown["ModelEvaluation"][0]
    page = watch(f"{url}explorer#view=near&at=a{artifact.id}&sel=a{artifact.id}")
    until(page, "document.querySelector('iframe.pictures')?.dataset.ready === 'true'")
    frame = page.frame_locator("iframe.pictures")
    assert frame.locator("svg").count() == shown["ModelEvaluation"][1]
    box = page.locator("iframe.pictures").bounding_box()
    assert box["height"] > 300  # all of it, without a bar of its own


def test_an_artifact_without_pictures_has_no_frame(watch, url, folder):
    graph = Graph(open_store(folder / "metadata.db"))
    [model, *_] = graph.artifacts_of_type("Model")
    page = watch(f"{url}explorer#view=near&at=a{model.id}&sel=a{model.id}")
    assert page.locator("iframe").count() == 0


def test_the_explorer_follows_the_store(watch, tmp_path):
    write_run(tmp_path)
    with served(tmp_path, opens_on_explorer=True) as address:
        page = watch(address)
        assert page.locator("#foot-count").inner_text().startswith("1 run ")
        StoreWriter(tmp_path / "metadata.db").add_execution(PIPELINE, "run-2", "A", RUNNING)
        until(page, "document.getElementById('foot-count').innerText.startsWith('2 runs')")
        until(page, "document.documentElement.dataset.ready")


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark"), (390, "light")])
def test_the_home_can_be_read_in_both_themes_and_on_a_phone(watch, url, width, theme):
    page = watch(url, width=width, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert [entry for entry in contrasts if entry[0] < WCAG_AA] == []
    assert page.evaluate("window.hurt") is None


def test_on_a_phone_the_details_are_put_away_and_nothing_lies_over_a_comparison(watch, url):
    page = watch(f"{url}explorer#view=run&run=run-1", width=390, height=800)
    panel = page.locator("#details")
    high = panel.bounding_box()["height"]
    page.get_by_role("button", name="Hide details").click()
    assert panel.bounding_box()["height"] < 60 < high
    page.get_by_role("button", name="Show details").click()
    assert panel.bounding_box()["height"] == high
    page.evaluate("Explorer.app.go({view: 'compare', a: 'run-1', b: 'run-2'})")
    assert page.evaluate("getComputedStyle(document.getElementById('details')).position") == (
        "static"
    )
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        until(page, "document.querySelectorAll('.zoom').length === 2")
        assert page.evaluate(COVERED) == []


@pytest.mark.parametrize(
    ("path", "status"),
    [("nowhere", 404), ("run/none", 404), ("compare?a=run-1", 404), ("pictures/99999", 404),
     ("run/../../etc/passwd", 404), ("pictures/x", 404), ("compare?a=run-1&b=zz", 404)],
)  # fmt: skip
def test_what_is_not_there_is_said_in_a_line(url, path, status):
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(url + path)
    assert error.value.code == status
    assert len(error.value.read().decode().splitlines()) == 1


def test_names_of_the_store_are_no_paths(tmp_path):
    """A run and a node that are named like folders show no file from there."""
    (tmp_path / "secret.log").write_text("secret words")
    (tmp_path / "logs").mkdir()
    writer = StoreWriter(tmp_path / "metadata.db")
    for run, node in (("..", "secret"), ("../x", "secret"), ("run", "../../secret")):
        writer.add_execution("p", run, node, FAILED, __execution_result__="x")
    with served(tmp_path) as address:
        for run in ("..", "../x", "run"):
            name = urllib.request.quote(run, safe="")
            assert "secret words" not in text_of(f"{address}run/{name}")
