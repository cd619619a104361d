"""Cloud Monitoring's list of time series over REST, for the predictions of an endpoint.

The names of enumerations are those of Google's own client; filters are the one form that is asked.
"""

import datetime
import re
import warnings
from typing import Any

from tests.loopback.http_server import Refused, Request
from tests.loopback.vertex_models import VertexModelsApi

_FILTER = re.compile(
    r'metric\.type = "aiplatform\.googleapis\.com/prediction/online/prediction_count" AND '
    r'resource\.labels\.endpoint_id = "(?P<endpoint>[^"]+)"'
)


class Monitoring:
    """The time series of a project.

    Attributes:
        may_read: Whether the caller has `monitoring.timeSeries.list`.
        predictions: Id of a deployed model to its predictions of a day; one without is absent.
    """

    def __init__(self, api: VertexModelsApi):
        self.api = api
        self.may_read = True
        self.predictions: dict[str, int] = {}
        api.route("GET", r"/v3/projects/(?P<project>[^/]+)/timeSeries", self.list_series)

    def list_series(self, request: Request) -> dict[str, Any]:
        project, query = request.parts["project"], request.query
        if not self.may_read or project != self.api.project:
            raise Refused(
                403, "Permission monitoring.timeSeries.list denied (or it may not exist)."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on the age of the Python that TFX needs
            from google.cloud.monitoring_v3 import Aggregation
        asked = _FILTER.fullmatch(query.get("filter", ""))
        if asked is None:
            raise Refused(400, "The filter is invalid.")
        for name, kind in (
            ("perSeriesAligner", Aggregation.Aligner),
            ("crossSeriesReducer", Aggregation.Reducer),
        ):
            if query[f"aggregation.{name}"] not in kind.__members__:
                raise Refused(400, f"Invalid value at 'aggregation.{name}'.")
        start, end = (
            datetime.datetime.fromisoformat(query[f"interval.{name}Time"])
            for name in ("start", "end")
        )
        if start >= end or query["aggregation.groupByFields"] != "metric.labels.deployed_model_id":
            raise Refused(400, "The interval or the grouping is invalid.")
        endpoint = self.api.endpoints.get(asked["endpoint"], {"deployedModels": []})
        ids = [each["id"] for each in endpoint["deployedModels"] if each["id"] in self.predictions]
        interval = {"startTime": query["interval.startTime"], "endTime": query["interval.endTime"]}
        return {
            "timeSeries": [
                {
                    "metric": {"labels": {"deployed_model_id": each}},
                    "points": [
                        {
                            "interval": interval,
                            "value": {"int64Value": str(self.predictions[each])},
                        }
                    ],
                }
                for each in ids
            ]
        }
