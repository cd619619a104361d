"""`fareline predict`: the live model over a file of rows.

Registered in `cli.app`. The command decides what rows must be like and which model answers;
`runners.publishing.batch_prediction` does it. Imports what it needs inside the functions, so that
other commands start at once; what is wrong with the input is said before TensorFlow is loaded.
"""

import contextlib
import dataclasses
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    ConfigOption,
    JsonOption,
    LogShareOption,
    ModelDirOption,
    WorkspaceOption,
    output_option,
    vertex_option,
)
from cli.views.prediction_on_vertex import (
    answered_on_vertex,
    find_live_on_vertex,
    refuse_with_vertex,
)
from fareline import collector
from fareline.errors import UserMistake
from runners.publishing.live_model import push_folder, quieten_tensorflow, require_model
from runners.publishing.prediction_log import closing, noting, open_log

if TYPE_CHECKING:
    from data.reading.rows import Rows, Wanted
    from pipeline.settings.settings import Settings
    from runners.platforms.vertex.batch.prediction import LiveOnVertex
    from runners.publishing.batch_prediction import Counts, Job
    from serving.model.batch import BatchPredictor

BATCH_SIZE = 1024
MAX_BAD_SHARE = 0.001
_TELL_SECONDS, _TELL_SECONDS_TERMINAL = 10.0, 0.5


def predict(
    input_path: Annotated[
        Path,
        typer.Option(
            "--input", metavar="FILE", help="Rows: .csv, .jsonl (also .gz), .parquet or .arrow."
        ),
    ],
    output: Annotated[
        Path,
        output_option("FILE", "Predictions: .csv, .jsonl or .parquet."),
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    model_dir: ModelDirOption = None,
    config: ConfigOption = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="Rows per call of the model.")
    ] = BATCH_SIZE,
    max_bad_share: Annotated[
        float,
        typer.Option(
            "--max-bad-share",
            min=0.0,
            max=1.0,
            help="Highest share of bad rows; above it the command fails.",
        ),
    ] = MAX_BAD_SHARE,
    log_share: LogShareOption = 0.0,
    vertex: Annotated[
        bool, vertex_option("Predict by a job on Vertex AI, with the version that is live there.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Predict every row of a file with the live model; bad rows go to OUTPUT.quarantine.jsonl."""
    import time

    from data.writing.rows import require_writable
    from pipeline.rules.settings import require_no_features_that_are_pseudonyms
    from pipeline.settings.load import load_settings

    start = time.monotonic()
    settings = load_settings(config)
    require_no_features_that_are_pseudonyms(settings)
    base = None
    if vertex:
        refuse_with_vertex(model_dir=model_dir, log_share=log_share)
    else:
        base = _local_base(settings, workspace, model_dir)
    require_writable(output)
    if output.exists() and input_path.exists() and output.samefile(input_path):
        expected = "expected a file of its own"
        raise UserMistake.explain(str(output), "is the input", expected, "name another --output")
    # The default settings say nothing of a folder from elsewhere.
    wanted = None if model_dir is not None and config is None else _wanted_by_schema(settings)
    if wanted is not None:
        features = {column for _, column in settings.features.columns()}
        next(_read(input_path, _only(wanted, features), settings), None)

    on_vertex = find_live_on_vertex(workspace.resolve(), settings) if vertex else None
    predictor = _load(base, on_vertex)
    from runners.publishing.batch_prediction import Job, Progress, predict_file

    wanted = _agree(wanted, predictor)
    columns = frozenset(predictor.columns)
    log = base and open_log(workspace.resolve(), log_share, settings, base, _tell, is_job=True)
    entity = settings.feedback.entity
    note = log and noting(log, predictor)
    job = Job(input_path, output, columns, batch_size, max_bad_share, note, entity)
    terminal = sys.stderr.isatty()
    progress = Progress(_tell, _TELL_SECONDS)
    if terminal:
        progress = Progress(_tell_over, _TELL_SECONDS_TERMINAL)
    began = time.monotonic()

    def read() -> "Iterator[Rows]":
        return _read(input_path, wanted, settings)

    answering = contextlib.nullcontext((None, predictor))
    if on_vertex is not None:
        answering = answered_on_vertex(on_vertex, predictor, job, read, _tell)
    try:
        with closing(log), answering as (job_name, answers):
            counts = predict_file(job, read(), answers, progress.update)
    finally:
        sys.stderr.write("\r\x1b[2K" if terminal else "")
    seconds = {"seconds": time.monotonic() - start, "predicting": time.monotonic() - began}
    model = on_vertex.address if on_vertex else predictor.path
    content = _as_json(job, counts, predictor.version, seconds)
    content.update(model=model, job=job_name)
    answer(as_json, content, lambda console: _draw(console, content))


def _local_base(settings: "Settings", workspace: Path, model_dir: Path | None) -> Path:
    """The folder above the versions."""
    from runners.workspace import Workspace

    if model_dir is not None:
        base = model_dir.resolve()
    else:
        base = push_folder(settings, Workspace(workspace.resolve()), settings.name)
    require_model(base, "--workspace", "--config", "--model-dir")
    return base


def _load(base: Path | None, on_vertex: "LiveOnVertex | None") -> "BatchPredictor":
    """Loads the live version; imports TensorFlow."""
    quieten_tensorflow()
    from serving.model.start import leave_out_optional_packages

    leave_out_optional_packages()
    with collector.paused():
        from serving.model.batch import BatchPredictor, live_predictor

    if on_vertex is not None:
        return BatchPredictor(on_vertex.folder, on_vertex.version)
    return live_predictor(str(base))


def _read(path: Path, wanted: "Wanted", settings: "Settings") -> "Iterator[Rows]":
    """The rows of the file; folders such as `year=2026` above it say columns that it lacks."""
    from data.reading.rows_file import open_rows
    from data.sources.hive import keys_above

    given = {name: text for name, text in keys_above(path).items() if text is not None}
    wanted = dataclasses.replace(wanted, given=given)
    return open_rows(path, wanted, settings.data.source.dialect)


def _tell(line: str) -> None:
    sys.stderr.write(f"fareline: {line}\n")


def _tell_over(line: str) -> None:
    """On a terminal: each line takes the place of the one before."""
    sys.stderr.write(f"\r\x1b[2Kfareline: {line}")
    sys.stderr.flush()


def _wanted_by_schema(settings: "Settings") -> "Wanted | None":
    """What the curated schema demands of a row of which a prediction is asked for."""
    from data.reading.rows import Wanted
    from schema.curated import column_kinds, columns_in_environment, load_schema, schema_path

    if settings.schema_ is None:
        return None
    contract = load_schema(schema_path(settings.schema_, settings.path.parent))
    # What one pipeline predicts may be known where another one's predictions are asked for.
    absent = settings.unserved_columns
    serving = [n for n in columns_in_environment(contract, "SERVING") if n not in absent]
    kinds = column_kinds(contract)
    always = {each.name for each in contract.feature if each.presence.min_fraction >= 1.0}
    return Wanted({name: kinds[name] for name in serving}, always.intersection(serving))


def _only(wanted: "Wanted", columns: Collection[str]) -> "Wanted":
    """The same demands on fewer columns: nothing is asked of those that no model reads."""
    from data.reading.rows import Wanted

    kinds = {name: kind for name, kind in wanted.kinds.items() if name in columns}
    return Wanted(kinds, wanted.required.intersection(kinds))


def _agree(wanted: "Wanted | None", predictor: "BatchPredictor") -> "Wanted":
    """Holds what the schema demands against what the model reads.

    Raises:
        UserMistake: The model reads a column that the schema does not have, or has as another type.
    """
    from data.reading.rows import Wanted

    kinds = {name: column.kind for name, column in predictor.columns.items()}
    required = frozenset(name for name, column in predictor.columns.items() if column.required)
    if wanted is None:
        return Wanted(kinds, required)
    differ = sorted(name for name, kind in kinds.items() if wanted.kinds.get(name) != kind)
    if differ:
        name = differ[0]
        raise UserMistake.explain(
            predictor.path,
            f"reads {name!r} as {kinds[name]}, and the schema's SERVING environment has it as "
            f"{wanted.kinds.get(name, 'nothing')}",
            "expected a model that was trained with this schema",
            "name the settings of its pipeline with --config, or the model with --model-dir alone",
        )
    read = _only(wanted, kinds)
    return Wanted(read.kinds, read.required | required)


def _as_json(
    job: "Job", counts: "Counts", version: int, seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Keys: input, output, model_version, rows, predicted, quarantined, reasons, …"""
    rate = counts.predicted / max(seconds["predicting"], 1e-9)
    return {
        "input": str(job.input),
        "output": str(job.output),
        "model_version": version,
        "rows": counts.rows,
        "predicted": counts.predicted,
        "quarantined": counts.quarantine.bad,
        "reasons": dict(sorted(counts.quarantine.reasons.items())),
        "quarantine": str(job.quarantine) if counts.quarantine.bad else None,
        "blank_lines": counts.blank,
        "seconds": round(seconds["seconds"], 3),
        "rows_per_second": round(rate),
    }


def _draw(console, content: Mapping[str, Any]) -> None:
    lines = [
        f"{content['predicted']:,} of {content['rows']:,} rows predicted by version "
        f"{content['model_version']}, {content['rows_per_second']:,} rows/s: {content['output']}"
    ]
    if content["quarantined"]:
        reasons = ", ".join(f"{count:,} {name}" for name, count in content["reasons"].items())
        lines.append(f"{content['quarantined']:,} quarantined ({reasons}): {content['quarantine']}")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
