"""The page of a run as a file: itself alone, the same bytes twice, text never markup, pictures."""

import html.parser
import itertools
import json
import re

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_curve

from fareline.recorded.curves import Curves, ModelCurves, Scores, parse_curves
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from report.run.charts import Plot, said, say_all, tag, ticks
from report.run.compare import compare_runs
from report.run.document import Bin, Column, ColumnStats
from report.run.figures import column_figure, label_shares, split_names
from report.run.gather import gather
from report.run.page import as_data, number, report_page, value_in_words
from report.run.sections.pictures import picture_of
from tests.stores.of_explorer import HOSTILE
from tests.stores.of_report import write_run

MEGABYTE = 1_000_000
# What a page may hold; anything else has come out of the data.
ELEMENTS = """
html head meta title link style body a header p h1 button nav main section h2 h3 h4 div ul li dl dt
dd details summary pre table caption thead tbody tr th td figure figcaption svg path line rect
circle text i article span code label output input script
"""


class Elements(html.parser.HTMLParser):
    """Lists elements, their attributes, and what scripts hold."""

    def __init__(self, page):
        super().__init__()
        self.found, self.attributes, self.scripts, self._in_script = [], [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attributes]
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append((dict(attributes), ""))

    def handle_data(self, data):
        if self._in_script:
            attributes, text = self.scripts.pop()
            self.scripts.append((attributes, text + data))

    def handle_endtag(self, tag):
        self._in_script = False


def page_of(store, run="run-1"):
    return report_page(gather(Graph(open_store(str(store))), run))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return page_of(write_run(tmp_path_factory.mktemp("page")))


def test_the_same_store_gives_the_same_bytes(tmp_path):
    store = write_run(tmp_path)
    assert page_of(store) == page_of(store)


def test_it_is_small_and_needs_nothing_from_elsewhere(page):
    assert len(page) < MEGABYTE / 4
    found = Elements(page)
    assert not {"img", "iframe", "object", "embed", "base", "form"} & set(found.found)
    for element, name, value in found.attributes:
        if name in ("src", "href", "action", "data", "srcset", "poster"):
            assert value.startswith(("#", "data:")), (element, name, value)
        assert name != "style" and not name.startswith("on")
    assert "url(" not in re.sub(r"data:[^\"']*", "", page)
    assert "@import" not in page


def test_the_policy_lets_its_own_styles_and_scripts_work(page):
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; ")
    assert policy.count("sha256-") == 3  # two styles and a script


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_section_has_its_heading_and_tables_their_captions(tmp_path, task):
    page = page_of(write_run(tmp_path, task=task))
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    assert headings == [
        "Verdict",
        "Data",
        "Features",
        "Search and training",
        "Evaluation",
        "Serving",
        "Run",
        "Model card",
    ]
    assert page.count("<table") == page.count("<caption>")
    assert page.count('role="img"') == page.count("<svg")
    shown = {
        "binary": "Confusion matrix",
        "multiclass": "Matrix of classes",
        "regression": "Residuals",
    }
    assert shown[task] in page
    # What has drifted stands with its column: the distance, the threshold, the policy.
    assert "✗ l infinity 0.25, threshold 0.1: share of Cash 50.0 % -&gt; 25.0 % (warn)" in page
    assert not re.search(r"<th[^>]*></th>", page)  # said by a screen reader as nothing
    assert '<pre class="words">' not in page  # moved by the keyboard where it is long


@pytest.mark.parametrize("stop", ["ExampleGen", "DataPolicy", "Trainer", "InfraValidator"])
def test_a_run_that_failed_has_a_page(tmp_path, stop):
    page = page_of(write_run(tmp_path, stop=stop))
    assert f"{stop} failed" in page
    assert "Traceback (most recent call last)" in page


@pytest.mark.parametrize(
    ("name", "task"), zip(HOSTILE, itertools.cycle(["binary", "multiclass"]), strict=False)
)
def test_text_of_the_data_is_text(tmp_path, name, task):
    store = write_run(tmp_path, name=name, task=task)
    write_run(tmp_path, "run-2", name=name, task=task, pushed=False)
    graph = Graph(open_store(str(store)))
    for page in (page_of(store), compare_runs(graph, "run-1", "run-2").page()):
        found = Elements(page)
        assert set(found.found) <= set(ELEMENTS.split())
        assert not [n for _, n, _ in found.attributes if n.startswith("on") or n == "style"]
        for attributes, text in found.scripts:
            if attributes.get("type") == "application/json":
                json.loads(text)
    assert not re.search(r"href=\"(?!#|data:image)", page)


def test_json_in_a_script_cannot_end_it():
    content = {"</script><script>": "<!-- & \u2028 -->"}
    text = as_data(content)
    assert json.loads(text) == content
    assert not set("<>&\u2028\u2029") & set(text)


def test_numbers_and_values_in_words():
    assert [number(v) for v in (None, 3, 1234567, 0.123456, 12345.678, 1e9 + 0.5, 2.0)] == [
        "\N{EN DASH}",
        "3",
        "1,234,567",
        "0.1235",
        "12,345.7",
        "1,000,000,000",
        "2",
    ]
    assert value_in_words("ab" * 32) == "abababababab…"
    assert value_in_words(["a", 1.5]) == "a, 1.5"
    assert value_in_words(True) == "True"
    assert len(value_in_words("x" * 500)) == 160


# Charts.


@pytest.mark.parametrize("ends", [(0, 1), (-3, 17), (0.001, 0.0013), (5, 5), (1e9, 1.45e9)])
def test_ticks_are_in_the_range_and_told_apart(ends):
    found = ticks(*ends)
    assert 1 <= len(found) <= 8
    assert all(ends[0] - 1e-9 <= value <= ends[1] + 1e-9 for value in found)
    words = [text for _, text in say_all(found)]
    assert len(set(words)) == len(words)


def test_numbers_on_an_axis():
    assert [said(v) for v in (0, 0.25, 1000, 25_000, 3_200_000, 1.4e9, 0.0002)] == [
        "0",
        "0.25",
        "1000",
        "25k",
        "3.2M",
        "1.4G",
        "2e-04".replace("e-0", "e-"),
    ]


def test_a_point_is_where_the_axes_say():
    plot = Plot("a", (0, 10), (0, 4))
    (left, bottom), (right, top) = plot.at(0, 0), plot.at(10, 4)
    assert plot.at(5, 2) == ((left + right) / 2, (bottom + top) / 2)
    assert plot.at(99, -1) == (right, bottom)  # nothing leaves the picture


@pytest.mark.parametrize("empty", ["train", "eval"])
def test_a_split_without_values_leaves_the_others_their_colours(empty):
    """Splits are told apart by the order of the legend, whichever of them has something."""
    tenths = [float(value) for value in range(11)]
    full = ColumnStats(0.0, 8, low=0.0, high=10.0, mean=5.0, quantiles=tenths, bins=[Bin(0, 10, 8)])
    splits = {split: ColumnStats(1.0, 0) if split == empty else full for split in ("train", "eval")}
    drawn = column_figure(Column("fare", "FLOAT", splits))
    assert re.findall(r'class="area (s\d)"', drawn) == ["s1" if empty == "train" else "s0"]
    assert (full.tenth, full.nine_tenths) == (1.0, 9.0)


def test_other_splits_than_three_are_in_the_tables_alone():
    text = ColumnStats(0.0, 8, top=[("a", 8.0)])
    splits = dict.fromkeys(("train", "validate", "eval", "held"), text)
    column = Column("payment", "STRING", splits, previous=text)
    assert split_names(column) == ["train", "validate", "eval", "previous data"]
    assert column_figure(column).count("<rect") == 4


def test_an_element_is_escaped():
    assert tag("text", "<b>", x=1.5, class_="a") == '<text x="1.5" class="a">&lt;b&gt;</text>'
    assert tag("a", data_b='"') == '<a data-b="&#34;"></a>'


@pytest.mark.parametrize(
    ("task", "shares"),
    [
        ("binary", [("yes", 6, 0.6), ("no", 4, 0.4)]),
        ("multiclass", [("Cash", 6, 0.6), ("Card", 3, 0.3), ("other", 1, 0.1)]),
        ("regression", []),
    ],
)
def test_how_often_each_label_is_there(tmp_path, task, shares):
    store = write_run(tmp_path, task=task)
    assert label_shares(gather(Graph(open_store(str(store))), "run-1").evaluation) == shares


# From histograms to curves, against scikit-learn.


@pytest.fixture(scope="module")
def scored():
    random = np.random.default_rng(5)
    labels = random.random(3000) < 0.3
    scores = np.clip(random.normal(0.4 + 0.3 * labels, 0.2), 0, 0.999)
    return labels, scores


@pytest.fixture(scope="module")
def picture(scored):
    labels, scores = scored
    bins = (scores * 1000).astype(int)
    positives = np.bincount(bins[labels], minlength=1000).tolist()
    negatives = np.bincount(bins[~labels], minlength=1000).tolist()
    return picture_of(ModelCurves([Scores(positives, negatives, 1000)]), [])


def test_the_matrix_at_every_threshold(scored, picture):
    labels, scores = scored
    [found] = picture.operating
    for place in (0, 37, 100, 151, 200):
        (tn, fp), (fn, tp) = confusion_matrix(labels, scores >= found.thresholds[place])
        assert (found.true_positives[place], found.false_positives[place]) == (tp, fp)
        assert (found.positives, found.negatives) == (tp + fn, tn + fp)


def test_the_roc_is_scikit_learns_at_those_thresholds(scored, picture):
    labels, scores = scored
    [found] = picture.operating
    rates, recalls, _ = roc_curve(labels, scores)
    ours = np.array(found.true_positives) / found.positives
    theirs = np.interp(np.array(found.false_positives) / found.negatives, rates, recalls)
    assert np.abs(ours - theirs).max() < 0.02  # they step, np.interp draws straight


def test_calibration_is_the_share_of_positives_in_each_tenth(scored, picture):
    labels, scores = scored
    [found] = picture.calibration
    tenths = np.minimum((scores * 10).astype(int), 9)
    for place, tenth in enumerate(np.unique(tenths)):
        assert found.rates[place] == pytest.approx(labels[tenths == tenth].mean())
        assert found.scores[place] == pytest.approx(scores[tenths == tenth].mean(), abs=0.001)
        assert found.weights[place] == (tenths == tenth).sum()


def test_recorded_curves_come_back_as_they_were():
    curves = Curves(ModelCurves([Scores([1.0, 0.5], [0.25], 10)], [[1.0]]), None)
    assert parse_curves(curves.to_text()) == curves
    assert curves.to_text().startswith('{"candidate":{"scores":[{"positives":[1,0.5]')
