"""`fareline serve`: the live model over TensorFlow Serving's gRPC and REST APIs.

Registered in `cli.app`. The command decides what to serve and where; `serving.server.server` does
it. Imports what it needs inside the functions, so that other commands start at once.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import (
    DEFAULT_WORKSPACE,
    ConfigOption,
    HostOption,
    LogShareOption,
    ModelDirOption,
    WorkspaceOption,
    name_option,
    vertex_option,
)
from fareline import collector
from fareline.errors import UserMistake
from fareline.scratch import scratch_folder
from runners.publishing.live_model import push_folder, quieten_tensorflow, require_model
from runners.publishing.prediction_log import open_log

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings
    from runners.workspace import Workspace

GRPC_PORT, REST_PORT = 8500, 8501  # TensorFlow Serving's own
POLL_SECONDS = 1.0
DRAIN_SECONDS = 10.0
_HERE, _EVERYWHERE = "127.0.0.1", "0.0.0.0"
_PORT_RANGE = {"min": 0, "max": 65535}


def serve(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    model_dir: ModelDirOption = None,
    config: ConfigOption = None,
    name: Annotated[
        str | None,
        name_option("Model name.", "the pipeline's, or the folder's"),
    ] = None,
    host: HostOption = _HERE,
    grpc_port: Annotated[
        int, typer.Option("--grpc-port", help="Port; 0 selects a free one.", **_PORT_RANGE)
    ] = GRPC_PORT,
    rest_port: Annotated[
        int, typer.Option("--rest-port", help="Port; 0 selects a free one.", **_PORT_RANGE)
    ] = REST_PORT,
    log_share: LogShareOption = 0.0,
    vertex: Annotated[
        bool,
        vertex_option("Serve in a container of Vertex AI, whose variables name model and port."),
    ] = False,
) -> None:
    """Serve the live model over gRPC and REST until Ctrl-C. Loads new versions by itself."""
    with contextlib.ExitStack() as until_the_end:
        if vertex:
            model_dir, rest_port = until_the_end.enter_context(_fetched_from_vertex(model_dir))
            host = _EVERYWHERE if host == _HERE else host
            grpc_port = 0  # Vertex asks over REST alone
        _serve(workspace, model_dir, config, name, (host, grpc_port, rest_port), log_share)


def _serve(
    workspace: Path,
    model_dir: Path | None,
    config: Path | None,
    name: str | None,
    address: tuple[str, int, int],
    log_share: float,
) -> None:
    """Serves at host, port of gRPC and port of REST."""
    from pipeline.rules.settings import require_no_features_that_are_pseudonyms
    from pipeline.settings.load import load_settings
    from runners.workspace import Workspace
    from serving.model.start import leave_out_optional_packages
    from serving.model.tensorflow_parts import load_parts

    settings, alarms = load_settings(config), None
    require_no_features_that_are_pseudonyms(settings)
    if model_dir is not None:
        base = model_dir.resolve()
        name = name or base.name
        # The default settings say nothing of a folder from elsewhere.
        required = _required_columns(settings) if config else frozenset()
    else:
        name = name or settings.name
        base = push_folder(settings, Workspace(workspace.resolve()), name)
        required = _required_columns(settings) if name == settings.name else frozenset()
        _settle(base, Workspace(workspace.resolve()))
        alarms = str(Workspace(workspace.resolve()).alarms_path(name))
    require_model(base, "--workspace", "--name", "--model-dir")

    quieten_tensorflow()
    leave_out_optional_packages()
    with collector.paused():
        load_parts()
        from serving.server.server import ServeOptions, run_server

    log = open_log(workspace.resolve(), log_share, settings, base, _tell)
    host, grpc_port, rest_port = address
    options = ServeOptions(
        name=name,
        base=str(base),
        host=host,
        grpc_port=grpc_port,
        rest_port=rest_port,
        poll_seconds=POLL_SECONDS,
        drain_seconds=DRAIN_SECONDS,
        required=required,
        entity=settings.feedback.entity,
        request_log=log,
        alarms_path=alarms,
        tell=_tell,
    )
    run_server(options)


@contextlib.contextmanager
def _fetched_from_vertex(model_dir: Path | None) -> Iterator[tuple[Path, int]]:
    """The folder with the model of this container, while the block lasts, and its port."""
    from runners.platforms.vertex.container import Container

    if model_dir is not None:
        raise UserMistake.explain(
            "serve --vertex",
            "found --model-dir as well",
            "expected the model that Vertex AI names",
            "leave one of them out",
        )
    container = Container.read(os.environ)
    with scratch_folder("fareline-serve-") as folder:
        yield container.fetch(Path(folder)), container.port


def _settle(base: Path, workspace: "Workspace") -> None:
    """Records what a killed run has published, and says so."""
    from serving.versions.notes import read_notes

    if read_notes(str(base)):  # rare; so ML Metadata is not loaded otherwise
        from runners.publishing.interrupted import settle_when_idle

        for line in settle_when_idle(workspace, [base]):
            _tell(line)


def _tell(line: str) -> None:
    sys.stderr.write(f"fareline: {line}\n")


def _required_columns(settings: "Settings") -> frozenset[str]:
    """The columns that a row must have when a prediction is asked for, by the curated schema."""
    from schema.curated import columns_in_environment, load_schema, schema_path

    if settings.schema_ is None:
        return frozenset()
    contract = load_schema(schema_path(settings.schema_, settings.path.parent))
    always = {each.name for each in contract.feature if each.presence.min_fraction >= 1.0}
    return frozenset(always.intersection(columns_in_environment(contract, "SERVING")))
