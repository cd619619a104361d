"""How many predictions the versions on an endpoint have given lately, as Cloud Monitoring counts.

Over REST: Google's client of Cloud Monitoring speaks gRPC alone, and one request is enough. Called
by `cli.models`.
"""

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from fareline.errors import FarelineError
from runners.platforms.vertex.connection import credentials_for, is_loopback
from runners.platforms.vertex.errors import api_errors, explained
from runners.platforms.vertex.target import ADVICE, Target

HOURS = 24
_ADDRESS = "https://monitoring.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/monitoring.read"
# Source: Google's list of metrics, "aiplatform": an int64 per minute, with deployed_model_id.
_METRIC = "aiplatform.googleapis.com/prediction/online/prediction_count"
_LABEL = "deployed_model_id"
_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class Seen:
    """The predictions of the last 24 hours.

    Attributes:
        by_deployment: Id of the deployed model to its predictions; one without any is absent.
        unknown_because: Why they are not known, in one line; empty if they are.
    """

    by_deployment: Mapping[str, int]
    unknown_because: str = ""

    def of(self, deployment_id: str) -> int | None:
        """Predictions of a deployment; None if they are not known."""
        return None if self.unknown_because else self.by_deployment.get(deployment_id, 0)


def requests_seen(target: Target) -> Seen:
    """Asks for the predictions of each version that is deployed; never fails."""
    try:
        return Seen(_ask(target))
    except FarelineError as error:
        return Seen({}, str(error))
    except (AttributeError, TypeError, ValueError) as error:
        return Seen({}, f"the answer of Cloud Monitoring cannot be read ({type(error).__name__}).")


def _ask(target: Target) -> dict[str, int]:
    address = target.address if is_loopback(target.address) else _ADDRESS
    advice = dataclasses.replace(ADVICE, role="roles/monitoring.viewer on the project")
    end = datetime.datetime.now(datetime.timezone.utc)
    start = end - datetime.timedelta(hours=HOURS)
    asked = {
        "filter": f'metric.type = "{_METRIC}" AND resource.labels.endpoint_id = '
        f'"{target.settings.endpoint}"',
        "interval.startTime": start.isoformat(timespec="seconds"),
        "interval.endTime": end.isoformat(timespec="seconds"),
        "aggregation.alignmentPeriod": f"{HOURS * 3600}s",
        "aggregation.perSeriesAligner": "ALIGN_SUM",
        "aggregation.crossSeriesReducer": "REDUCE_SUM",
        "aggregation.groupByFields": f"metric.labels.{_LABEL}",
    }
    with explained(advice, address, f"the predictions of {target.endpoint}"):
        with _session(address) as session:
            url = f"{address}/v3/projects/{target.project}/timeSeries"
            answer = session.get(url, params=asked, timeout=_SECONDS)
        if not answer.ok:
            raise api_errors().from_http_response(answer)
        content = answer.json()
    counts: dict[str, int] = {}
    for series in content.get("timeSeries") or ():
        identity = series.get("metric", {}).get("labels", {}).get(_LABEL, "")
        points = [each.get("value", {}) for each in series.get("points", ())]
        found = sum(int(each.get("int64Value") or 0) for each in points)
        counts[identity] = counts.get(identity, 0) + found
    return counts


def _session(address: str) -> Any:
    import google.auth
    from google.auth.transport.requests import AuthorizedSession

    anonymous = credentials_for(address)
    return AuthorizedSession(anonymous or google.auth.default(scopes=[_SCOPE])[0])
