"""The typed section `loop`: triggers of decisions of `fareline loop`, and notifications.

Every meaning stands in pipeline/configs/taxi.yaml. Called by pipeline.settings.settings. Imports no
TFX and no TensorFlow.
"""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from pipeline.settings.conditions import Conditions
from pipeline.settings.runners import RunnerName, Url
from pipeline.settings.running.cron import require_cron
from pipeline.settings.values import Positive, Section

Event = Literal["pushed", "refused", "stopped", "failed", "rolled_back", "succeeded", "alarm"]
EVENTS_WITH_METRICS = ("pushed", "refused")  # of a run here that has evaluated a model
Port = Annotated[int, Field(ge=0, le=65535, strict=True)]


class Hook(Section):
    """A receiver of events.

    Attributes:
        events: Events that are sent to it.
        command: Program and arguments; it gets the event as JSON on its standard input.
        url: Address that gets the event as a signed POST.
        when: Conditions on the metrics of the run; the event is sent only if all hold.
    """

    events: Annotated[list[Event], Field(min_length=1)]
    command: Annotated[list[str], Field(min_length=1)] | None = None
    url: Url | None = None
    when: Conditions

    @pydantic.model_validator(mode="after")
    def _one_way(self) -> "Hook":
        if (self.command is None) == (self.url is None):
            raise ValueError("expected either command or url")
        return self

    @pydantic.model_validator(mode="after")
    def _has_metrics(self) -> "Hook":
        if self.when and (others := [e for e in self.events if e not in EVENTS_WITH_METRICS]):
            raise ValueError(
                f"expected when with the events {' and '.join(EVENTS_WITH_METRICS)} only: "
                f"{others[0]} has no metrics"
            )
        return self


class Loop(Section):
    """Settings that keep a model fresh on one machine.

    Attributes:
        every_minutes: Minutes between passes, which seal spans and watch the live model.
        new_data: Whether a new span or file starts a retraining.
        runner: Cluster that a retraining is sent to; None: it runs on this machine.
        cron: Schedule of retrainings, here or in an exported file; None: no schedule.
        host: Address for signed requests.
        port: Port for requests; None: no requests are accepted.
        hooks: Receivers of events.
    """

    every_minutes: Positive = 60
    new_data: Annotated[bool, Field(strict=True)] = True
    runner: RunnerName | None = None
    cron: Annotated[str, pydantic.AfterValidator(require_cron)] | None = None
    host: str = "127.0.0.1"
    port: Port | None = None
    hooks: list[Hook] = Field(default_factory=list)
