"""The page of a run: what a real run writes, and every kind of run in a real browser."""

import itertools
import json

import pytest

from lineage.graph.graph import Graph
from lineage.store.open import open_store
from report.run.compare import compare_runs
from report.run.gather import gather
from report.run.page import SECTIONS, report_page
from tests.browser import CONTRASTS, WCAG_AA, until
from tests.e2e.conftest import run_fareline
from tests.stores.of_explorer import HOSTILE
from tests.stores.of_report import write_run

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MEGABYTE = 1_000_000


# What a run writes.


def document_of(workspace, run_id):
    return gather(Graph(open_store(str(workspace / "metadata.db"))), run_id)


def test_a_run_ends_with_its_page(small_workspace, small_run):
    answer = small_run.finished.answer
    page = small_workspace / "reports" / f"{answer['run_id']}.html"
    assert answer["report"] == str(page)
    text = page.read_text(encoding="utf-8")
    assert len(text) < 3 * MEGABYTE
    document = document_of(small_workspace, answer["run_id"])
    assert document.absent == {}
    assert document.verdict.outcome == "pushed"
    assert report_page(document) == text  # written when all was recorded


def test_an_unchanged_run_names_the_page_of_the_run_that_made_it_all(small_workspace, small_run):
    """The second run has a baseline to compare with; the third changes nothing."""
    second = run_fareline(small_workspace, *small_run.settings)
    assert second.nodes_in("executed") == {"Evaluator", "Pusher"}
    page = small_workspace / "reports" / f"{second.answer['run_id']}.html"
    assert second.answer["report"] == str(page)
    third = run_fareline(small_workspace, *small_run.settings)
    assert third.nodes_in("executed") == set()
    assert third.answer["report"] == str(page)
    assert len(list((small_workspace / "reports").iterdir())) == 2


def test_the_curves_are_those_of_the_metrics(small_workspace, small_run):
    """The area below the curve is the AUC that TFMA measured."""
    evaluation = document_of(small_workspace, small_run.finished.answer["run_id"]).evaluation
    [found] = evaluation.candidate.operating
    assert found.positives + found.negatives == evaluation.overall.metrics["example_count"]
    points = sorted(
        (fp / found.negatives, tp / found.positives)
        for fp, tp in zip(found.false_positives, found.true_positives, strict=True)
    )
    area = sum(
        (right - left) * (low + high) / 2
        for (left, low), (right, high) in itertools.pairwise(points)
    )
    assert area == pytest.approx(evaluation.overall.metrics["auc"], abs=0.01)  # of 200 thresholds


def test_the_features_are_those_that_the_model_gets(small_workspace, small_run):
    """Means, deviations and boundaries against what the exported graph makes of values."""
    import tensorflow as tf
    import tensorflow_transform as tft

    found = document_of(small_workspace, small_run.finished.answer["run_id"]).features
    assert found.notes == []
    features = {(f.column, f.kind): f for f in found.features}
    [graph] = small_workspace.glob("artifacts/Transform/transform_graph/*")
    output = tft.TFTransformOutput(str(graph))
    layer = output.transform_features_layer()

    def transform(column, values):
        columns = {
            name: tf.sparse.from_dense(
                tf.constant([["" if spec.dtype == tf.string else 1]] * len(values), spec.dtype)
            )
            for name, spec in output.raw_feature_spec().items()
        }
        columns[column] = tf.sparse.from_dense(tf.constant(values, tf.float32)[:, None])
        return layer(columns)

    fare = features["fare", "numeric"]
    values = tf.math.expm1([fare.mean, fare.mean + fare.deviation]).numpy()
    scaled = transform("fare", values)["fare_scaled_xf"].numpy().ravel()
    assert scaled == pytest.approx([0, 1], abs=1e-5)
    miles = features["trip_miles", "bucketized"]
    assert len(miles.boundaries) == 3
    below = [value * 0.999 for value in miles.boundaries if value]
    at = [value for value in miles.boundaries if value]
    buckets = transform("trip_miles", [*below, *at])["trip_miles_bucket_xf"].numpy().ravel()
    assert (buckets[len(at) :] - buckets[: len(at)] == 1).all()
    [vocabulary] = graph.glob("transform_fn/assets/payment_type")
    assert features["payment_type", "vocabulary"].head == vocabulary.read_text().splitlines()[:10]


def test_the_card_is_beside_the_pushed_version_and_goes_with_it(small_workspace, small_run):
    pushed = small_run.finished.answer["pushed_to"]
    with open(f"{pushed}.md", encoding="utf-8") as reader:
        text = reader.read()
    assert text.startswith("# Model card: Tips of Chicago taxi trips\n")
    assert "## Metrics on the eval split" in text


# In a browser.


@pytest.fixture
def show(watch, tmp_path):
    """Opens a page from a file."""
    numbers = itertools.count()

    def open_page(text, width=1280, theme="light"):
        path = tmp_path / f"page-{next(numbers)}.html"
        path.write_text(text, encoding="utf-8")
        return watch(path.as_uri(), width=width, theme=theme)

    return open_page


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page of each kind of run, by name."""
    kinds = {
        "pushed": {},
        "refused": {"pushed": False},
        "gate": {"stop": "DataPolicy"},
        "failed": {"stop": "Trainer"},
        "multiclass": {"task": "multiclass"},
        "regression": {"task": "regression"},
        "hostile": {"name": HOSTILE[1]},
    }
    found = {}
    for kind, how in kinds.items():
        store = write_run(tmp_path_factory.mktemp(kind), **how)
        found[kind] = report_page(gather(Graph(open_store(str(store))), "run-1"))
    return found


browser = pytest.mark.needs("chromium")
KINDS = ("pushed", "refused", "gate", "failed", "multiclass", "regression", "hostile")


@browser
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_every_kind_of_run_is_shown(show, pages, kind, width, theme):
    page = show(pages[kind], width, theme)
    assert page.locator("section h2").all_text_contents() == list(SECTIONS.values())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("window.hurt") is None
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 60
    assert [entry for entry in contrasts if entry[0] < WCAG_AA] == []


@browser
def test_the_threshold_moves_the_matrix_and_the_marks(show, pages):
    page = show(pages["pushed"])
    area = page.locator("[data-operating]")

    def cells():
        return {n: area.locator(f"[data-cell={n}]").inner_text() for n in ("tp", "fp", "fn", "tn")}

    # Scores of 0.15 (one positive, three negatives) and of 0.85 (five and one).
    assert cells() == {"tp": "5", "fp": "1", "fn": "1", "tn": "3"}
    assert area.locator("[data-cell=precision]").inner_text() == "83.3 %"
    mark = area.locator("[data-now=roc]")
    before = mark.get_attribute("cx")
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    assert cells() == {"tp": "6", "fp": "4", "fn": "0", "tn": "0"}
    assert area.locator("output").inner_text() == "0.00"
    assert float(mark.get_attribute("cx")) > float(before)
    page.keyboard.press("End")
    assert cells() == {"tp": "0", "fp": "0", "fn": "6", "tn": "4"}
    assert area.locator("[data-cell=precision]").inner_text() == "\N{EN DASH}"


@browser
def test_tables_are_sorted_by_the_keyboard(show, pages):
    page = show(pages["pushed"])
    table = page.locator("table[data-sortable]", has_text="Trials")
    head = table.get_by_role("button", name="score")
    scores = table.locator("tbody td:nth-child(2)")
    assert scores.all_text_contents() == ["0.8", "0.9"]
    head.focus()
    page.keyboard.press("Enter")
    assert scores.all_text_contents() == ["0.9", "0.8"]
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")
    assert scores.all_text_contents() == ["0.8", "0.9"]
    assert "sorted by score" in page.locator("#announce").inner_text()


@browser
def test_it_is_walked_through_by_keyboard_and_the_theme_changes(show, pages):
    page = show(pages["pushed"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    page.keyboard.press("Enter")
    until(page, "document.activeElement.id === 'main'")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert page.locator("#theme").inner_text() == "Light theme"


@browser
def test_two_runs_side_by_side(show, tmp_path):
    store = write_run(tmp_path)
    write_run(tmp_path, "run-2", pushed=False)
    page = show(compare_runs(Graph(open_store(str(store))), "run-1", "run-2").page(), 390)
    assert page.locator("section h2").all_text_contents() == [
        "Verdicts",
        "Differences",
        "Evaluation",
        "Data",
    ]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@browser
def test_the_page_of_a_real_run(show, small_workspace, small_run):
    text = (small_workspace / "reports" / f"{small_run.finished.answer['run_id']}.html").read_text()
    page = show(text, 390, "dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#data article").count() == 18
    page.set_viewport_size({"width": 794, "height": 1123})  # A4
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
    assert page.locator("details:not([open], [data-long])").count() == 0
    data = json.loads(page.locator("script[type='application/json']").first.text_content())
    assert len(data["tp"]) == len(data["thresholds"]) == 201
