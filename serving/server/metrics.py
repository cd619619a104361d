"""Metrics for Prometheus at `/metrics`: requests, errors, latency, version, alarms.

Counts plain numbers; prometheus_client is imported at the first request of `/metrics`, not while a
server starts. Called by `serving.server.rest_api` and `serving.server.grpc_api`. Must not import
TFX.
"""

import bisect
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from serving.server.live import LiveModel

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_FINE = ("OK", "200")


class Metrics:
    """The counts of one server.

    Args:
        live: The model.
        alarms_path: File that `fareline monitor` writes its last answer to, if there is one.
    """

    def __init__(self, live: LiveModel, alarms_path: str | None = None):
        self._live = live
        self._alarms_path = alarms_path
        self._answered: Counter[tuple[str, str]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()

    def count(self, protocol: str, code: str, seconds: float) -> None:
        """Counts a request for a prediction.

        Args:
            protocol: `grpc` or `rest`.
            code: Code of its answer, as the protocol has it.
            seconds: Duration of the request.
        """
        self._answered[protocol, code] += 1
        buckets = self._buckets.setdefault(protocol, [0] * (len(_SECONDS) + 1))
        buckets[bisect.bisect_left(_SECONDS, seconds)] += 1
        self._seconds[protocol] += seconds

    def text(self) -> tuple[bytes, str]:
        """The text for Prometheus, and its media type."""
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry), CONTENT_TYPE_LATEST

    def describe(self) -> list[Any]:
        """Returns no metrics, so that the registry does not collect in order to know the names."""
        return []

    def collect(self) -> Iterator[Any]:
        """The figures, as prometheus_client asks for them."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        requests = CounterMetricFamily(
            "fareline_requests", "Requests for a prediction.", labels=["protocol"]
        )
        failed = CounterMetricFamily(
            "fareline_request_errors", "Those without an answer.", labels=["protocol", "code"]
        )
        latency = HistogramMetricFamily(
            "fareline_request_seconds", "How long answers took.", labels=["protocol"]
        )
        for protocol, buckets in sorted(self._buckets.items()):
            requests.add_metric([protocol], sum(buckets))
            latency.add_metric([protocol], _summed(buckets), self._seconds[protocol])
        for (protocol, code), count in sorted(self._answered.items()):
            if code not in _FINE:
                failed.add_metric([protocol, code], count)
        version = GaugeMetricFamily(
            "fareline_model_version", "Version that is served.", labels=["model"]
        )
        version.add_metric([self._live.name], self._live.version)
        yield from (requests, failed, latency, version)
        told = self._read_alarms()
        if told is not None:
            alarms = GaugeMetricFamily(
                "fareline_alarms", "Alarms of the last `fareline monitor`.", labels=["kind"]
            )
            for kind, count in sorted(told["alarms"].items()):
                alarms.add_metric([kind], count)
            yield alarms
            yield GaugeMetricFamily(
                "fareline_monitored_timestamp_seconds",
                "When `fareline monitor` looked last.",
                value=told["at_ms"] / 1000,
            )

    def _read_alarms(self) -> dict[str, Any] | None:
        if self._alarms_path is None:
            return None
        try:
            with open(self._alarms_path, encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):  # not monitored yet
            return None


def _summed(buckets: list[int]) -> list[tuple[str, float]]:
    """Requests that took at most so long, as Prometheus counts them."""
    found, so_far = [], 0
    for limit, count in zip((*map(str, _SECONDS), "+Inf"), buckets, strict=True):
        so_far += count
        found.append((limit, so_far))
    return found
