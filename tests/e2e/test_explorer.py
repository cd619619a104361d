"""The explorer in a real browser: clicked through, by keyboard alone, full of hostile names.

Drives the Chromium of the system (`apt install chromium`); none is downloaded.
"""

import contextlib
import itertools
import json
import re
import socket

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from typer.testing import CliRunner

from cli import app as cli
from lineage.graph.graph import Graph
from lineage.ids import find
from lineage.store.open import open_store, sqlite_connection
from report.explorer.page import write_explorer
from report.server import PageServer
from tests.browser import CONTRASTS, WCAG_AA, Watched, until
from tests.stores.big import write_store
from tests.stores.of_explorer import CSV, HOSTILE, write_four_runs, write_hostile_store
from tests.stores.published import make_workspace
from tests.stores.writer import CACHED, StoreWriter, artifact
from tests.unit.report.test_explorer import running_server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.needs("chromium")]


@pytest.fixture
def show(watch, tmp_path):
    """Writes the page of a store and opens it."""
    numbers = itertools.count()

    def open_page(store, focus=None, address="", height=800, **window):
        graph = Graph(open_store(store), ("--workspace", "/a b"))
        path = tmp_path / f"page-{next(numbers)}.html"
        write_explorer(graph, path, find(graph, focus) if focus else None)
        return watch(path.as_uri() + address, height=height, **window)

    return open_page


@pytest.fixture(scope="module")
def four_runs(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "metadata.db"
    write_four_runs(path)
    return path


@pytest.fixture(scope="module")
def hostile_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "metadata.db"
    write_hostile_store(path)
    return path


def cards(page):
    return page.locator(".card-head .card-name").all_text_contents()


def heading(page):
    return page.locator("#details .panel-key").inner_text()


def until_heading(page, key):
    """Waits for a change of address to have been followed."""
    until(page, "key => document.querySelector('.panel-key').innerText === key", key)


def details(page):
    return page.locator("#details").inner_text()


def focused(page):
    return page.evaluate("document.activeElement.dataset.ref ?? document.activeElement.id")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


# By mouse.


def test_it_opens_on_the_last_run_and_says_how_it_went(show, four_runs):
    page = show(four_runs)
    assert cards(page) == ["later.csv", "ExampleGen", "Trainer"]
    assert page.locator("#run-switch").inner_text() == "run-4"
    trainer = page.get_by_role("button", name="Trainer@run-4, failed")
    assert "failed" in trainer.inner_text()
    assert "1 cached" in details(page) and "1 failed" in details(page)


def test_a_failed_node_says_what_it_failed_with_where_and_how_to_read_its_log(show, four_runs):
    page = show(four_runs)
    page.get_by_role("button", name="Trainer@run-4, failed").click()
    until_heading(page, "Trainer@run-4")
    said = details(page)
    assert "ValueError: planted <b>here</b>" in said
    assert "models/trainer.py:57, in run_fn" in said
    assert "fareline logs run-4 Trainer --workspace '/a b'" in said
    assert page.locator("#details .traceback pre").is_hidden()
    page.locator("#details .traceback summary").click()
    lines = page.locator("#details .traceback pre").inner_text().splitlines()
    assert (lines[0], lines[-1]) == (
        "Traceback (most recent call last):",
        "ValueError: planted <b>here</b>",
    )
    assert "    raise error" in lines


def test_upstream_of_the_live_model_leads_click_by_click_to_the_csv(show, four_runs):
    page = show(four_runs, focus="live")
    assert heading(page) == "PushedModel:13"
    assert "live now" in details(page)
    for link in ("Pusher@run-3", "Model:10", "Trainer@run-3", "Examples:9", "ExampleGen@run-3"):
        page.locator("#details").get_by_role("button", name=link, exact=True).first.click()
        until_heading(page, link)
    page.locator("#details").get_by_role("button", name="/data/later.csv").click()
    assert "3" * 64 in details(page)
    assert "3.0 kB (3,000 bytes)" in details(page)


def test_the_whole_way_to_the_source_is_one_click(show, four_runs):
    page = show(four_runs, focus="Model:10")
    page.get_by_role("button", name="Show origin").click()
    assert cards(page) == ["later.csv", "ExampleGen", "Trainer"]
    lit = page.locator("[data-ref]:not(.is-dim)").evaluate_all("all => all.map(e => e.dataset.ref)")
    assert {"s1", "a9", "a10"} <= set(lit)


def test_a_neighbourhood_grows_where_it_is_asked_to(show, four_runs):
    page = show(four_runs, focus="Model:10")
    assert set(cards(page)) == {"Trainer", "Evaluator", "Pusher"}
    page.get_by_role("button", name="Show 1 more before Trainer").click()
    assert set(cards(page)) == {"ExampleGen", "Trainer", "Evaluator", "Pusher"}
    page.get_by_role("button", name="Show 1 more before ExampleGen").click()
    assert "later.csv" in cards(page)


def test_the_model_is_not_followed_to_the_one_it_was_compared_with(show, four_runs):
    page = show(four_runs, focus="Model:10")
    page.get_by_role("button", name="Show origin").click()
    assert "trips.csv" not in cards(page)
    baseline = show(four_runs, focus="Model:2")
    assert baseline.locator(".edge.is-baseline").count() == 2


def test_the_panel_says_what_the_store_says(show, four_runs):
    page = show(four_runs, focus="Model:2")
    text = details(page)
    for words in (
        "auc",
        "0.91",
        "ModelBlessing:4",
        "blessed",
        CSV,
        "Examples:1",
        "width",
        "Trainer@run-1",
    ):
        assert words in text
    assert "/artifacts/model/1" in text
    assert "Evaluator@run-2 as baseline_model" in text.replace("\n", " ")


def test_search_finds_ids_files_and_values(show, four_runs):
    page = show(four_runs)
    page.locator("#search").fill("trips")
    assert page.locator("[role=option]").first.inner_text().startswith(CSV)
    page.locator("#search").fill("c0ffeec0ffee")
    assert page.locator("[role=option]").first.inner_text().startswith("run-3")
    page.locator("#search").fill("model:2")
    page.locator("[role=option]").first.click()
    assert heading(page) == "Model:2"
    page.locator("#search").fill("no such thing")
    assert "No match" in page.locator("#search-results").inner_text()


def test_runs_are_switched_by_list_and_by_neighbour(show, four_runs):
    page = show(four_runs)
    page.locator("#run-switch").click()
    rows = page.locator("#picker [role=option]")
    assert [row.split("\n")[1] for row in rows.all_inner_texts()] == [
        "run-4",
        "run-3",
        "run-2",
        "run-1",
    ]
    page.locator("#picker input").fill("refused")
    assert rows.count() == 1
    rows.first.click()
    assert page.locator("#run-switch").inner_text() == "run-2"
    assert "refused" in details(page)
    page.get_by_role("button", name="Previous run", exact=True).click()
    assert page.locator("#run-switch").inner_text() == "run-1"
    assert "view=run&run=run-1" in page.url


def test_two_runs_are_compared_node_by_node(show, four_runs):
    page = show(four_runs, address="#view=compare&a=run-1&b=run-3")
    notes = page.locator(".card-sub.difference").all_inner_texts()
    assert notes.count("settings, inputs") == 2  # Trainer, in both
    table = page.locator("table[aria-label=Metrics]").inner_text()
    assert re.search(r"auc\s+0.91\s+0.93\s+▲ \+0.02", table)
    settings = page.locator("table[aria-label=Settings]").inner_text()
    assert re.search(r"settings, line 2\s+steps: 20\s+steps: 30", settings)
    assert "beef00" in settings and "c0ffee" in settings
    trainer = page.locator("table[aria-label='Settings of Trainer']").inner_text()
    assert re.search(r"custom_config . steps\s+10\s+30", trainer)
    data = page.locator("table[aria-label=Data]").inner_text()
    assert data.count("differs") == 3  # the Examples and two files
    page.get_by_role("button", name="Swap A and B").click()
    assert re.search(
        r"auc\s+0.93\s+0.91\s+▼ .0.02", page.locator("table[aria-label=Metrics]").inner_text()
    )


def test_a_cached_node_with_the_same_outputs_does_not_differ(show, four_runs):
    page = show(four_runs, address="#view=compare&a=run-1&b=run-2")
    nodes = page.locator("table[aria-label=Nodes]").inner_text()
    assert re.search(r"ExampleGen\s+executed.*\s+cached.*\s+same outputs", nodes)
    assert re.search(r"Pusher\s.*absent\s+only in A", nodes, re.DOTALL)


def test_the_timeline_shows_data_models_and_pushes(show, four_runs):
    page = show(four_runs, address="#view=timeline")
    labels = page.locator(".spot").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert [label for label in labels if label.startswith("Examples")] == [
        "Examples:1, span 1, read by 2 runs",
        "Examples:9, span 3, read by 2 runs",
    ]
    assert [label for label in labels if label.startswith("Model")] == [
        "Model:2, blessed, auc 0.91",
        "Model:6, refused, auc 0.7",
        "Model:10, blessed, auc 0.93",
    ]
    assert [label for label in labels if label.startswith("Pushed")] == [
        "PushedModel:5, version 1, pushed",
        "PushedModel:13, version 3, live now",
    ]
    assert "Run failed without a model" in labels
    assert page.locator(".chart-dot").count() == 3
    page.get_by_role("button", name="Model:6, refused").click()
    assert heading(page) == "Model:6"
    assert "refused" in details(page)


def test_the_timeline_lists_sealed_spans_also_those_that_no_run_has_read(show, tmp_path):
    path = tmp_path / "metadata.db"
    store = metadata_store.MetadataStore(sqlite_connection(path))
    kind = store.put_artifact_type(mlmd.ArtifactType(name="FeedbackSpan"))
    states = ({"labelled": 1200, "late": 3, "pending": 0}, {"expired": 4}, {"conflicting": 1})
    spans = []
    for version, found in enumerate(states, 1):
        span = artifact(f"/spans/{version}", span=1, version=version, states=json.dumps(found))
        span.type_id = kind
        spans += store.put_artifacts([span])
    writer = StoreWriter(path)
    for run, span in (("run-1", spans[0]), ("run-2", spans[0]), ("run-2", spans[1])):
        writer.add_execution("taxi", run, "ExampleGen", inputs=[("feedback", span)])
    page = show(path, address="#view=timeline", width=390)
    table = page.get_by_role("region", name="Sealed spans of feedback")
    rows = [row.split("\t") for row in table.locator("tbody").inner_text().splitlines()]
    assert rows == [
        ["span 1 v3", "1 conflicting", "no run yet"],
        ["span 1 v2", "4 expired", "run-2"],
        ["span 1 v1", "1,200 labelled, 3 late", "run-1, run-2"],
    ]
    table.get_by_role("button", name="span 1 v2").click()
    assert heading(page) == f"FeedbackSpan:{spans[1]}"


def test_the_timeline_shows_a_refusal_of_a_known_model_and_what_a_rollback_made_live(
    show, tmp_path
):
    made = make_workspace(tmp_path / "w")
    for run, blessed in (("run-4", 1), ("run-5", 0)):
        reused = [("model", made.graph().artifacts_of_type("Model")[-1].id)]
        made.writer.add_execution("taxi", run, "Trainer", CACHED, reused=reused)
        judged = {"blessing": [artifact(f"/b/{run}", blessed=blessed)]}
        made.writer.add_execution("taxi", run, "Evaluator", outputs=judged, inputs=reused)
    back = ["rollback", "--reason", "x", "--workspace", str(tmp_path / "w")]
    version = json.loads(CliRunner().invoke(cli.app, [*back, "--json"]).stdout)["version"]
    page = show(tmp_path / "w" / "metadata.db", address="#view=timeline&metric=auc")
    labels = page.locator(".spot").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    models = [m.key for m in made.graph().artifacts_of_type("Model")]
    assert [label.partition(", auc")[0] for label in labels if label.startswith("Model")] == [
        *(f"{model}, blessed" for model in models),
        f"{models[2]}, same as before",
        f"{models[2]}, same as before, refused",
    ]
    assert [label.partition(", ")[2] for label in labels if label.startswith("Pushed")] == [
        "version 1, pushed",
        f"version 2, live now as {version}",
        "version 3, pushed",
    ]


def test_what_is_shown_stands_in_the_address(show, four_runs):
    page = show(four_runs, address="#view=run&run=run-1&sel=Model:2&hl=down")
    assert heading(page) == "Model:2"
    bright = page.locator(".card-head:not(.is-dim) .card-name").all_text_contents()
    assert bright == ["Evaluator", "Pusher"]
    page.get_by_role("button", name="About this run").click()
    assert heading(page) == "taxi"
    page.go_back()
    until_heading(page, "Model:2")


# By keyboard.


def test_everything_is_done_by_keyboard(show, four_runs):
    page = show(four_runs, focus="run-3")
    press(page, "Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the graph"
    press(page, "Enter", "Tab")
    assert focused(page) == "s1"  # the file, from which all came
    press(page, "ArrowRight")
    assert focused(page) == "e8"  # ExampleGen
    press(page, "ArrowRight", "ArrowRight", "Enter")
    assert heading(page) == "Trainer@run-3"
    assert page.evaluate("document.activeElement.matches(':focus-visible')")
    press(page, "ArrowRight", "u")
    assert heading(page) == "Model:10"
    assert page.locator(".card-head.is-dim").count() > 0
    press(page, "Escape")
    assert page.locator(".card-head.is-dim").count() == 0
    press(page, "Escape")
    assert heading(page) == "taxi"
    press(page, "e")
    assert "view=near" in page.url and heading(page) == "Model:10"
    press(page, "/")
    page.keyboard.type("evaluator@run-2")
    press(page, "Enter")
    assert heading(page) == "Evaluator@run-2"
    until(page, "document.activeElement.dataset.ref !== undefined")
    press(page, "?")
    assert page.locator("#help-dialog").is_visible()
    press(page, "Escape")
    assert not page.locator("#help-dialog").is_visible()


def test_arrows_reach_every_node_and_show_more_at_the_end(show, four_runs):
    page = show(four_runs, focus="run-1")
    page.evaluate("Explorer.views.run.focus()")
    reached, waiting = set(), [focused(page)]
    while waiting:
        ref = waiting.pop()
        if ref in reached:
            continue
        reached.add(ref)
        for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
            page.locator(f"[data-ref={ref}]").first.focus()
            press(page, key)
            waiting.append(focused(page))
    there = page.locator(".graph-area [data-ref]").evaluate_all(
        "all => all.map(e => e.dataset.ref)"
    )
    assert reached == set(there)
    near = show(four_runs, focus="Model:10")
    near.locator("[data-ref=e9]").focus()  # Trainer, whose inputs are not drawn yet
    press(near, "ArrowLeft")
    assert "ExampleGen" in cards(near)


def test_the_timeline_is_walked_by_arrows(show, four_runs):
    page = show(four_runs, address="#view=timeline")
    page.locator(".spot[tabindex='0']").focus()
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"):
        press(page, key)
        seen.append(
            page.evaluate("document.activeElement.getAttribute('aria-label')").split(",")[0]
        )
    assert seen == ["Model:6", "Model:10", "PushedModel:13", "PushedModel:5"]


# Looks.


def test_every_state_is_a_word_and_a_shape_of_its_own(show, four_runs):
    page = show(four_runs)
    shapes = {}
    for state in ("executed", "cached", "failed", "running"):
        sign = page.locator(f".legend .is-{state}")
        assert sign.inner_text() == state
        shapes[state] = sign.locator("path").evaluate_all(
            "all => all.map(p => p.getAttribute('d')).join()"
        )
    assert len(set(shapes.values())) == 4


def test_an_artifact_whose_payload_is_gone_says_so(show, tmp_path):
    path = tmp_path / "metadata.db"
    ids = write_four_runs(path)
    store = metadata_store.MetadataStore(sqlite_connection(path))
    [model] = store.get_artifacts_by_id([ids["model-3"]])
    model.state = mlmd.Artifact.DELETED
    store.put_artifacts([model])
    page = show(path, focus="Model:10")
    assert "state: deleted" in details(page)
    sign = page.get_by_role("button", name="Model:10, deleted").locator(".pill-sign path")
    legend = page.locator(".legend > span", has_text="deleted").locator("path")
    shapes = [
        paths.evaluate_all("all => all.map(p => p.getAttribute('d'))") for paths in (sign, legend)
    ]
    assert shapes[0] == shapes[1] != []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "address",
    ["", "#view=near&sel=Model:2", "#view=compare&a=run-1&b=run-3", "#view=timeline"],
)
def test_all_text_has_contrast_in_both_themes(show, four_runs, theme, address):
    page = show(four_runs, address=address, theme=theme)
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 40
    assert [entry for entry in contrasts if entry[0] < WCAG_AA] == []


def test_the_theme_follows_the_system_until_it_is_chosen(show, four_runs):
    page = show(four_runs, theme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Light colours").click()
    light = page.evaluate(background)
    assert (dark, light) == ("rgb(18, 21, 27)", "rgb(244, 245, 247)")
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.evaluate(background) == light


@pytest.mark.parametrize("view", ["run", "near", "compare", "timeline"])
def test_a_phone_scrolls_the_graph_and_never_the_page_sideways(show, four_runs, view):
    page = show(four_runs, address=f"#view={view}", width=400)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 400


def test_no_two_cards_overlap(show, tmp_path):
    write_store(tmp_path / "metadata.db", runs=3)
    page = show(tmp_path / "metadata.db", focus="Model:10")
    for button in ("Show origin", "Everything derived from it"):
        page.get_by_role("button", name=button).click()
        boxes = page.locator(".card").evaluate_all(
            "all => all.map(e => e.getBoundingClientRect())"
            ".map(b => [b.left, b.top, b.right, b.bottom])"
        )
        overlaps = [
            (a, b)
            for i, a in enumerate(boxes)
            for b in boxes[:i]
            if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
        ]
        assert len(boxes) >= 3
        assert overlaps == []


# Hostile, empty, large.


@pytest.mark.parametrize("view", ["run", "near", "compare", "timeline"])
def test_hostile_names_are_text_and_nothing_of_them_runs(show, hostile_store, view):
    page = show(hostile_store)
    for index, text in enumerate(HOSTILE):
        run = page.evaluate("i => Explorer.data.runs[i].id", index)
        assert run == f"run {text}"
        page.evaluate(
            "([view, i]) => { const d = Explorer.data; const run = d.runs[i];"
            " Explorer.app.go({ view, run: run.id, a: run.id, b: d.runs[0].id,"
            " sel: run.executions[0].ref, at: run.executions[0].outputs[0].artifact.ref }); }",
            [view, index],
        )
        shown = page.evaluate("document.querySelector('#details').textContent")
        assert page.evaluate("t => Explorer.dom.visible(t).slice(0, 100)", text) in shown
    assert page.evaluate("window.hurt") is None
    strange = page.evaluate(
        "[...document.querySelectorAll('img, iframe, object, embed, [onload], [onerror]')].length"
    )
    assert strange == 0
    assert page.locator("a[href^='javascript']").count() == 0


def test_a_long_text_is_cut_and_shown_whole_on_demand(show, hostile_store):
    page = show(hostile_store)
    long_text = HOSTILE[-1]
    note = page.locator("#details dd .long").last
    assert len(note.inner_text()) < 500
    note.get_by_role("button", name="Show all").click()
    assert long_text.strip() in note.inner_text()


def test_directions_of_text_are_isolated(show, hostile_store):
    page = show(hostile_store)
    page.locator("#run-switch").click()
    names = page.locator("#picker .run-name bdi").evaluate_all(
        "all => all.map(e => [e.dir, e.textContent])"
    )
    assert {direction for direction, _ in names} == {"auto"}
    assert not [text for _, text in names if re.search("[\u202a-\u202e\u2066-\u2069]", text)]
    assert any("⟨U+202E⟩" in text for _, text in names)


def test_the_browser_lets_nothing_out(chromium, four_runs, tmp_path):
    write_explorer(Graph(open_store(four_runs)), tmp_path / "page.html")
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        contextlib.closing(chromium.new_page()) as page,
    ):
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        refused = page.evaluate(
            """async (address) => {
              const broken = new Set();
              const note = (event) => broken.add(event.effectiveDirective);
              document.addEventListener("securitypolicyviolation", note);
              await fetch(address).catch(() => {});
              const image = document.createElement("img");
              image.src = address;
              const script = document.createElement("script");
              script.textContent = "window.hurt = 1";
              document.body.append(image, script);
              await new Promise((done) => setTimeout(done, 300));
              return [...broken].sort();
            }""",
            f"http://127.0.0.1:{listener.getsockname()[1]}/",
        )
        assert refused == ["connect-src", "img-src", "script-src-elem"]
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()  # nobody has knocked
        assert page.evaluate("window.hurt") is None


def test_an_empty_store_says_so(show, tmp_path):
    StoreWriter(tmp_path / "metadata.db")
    for view in ("run", "near", "compare", "timeline"):
        page = show(tmp_path / "metadata.db", address=f"#view={view}")
        assert page.locator("#main .empty").count() == 1


def test_of_a_thousand_runs_it_draws_one(show, tmp_path):
    write_store(tmp_path / "metadata.db", runs=1000)
    page = show(tmp_path / "metadata.db")
    assert page.locator("#run-switch").inner_text() == "run-000999"
    assert len(cards(page)) == 12  # ten steps, the data, the baseline
    assert page.evaluate("document.querySelectorAll('*').length") < 1500
    page.locator("#search").fill("trainer@run-000500")
    press(page, "Enter")
    assert heading(page) == "Trainer@run-000500"
    page.locator("nav").get_by_text("Timeline").click()
    page.locator(".spot").first.wait_for()
    assert page.locator(".spot").count() < 200
    slider = page.get_by_role("slider")
    slider.focus()
    press(page, "Home")
    assert page.locator(".overview").inner_text().startswith("Runs 1 to ")


def test_a_reload_of_the_served_page_shows_what_was_added(chromium, tmp_path):
    path = tmp_path / "metadata.db"
    write_four_runs(path)

    def make_page():
        from report.explorer.page import explorer_page

        return explorer_page(Graph(open_store(path)))

    with running_server(make_page) as server, contextlib.closing(chromium.new_page()) as page:
        watched = Watched(page, server.url)
        assert page.locator("#run-switch").inner_text() == "run-4"
        StoreWriter(path).add_execution("taxi", "run-5", "ExampleGen")
        page.reload()
        page.wait_for_selector("html[data-ready]", state="attached")
        assert page.locator("#run-switch").inner_text() == "run-5"
        assert isinstance(server, PageServer)
        watched.verify()
