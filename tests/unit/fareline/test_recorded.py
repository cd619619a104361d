"""Records: texts as older code wrote them are read and written back byte for byte.

The texts were taken from the store of a run before there were types for them; those of drift, gate
and a refused model from the functions that wrote them then.
"""

import dataclasses
import importlib
import json
import logging
import pkgutil
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fareline import recorded
from fareline.recorded import data, drift, evaluation, gate, texts, tuning, validation
from fareline.recorded.run import RunRecord

SHA256 = "cdaf0b5931442ef47693f408f25a37af710aca23fccb90a78f00930e89548805"
FILES = (
    '[{"path": "/data/simple/data.csv", "bytes": 1922812, "sha256": "' + SHA256 + '", '
    '"rows": 15002}]'
)
FILES_OF_TFX = '[{"path": "/data/data.csv", "bytes": 1922812, "sha256": "' + SHA256 + '"}]'
FILES_OF_A_QUERY = (
    '[{"path": "/data/a.csv", "bytes": 12, "sha256": "'
    + SHA256
    + '", "table": "trips, zones", "rows": 5}]'
)
SPANS = '[{"span": 1, "version": 1}, {"span": 2, "version": null}]'
METRICS = (
    '{"overall": {"example_count": 5019.0, "auc": 0.9557350823612882, "calibration": '
    '0.9731582340041551}, "slices": {"payment_type=Cash": {"example_count": 3337.0, "auc": '
    '0.7970014992503748, "pr_auc": 0.010963826575046782}, "payment_type=No Charge": '
    '{"example_count": 33.0, "auc": null}}}'
)
BLESSED = (
    '{"checks": [{"metric": "auc", "slice": "overall", "kind": "at_least", "bound": 0.94, "value": '
    '0.9557350823612882, "judged": 0.9557350823612882, "interval": null, "baseline": null, '
    '"examples": 5019, "passed": true, "not_counted": "", "group": "", "best": null, "worst": '
    'null, "counted": true}], "gaps": [{"metric": "auc", "slices": "trip_miles", "gap": '
    '0.10827336969142198, "best": ["trip_miles=below 1", 0.968355674218171], "worst": '
    '["trip_miles=5 to below 10", 0.860082304526749], "count": 4}], "worst": [{"name": '
    '"payment_type=Credit Card", "metrics": {"example_count": 1638.0, "auc": 0.6716109452942559}}],'
    ' "main_metric": "auc", "min_slice_examples": 50, "min_label_examples": 10, "baseline_id": '
    'null, "passed": true, "blessed": true, "tfma_refusals": []}'
)
REFUSED = (
    '{"checks": [{"metric": "auc", "slice": "payment_type=Cash", "kind": "at_least", "bound": 0.5, '
    '"value": null, "judged": null, "interval": [0.1, 0.2], "baseline": null, "examples": 12, '
    '"passed": false, "not_counted": "", "group": "payment_type", "best": null, "worst": null, '
    '"counted": true}, {"metric": "auc", "slice": "payment_type", "kind": "max_gap", "bound": 0.1, '
    '"value": 0.25, "judged": 0.25, "interval": null, "baseline": null, "examples": null, '
    '"passed": false, "not_counted": "", "group": "", "best": ["payment_type=Cash", 0.9], "worst": '
    '["payment_type=Bär", null], "counted": true}, {"metric": "auc", "slice": "x=1", "kind": '
    '"at_most", "bound": 1, "value": null, "judged": null, "interval": null, "baseline": null, '
    '"examples": null, "passed": null, "not_counted": "12 examples, fewer than 50", "group": "", '
    '"best": null, "worst": null, "counted": false}], "gaps": [{"metric": "auc", "slices": '
    '"payment_type", "gap": null, "best": ["a", 0.9], "worst": ["b", null], "count": 3}], "worst": '
    '[{"name": "b", "metrics": {"auc": null, "example_count": 12.0}}], "main_metric": "auc", '
    '"min_slice_examples": 50, "min_label_examples": 10, "baseline_id": 7, "passed": false, '
    '"blessed": false, "tfma_refusals": ["auc is 0.1; expected ≥ 0.5"]}'
)
DRIFTED = (
    '[{"against": "previous", "column": "färe", "policy": "warn", "said": "share of Cash 50.0 % -> '
    '70.0 % (l_infinity 0.2000, threshold 0.0301)"}]'
)
DECISIONS = (
    '[{"column": "payment_type", "kind": "ENUM_TYPE_UNEXPECTED_STRING_VALUES", "found": "Examples '
    'contain values missing from the schema: Prcard (<1%).", "splits": ["eval", "train"], "action":'
    ' "stop", "by": "gate.default", "reason": "", "expected": "expected one of: Cash, Credit Card",'
    ' "rows": 17, "example": "Prcärd", "who": "the schema"}, {"column": "(data set)", "kind": '
    '"FEW", "found": "too few", "splits": ["train"], "action": "warn", "by": "gate.rules.0", '
    '"reason": "known till May", "expected": "at least 10", "rows": null, "example": null, "who": '
    '"gate.coverage"}]'
)
NODES = '["BaselineResolver", "CuratedSchema", "ExampleGen"]'
PACKAGES = '{"absl-py": "1.4.0", "aiohttp": "3.14.5"}'
BUDGETS = (
    '{"latency_ms": {"batch_1": {"p50": 100.0, "p95": 400.0, "p99": 1000.0}}, "load_seconds": 60.0,'
    ' "memory_mb": 2048.0, "tolerance": 0.0001}'
)
HYPERPARAMETERS = '{"learning_rate": 0.0023821126883484716, "width": 64, "embedding_size": 8}'


@dataclasses.dataclass
class Element:
    properties: dict
    key: str = "Thing:7"
    uri: str = "/there"


def described(files):
    return data.source_files_text(file.to_json() for file in files)


# Name of the property, text, how it is read, how what was read is written.
RECORDS = {
    "files": (recorded.SOURCE_FILES, FILES, data.source_files, described),
    "files of TFX's reader": (recorded.SOURCE_FILES, FILES_OF_TFX, data.source_files, described),
    "files of a query": (recorded.SOURCE_FILES, FILES_OF_A_QUERY, data.source_files, described),
    "spans": (recorded.SPANS, SPANS, data.spans_of, data.spans_text),
    "metrics": (
        recorded.METRICS,
        METRICS,
        evaluation.read_metrics,
        evaluation.Metrics.to_text,
    ),
    "blessed": (
        recorded.VERDICT,
        BLESSED,
        evaluation.verdict_of,
        evaluation.VerdictRecord.to_text,
    ),
    "refused": (
        recorded.VERDICT,
        REFUSED,
        evaluation.verdict_of,
        evaluation.VerdictRecord.to_text,
    ),
    "drifted": (recorded.DRIFTED, DRIFTED, drift.drifted_of, drift.drifted_text),
    "no drift": (recorded.DRIFTED, "[]", drift.drifted_of, drift.drifted_text),
    "decisions": (recorded.DECISIONS, DECISIONS, gate.decisions_of, gate.decisions_text),
    "no decision": (recorded.DECISIONS, "[]", gate.decisions_of, gate.decisions_text),
    "hyperparameters": (
        recorded.HYPERPARAMETERS,
        HYPERPARAMETERS,
        tuning.hyperparameters_of,
        texts.text_of,
    ),
    "budgets": (recorded.BUDGETS, BUDGETS, validation.budgets_of, validation.budgets_text),
    "nodes": (recorded.NODES, NODES, lambda e: RunRecord(e.properties).nodes, texts.text_of),
    "overrides": (
        recorded.OVERRIDES,
        '["seed=3"]',
        lambda e: RunRecord(e.properties).overrides,
        texts.text_of,
    ),
    "packages": (
        recorded.PACKAGES,
        PACKAGES,
        lambda e: RunRecord(e.properties).packages,
        texts.text_of,
    ),
}


@pytest.mark.parametrize("kind", RECORDS)
def test_what_older_code_wrote_is_written_back_byte_for_byte(kind):
    name, text, read, write = RECORDS[kind]
    assert write(read(Element({name: text}))) == text


@pytest.mark.parametrize("kind", RECORDS)
def test_what_is_not_there_is_nothing_and_nothing_is_said(kind, caplog):
    _, _, read, _ = RECORDS[kind]
    assert not read(Element({}))
    assert caplog.messages == []


@pytest.mark.parametrize("broken", ["", "{", "no JSON", "7", '"text"', "null", "[" * 100_000, 7])
@pytest.mark.parametrize("kind", RECORDS)
def test_what_cannot_be_read_is_nothing_and_is_said_once(kind, broken, caplog):
    name, _, read, _ = RECORDS[kind]
    texts._say_unreadable.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert not read(Element({name: broken}))
        assert not read(Element({name: broken}))
    [said] = caplog.messages
    owner = "a run" if kind in ("nodes", "overrides", "packages") else "Thing:7"
    assert said.startswith(f"the record {name!r} of {owner} cannot be read (")
    assert said.endswith("); it is left out")


def test_where_a_record_is_broken_is_said_without_its_values(caplog):
    texts._say_unreadable.cache_clear()
    text = METRICS.replace('"auc": null', '"auc": "secret"')
    assert evaluation.read_metrics(Element({recorded.METRICS: text}, "Model\x1b[31m:7")) is None
    [said] = caplog.messages
    assert "slices.payment_type=No Charge.auc" in said
    assert "secret" not in said and "\x1b" not in said


def test_what_a_later_version_adds_is_left_out():
    def extended(content):
        if isinstance(content, list):
            return [extended(each) for each in content]
        if isinstance(content, dict):
            return {k: extended(v) for k, v in content.items()} | {"of_later": [1]}
        return content

    for name, text, read, write in (RECORDS["refused"], RECORDS["drifted"], RECORDS["decisions"]):
        content = extended(json.loads(text))
        if name == recorded.VERDICT:
            del content["worst"][0]["metrics"]["of_later"]  # there every name is a metric
        assert write(read(Element({name: json.dumps(content)}))) == text


def test_what_an_earlier_version_lacked_has_its_meaning():
    decision = json.loads(DECISIONS)[0]
    for name in ("rows", "example", "who"):
        del decision[name]
    [read] = gate.decisions_of(Element({recorded.DECISIONS: json.dumps([decision])}))
    assert (read.rows, read.example, read.who) == (None, None, "the schema")
    verdict = json.loads(REFUSED)
    for name in ("min_label_examples", "tfma_refusals", "gaps"):
        del verdict[name]
    read = evaluation.verdict_of(Element({recorded.VERDICT: json.dumps(verdict)}))
    assert (read.min_label_examples, read.tfma_refusals, read.gaps) == (None, (), ())
    assert evaluation.metrics_of(Element({recorded.METRICS: '{"overall": {"auc": 1}}'})) == {
        "auc": 1
    }


def test_undefined_numbers_are_written_as_null():
    metrics = evaluation.Metrics({"auc": float("nan")}, {"a": {"auc": float("inf"), "n": 1.0}})
    assert metrics.to_text() == (
        '{"overall": {"auc": null}, "slices": {"a": {"auc": null, "n": 1.0}}}'
    )


def test_spans_are_read_as_numbers_or_as_texts():
    assert data.spans_of(Element({"span": "3", "version": 2})) == [(3, 2)]
    assert data.spans_of(Element({recorded.SPANS: '[{"span": "5"}, 7, {"span": "x"}]'})) == [
        (5, None)
    ]
    assert data.spans_in_words(Element({recorded.SPANS: SPANS})) == "1 to 2"


def test_a_gate_does_not_go_on_with_what_it_cannot_read():
    assert drift.drifted_in_report('{"reference": null, "drifted": [], "previous": {}}') == []
    for text in ("", "{}", '{"drifted": [{"column": "fare"}]}'):
        with pytest.raises(ValueError):
            drift.drifted_in_report(text)
    for text in ("", "{}", '[{"column": "fare"}]'):
        with pytest.raises(ValueError):
            gate.parse_decisions(text)


NUMBERS = st.one_of(st.none(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False))
VALUES = st.dictionaries(st.text(max_size=5), NUMBERS, max_size=3)


@given(overall=VALUES, slices=st.dictionaries(st.text(max_size=5), VALUES, max_size=3))
def test_any_metrics_come_back(overall, slices):
    text = evaluation.Metrics(overall, slices).to_text()
    read = evaluation.read_metrics(Element({recorded.METRICS: text}))
    assert read.to_text() == text


def test_every_record_is_frozen():
    modules = [
        importlib.import_module(f"fareline.recorded.{module.name}")
        for module in pkgutil.iter_modules(recorded.__path__)
    ]
    kinds = [
        kind
        for module in modules
        for kind in vars(module).values()
        if dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__
    ]
    assert len(kinds) >= 10
    assert [kind for kind in kinds if not kind.__dataclass_params__.frozen] == []
    assert all(typing.get_type_hints(kind) for kind in kinds)
