"""The page of a live model that is watched: estimate beside truth, by slice, alarms in words."""

import re

import pytest

from report.run.page import monitoring_page

WEEK_MS = 604_800_000


def figure(value):
    return {"value": value, "low": value - 0.02, "high": value + 0.02, "error": 0.01, "rows": 900}


def part(name, estimate, truth, rows=900, state="quiet"):
    return {
        "slice": name,
        "rows": rows,
        "state": state,
        "score": 0.3,
        "estimate": None if estimate is None else figure(estimate),
        "truth": None if truth is None else figure(truth),
        "difference": None if truth is None else truth - estimate,
        "findings": [{"kind": "integrity", "subject": "fare zeros", "said": "more"}],
    }


def content(windows=4, truth=0.7):
    shown = [
        {
            "start_ms": k * WEEK_MS,
            "end_ms": (k + 1) * WEEK_MS,
            "mature": True,
            "labelled": 0.95,
            "slices": [part("overall", 0.9, truth), part("<i>cash", None, None, 0, "too small")],
        }
        for k in range(windows)
    ]
    alarm = {"kind": "performance", "slice": "overall", "subject": "AUC", "said": "0.9 -> 0.7 <b>"}
    cause = {"kind": "performance", "said": "AUC: 0.9 -> 0.7 <b>"}
    return {
        "version": 1796005143,
        "state": "alarm",
        "alarms": [{**alarm, "windows": 2}],
        "decision": {"action": "retrain", "causes": [cause], "held_until": None},
        "reference": {"overall": figure(0.91), "<i>cash": None},
        "windows": shown,
    }


def test_it_shows_alarms_series_and_windows_and_takes_no_text_for_markup():
    page = monitoring_page("chicago-taxi", content(), "")
    assert "Alarm; decision: retrain" in page
    assert "AUC: 0.9 -&gt; 0.7 &lt;b&gt;" in page
    assert "<b>" not in page
    assert "<i>cash" not in page
    titles = re.findall(r"<title>(.*?)</title>", page)
    assert titles[1:] == [
        "AUC of overall over windows",
        "AUC of overall from labels minus expected AUC, over windows",
        "Rows of overall over windows",
    ]
    assert page.count("fare zeros") == 8
    assert page == monitoring_page("chicago-taxi", content(), "")


@pytest.mark.parametrize("windows", [0, 1])
def test_few_windows_or_none_are_a_page_too(windows):
    page = monitoring_page("chicago-taxi", content(windows), "")
    assert page.count("AUC of overall over windows") == min(windows, 1)


@pytest.mark.parametrize(
    ("hours", "last"), [(0.001, "00:00:14"), (6, "02. 00:00"), (24, "01-05"), (168, "01-29")]
)
def test_times_of_windows_differ_and_lie_within_the_picture(hours, last):
    shown = content(5)
    for place, window in enumerate(shown["windows"]):
        long_ms = round(hours * 3_600_000)
        window |= {"start_ms": place * long_ms, "end_ms": (place + 1) * long_ms}
    page = monitoring_page("chicago-taxi", shown, "")
    picture = re.search(r"<title>Rows of overall over windows</title>.*?</svg>", page, re.DOTALL)[0]
    found = re.findall(r'<text x="([\d.]+)"[^>]*class="tick middle">([^<]+)</text>', picture)
    assert len({words for _, words in found}) == len(found) == 5
    place, words = found[-1]
    assert words == last
    assert float(place) + len(words) * 3 <= 360


def test_it_does_not_claim_health_where_labels_are_missing():
    told = "Without labels of both values a change of concept cannot be seen."
    assert told in monitoring_page("chicago-taxi", content(truth=None), told)
    assert told not in monitoring_page("chicago-taxi", content(), "")
