"""The typed section `beam`: which engine runs the Beam pipelines of a run on this machine.

Every meaning stands in pipeline/configs/taxi.yaml and docs/scale.md. Called by
pipeline.settings.settings. Imports no TFX and no TensorFlow.
"""

import re
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from pipeline.settings.values import Section

BeamNode = Literal["ExampleGen", "StatisticsGen", "Transform", "Evaluator"]
Engine = Literal["direct", "processes", "flink", "spark", "prism"]
DIRECT: Engine = "direct"
PROCESSES: Engine = "processes"
# Those that a job server stands before: Beam's portable API is all that is asked of them.
SERVED: tuple[Engine, ...] = ("flink", "spark", "prism")
# Engines of Beam that are not taken: why, and what is expected.
_REFUSED = {
    "dask": "Beam's Dask runner counts wrong without an error; expected one of "
    + ", ".join((DIRECT, PROCESSES, *SERVED)),
    "dataflow": "workers of Dataflow cannot read a workspace on this machine; expected "
    "runners.vertex.beam: dataflow, and `fareline submit vertex`",
}

_MOST_PARALLEL = 32768  # of Flink, which has the lowest limit


def _refuse(value: Any) -> Any:
    if isinstance(value, str) and value.lower() in _REFUSED:
        raise ValueError(_REFUSED[value.lower()])
    return value


def _require_endpoint(value: str) -> str:
    if not re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}", value):
        raise ValueError("expected HOST:PORT, such as localhost:8099")
    if not 0 < int(value.rpartition(":")[2]) < 65536:
        raise ValueError("expected a port from 1 to 65535")
    return value


Endpoint = Annotated[str, pydantic.AfterValidator(_require_endpoint)]
Chosen = Annotated[Engine, pydantic.BeforeValidator(_refuse)]


class Processes(Section):
    """Workers that are processes on this machine; each takes 0.6 GB of memory and more."""

    workers: Annotated[int, Field(ge=2, le=256, strict=True)] = 2


class JobServer(Section):
    """An engine behind a job server of Beam.

    Attributes:
        job_endpoint: HOST:PORT of the job server.
        workers: What runs our functions: this process (`loopback`), processes that the engine
            starts on its machines (`processes`), or a worker pool beside it (`pool`).
        command: The program that starts a worker on the engine's machines; None: where it is here.
        pool: HOST:PORT of the pool.
        parallelism: Number of parallel tasks of a stage; None: the engine's default.
    """

    job_endpoint: Endpoint
    workers: Literal["loopback", "processes", "pool"] = "loopback"
    command: Annotated[str, Field(min_length=1)] | None = None
    pool: Endpoint | None = None
    parallelism: Annotated[int, Field(ge=1, le=_MOST_PARALLEL, strict=True)] | None = None

    @pydantic.field_validator("command", "pool")
    @classmethod
    def _for_its_workers(cls, value: str | None, info: pydantic.ValidationInfo):
        wanted = {"command": "processes", "pool": "pool"}[info.field_name or ""]
        if value is not None and info.data.get("workers", wanted) != wanted:
            raise ValueError(f"expected null unless workers is {wanted}")
        return value

    @pydantic.model_validator(mode="after")
    def _pool_has_an_address(self) -> "JobServer":
        if self.workers == "pool" and self.pool is None:
            raise ValueError("expected pool: HOST:PORT with workers: pool")
        return self


class Beam(Section):
    """Engines of the Beam pipelines of a run on this machine.

    Attributes:
        engine: Engine of all components that use Beam.
        components: Exceptions, by component.
    """

    processes: Processes = Processes()
    flink: JobServer | None = None
    spark: JobServer | None = None
    prism: JobServer | None = None
    engine: Chosen = DIRECT
    components: dict[BeamNode, Chosen] = Field(default_factory=dict)

    @pydantic.field_validator("engine")
    @classmethod
    def _is_described(cls, engine: Engine, info: pydantic.ValidationInfo):
        if engine in SERVED and info.data.get(engine, True) is None:
            raise ValueError(f"expected beam.{engine} with the job_endpoint of its job server")
        return engine

    @pydantic.field_validator("components")
    @classmethod
    def _are_described(cls, components: dict[BeamNode, Engine], info: pydantic.ValidationInfo):
        for engine in components.values():
            cls._is_described(engine, info)
        return components

    def engine_of(self, node: str) -> Engine:
        """The engine of a component."""
        return self.components.get(node, self.engine)  # type: ignore[call-overload]

    def by_node(self) -> dict[str, Engine]:
        """The engine of each component that another one than `direct` runs."""
        nodes: tuple[BeamNode, ...] = BeamNode.__args__  # type: ignore[attr-defined]
        chosen = {node: self.engine_of(node) for node in nodes}
        return {node: engine for node, engine in chosen.items() if engine != DIRECT}

    def server_of(self, engine: Engine) -> JobServer:
        """Settings of an engine behind a job server."""
        return getattr(self, engine)
