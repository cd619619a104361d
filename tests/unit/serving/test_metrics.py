"""serving.server.metrics: what Prometheus reads, by its own parser."""

import json
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.server.metrics import Metrics

LIVE = SimpleNamespace(name="taxi", version=1796005143)


def samples(metrics):
    families = text_string_to_metric_families(metrics.text()[0].decode())
    return {(s.name, *s.labels.values()): s.value for f in families for s in f.samples}


def test_a_latency_is_in_every_bucket_from_its_own_on():
    metrics = Metrics(LIVE)
    for seconds in (0.001, 0.0011, 60.0):
        metrics.count("rest", "200", seconds)
    found = samples(metrics)
    buckets = {key[1]: v for key, v in found.items() if key[0] == "fareline_request_seconds_bucket"}
    assert (buckets["0.001"], buckets["0.0025"], buckets["5.0"], buckets["+Inf"]) == (1, 2, 2, 3)
    assert found["fareline_request_seconds_count", "rest"] == 3
    assert found["fareline_request_seconds_sum", "rest"] == pytest.approx(60.0021, abs=1e-9)
    assert found["fareline_model_version", "taxi"] == 1796005143
    assert not any(key[0].startswith("fareline_request_errors") for key in found)


def test_alarms_are_those_of_the_last_look_and_absent_before_it(tmp_path):
    path = tmp_path / "latest.json"
    metrics = Metrics(LIVE, str(path))
    assert not any(key[0] == "fareline_alarms" for key in samples(metrics))
    path.write_text(json.dumps({"at_ms": 5500, "alarms": {"performance": 2, "age": 0}}))
    found = samples(metrics)
    assert found["fareline_alarms", "performance"] == 2
    assert found["fareline_alarms", "age"] == 0
    assert found["fareline_monitored_timestamp_seconds",] == 5.5
