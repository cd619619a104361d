"""What our own pipelines record beside what TFX does, read back. Stock stores have none of it.

The names of the properties are fixed here, for those who write them (`runners.provenance` and the
components of `pipeline.components`) and those who read them. Numbers are numbers, everything
structured is JSON text.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Protocol

# Of the context of a run (`pipeline_run`), written by TFX together with the context itself.
NODES = "nodes"  # JSON list of node ids that the run is to execute, in DAG order
RUNNER = "runner"  # such as local
STACK = "stack"  # current, compat, or the versions if it is neither
PYTHON = "python"  # such as 3.10.13
PACKAGES = "packages"  # JSON object, distribution to version
GIT_COMMIT = "git_commit"  # 40 hexadecimal digits; absent outside a git checkout
GIT_DIRTY = "git_dirty"  # 1 if a tracked file differed or our rooms held an untracked one, else 0
CODE_FINGERPRINT = "code_fingerprint"  # SHA-256 over our sources
SETTINGS = "settings"  # with all overrides applied and local paths absolute; `--config` reads it
SETTINGS_SHA256 = "settings_sha256"  # of that text
SETTINGS_FILE = "settings_file"  # its absolute path, or the packaged file's name
OVERRIDES = "overrides"  # JSON list of what --set said
USE_CACHE = "use_cache"  # 0 after --no-cache, else 1
USER = "user"  # login name
HOST_KIND = "host_kind"  # such as "Linux x86_64, 2 cores"; never the machine's name
# Of the same context, added when the run ends; a killed run has neither.
OUTCOME = "outcome"  # pushed, refused, failed, interrupted; completed: nothing to push
ENDED = "ended"  # milliseconds since 1970, as text: a server's integers have 32 bits

# Of the Examples that ExampleGen puts out.
SPANS = "spans"  # JSON list of {"span", "version"}, ascending, where several were read as one
SOURCE_FILES = "source_files"  # JSON list of {"path", "bytes", "sha256"}, sorted by path; with
# "rows" if ColumnarExampleGen read them
DATA_SHA256 = "data_sha256"  # one digest over the names and contents of the source files
SOURCE_QUERY = "source_query"  # its text, where the examples are the rows of a query over files
# Of the same, if ColumnarExampleGen read them.
ROWS_READ = "rows_read"  # all, bad ones included; as text: a server's integers have 32 bits
SPLIT_ROWS = "split_rows"  # JSON object, split to number of examples
SPLIT_STARTS = "split_starts"  # JSON object, split to its first time, where rows are split by time
QUARANTINE_FILE = "quarantine.jsonl"  # in the folder of the artifact
# Where a failed ExampleGen leaves these rows, with its execution's id: beside the folders of its
# artifacts, since TFX removes the artifact.
QUARANTINE_DIR = "quarantine"
QUARANTINED = "quarantined"  # JSON object, reason to number of rows; empty if none was bad
# Of the DataDrift that DriftMonitor puts out, beside the counts `stops`, `retunes` and `warns`.
DRIFTED = "drifted"  # JSON list of {"against": "previous" or "serving", "column", "policy", "said"}
REFERENCE = "reference"  # URI of the Examples that it compared with; empty if there were none
REFERENCE_SPAN = "reference_span"  # of those; 0 where data has no spans
RETUNE_REASONS = "retune_reasons"  # a line for each measure that calls for a new search
# Of every Model, of the Schema that CuratedSchema puts out, of every PushedModel.
SHA256 = "sha256"  # `fareline.digests.sha256_of_folder`, or of the schema file
HYPERPARAMETERS = "hyperparameters"  # JSON object, on Model
# Of the HyperParameters that Tuner puts out; the decision also of its TunerResults.
TUNING_POLICY = "tuning_policy"  # always, on_drift or never
TUNING_DECISION = "tuning_decision"  # searched, reused or given
TUNING_REASONS = "tuning_reasons"  # why, one reason a line; empty with always
REUSED_FROM = "reused_from"  # id of the HyperParameters whose values these are
SEARCH_SHA256 = "search_sha256"  # of the search space, `tuning.search`
MODEL_CODE_SHA256 = "model_code_sha256"  # of the sources of the model
TARGET_SHA256 = "target_sha256"  # of the settings `task`, `features`, `label` and `weighting`
# Of the Model that LiveBaseline puts out before anything was pushed: 1, and it has no files.
NO_MODEL = "no_model"
# Of every ModelEvaluation. Beside METRICS, each overall metric as a number, `metric_auc` and so on.
# A metric that is undefined, such as the AUC of one label, is null there and has no number; of the
# numbers, ML Metadata keeps six decimals.
METRICS = "metrics"  # JSON {"overall": {name: value}, "slices": {"payment_type=Cash": {…}}}
METRIC_PREFIX = "metric_"
# Of a PushedModel.
VERSIONS_REMOVED = "versions_removed"  # JSON list of those that `push.keep_versions` removed
WITHHELD_VERSION = "withheld_version"  # not pushed: it is the model that was rolled back from there
COPY_OF_VERSION = "copy_of_version"  # put there by rollback or promote, and not by a run
# Executions by hand: inputs `model` and `pushed_model`, output `pushed_model`; with a USER.
ROLLBACK, PROMOTE = "fareline.rollback", "fareline.promote"
REASON = "reason"  # in the words of who did it; empty if promote was given none
DESTINATION = "destination"  # folder above the versions
FROM_VERSION = "from_version"  # that was live
TO_VERSION = "to_version"  # whose content is live since
NEW_VERSION = "new_version"  # the number that it got
# Of every ModelBlessing: JSON, what `pipeline.evaluation.verdict.Verdict.to_json` returns with
# `blessed` and `tfma_refusals`, a list of sentences.
VERDICT = "verdict"
# A context of this type, named by the commit (or the fingerprint if there is none, or if the
# checkout differed from it), holds every execution of that code.
CODE_CONTEXT_TYPE = "code_version"


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """What a run recorded about itself; everything is None or empty in a stock store.

    Attributes:
        properties: All custom properties of the run's context.
    """

    properties: Mapping[str, Any]

    def text(self, name: str) -> str | None:
        """A property as text, if it is there."""
        value = self.properties.get(name)
        return None if value is None else str(value)

    def parsed(self, name: str) -> Any:
        """A property that is JSON text, parsed; None if it is not there or no JSON."""
        return parse_json(self.properties.get(name))

    @property
    def nodes(self) -> list[str]:
        """The nodes that the run was to execute."""
        return self.parsed(NODES) or []

    @property
    def ended(self) -> int | None:
        """When the run ended, in milliseconds since 1970."""
        text = self.text(ENDED)
        return int(text) if text and text.isdecimal() else None

    @property
    def packages(self) -> dict[str, str]:
        """Versions of the installed packages."""
        return self.parsed(PACKAGES) or {}


class Described(Protocol):
    """An artifact of a store, as far as it is asked here."""

    @property
    def properties(self) -> Mapping[str, Any]:
        """Its properties and custom properties, by name."""


def source_files(examples: Described) -> list[dict[str, Any]]:
    """The files that Examples were read from, each with path, bytes and SHA-256; or none."""
    return parse_json(examples.properties.get(SOURCE_FILES)) or []


def rows_read(examples: Described) -> dict[str, Any] | None:
    """What became of the rows that Examples were read from; None if that was not recorded.

    Returns:
        `rows`, bad ones included; `splits`, name to examples; `starts`, name to the time at which
        a split begins, or None; `quarantined`, reason to rows; and `quarantine`, the file of these,
        or None.
    """
    rows, reasons = examples.properties.get(ROWS_READ), examples.properties.get(QUARANTINED)
    if rows is None or reasons is None:
        return None
    quarantined = parse_json(reasons) or {}
    return {
        "rows": int(rows),
        "splits": parse_json(examples.properties.get(SPLIT_ROWS)) or {},
        "starts": parse_json(examples.properties.get(SPLIT_STARTS)),
        "quarantined": quarantined,
        "quarantine": f"{examples.uri}/{QUARANTINE_FILE}" if quarantined else None,
    }


def spans_of(examples: Described) -> list[tuple[int, int | None]]:
    """Every span that Examples hold, with its version, ascending; empty if none is recorded."""
    listed = parse_json(examples.properties.get(SPANS))
    if not isinstance(listed, list):
        listed = [examples.properties]
    return [
        (span, _whole(each.get("version")))
        for each in listed
        if isinstance(each, Mapping) and (span := _whole(each.get("span"))) is not None
    ]


def spans_in_words(examples: Described) -> str:
    """The span, `5 to 8` of several, or nothing."""
    spans = [span for span, _ in spans_of(examples)]
    return f"{spans[0]} to {spans[-1]}" if len(spans) > 1 else "".join(map(str, spans))


def _whole(value: Any) -> int | None:
    """A number that TFX has written as a number or as a text."""
    return int(value) if str(value).isdecimal() else None


def metrics_of(evaluation: Described) -> dict[str, float]:
    """The overall metrics of a ModelEvaluation, undefined ones left out; empty in a stock store."""
    recorded = parse_json(evaluation.properties.get(METRICS)) or {}
    return _defined(recorded.get("overall", {}))


def slice_metrics_of(evaluation: Described) -> dict[str, dict[str, float]]:
    """Slice to metrics of a ModelEvaluation, undefined ones left out; empty in a stock store."""
    recorded = parse_json(evaluation.properties.get(METRICS)) or {}
    return {name: _defined(metrics) for name, metrics in recorded.get("slices", {}).items()}


def hyperparameters_of(model: Described) -> dict[str, Any]:
    """The hyperparameters of a Model; empty in a stock store."""
    return parse_json(model.properties.get(HYPERPARAMETERS)) or {}


def tuning_of(hyperparameters: Described) -> dict[str, Any] | None:
    """Whether Tuner searched for HyperParameters, and why; None if that was not recorded.

    Returns:
        `policy`; `decision`; `reasons`, a list of texts; `reused_from`, a printable id or None.
    """
    values = hyperparameters.properties
    if TUNING_DECISION not in values:
        return None
    reused = values.get(REUSED_FROM)
    return {
        "policy": values.get(TUNING_POLICY),
        "decision": values[TUNING_DECISION],
        "reasons": str(values.get(TUNING_REASONS, "")).splitlines(),
        "reused_from": f"HyperParameters:{reused}" if reused else None,
    }


def parse_json(text: Any) -> Any:
    """Parses JSON text; None for what is no text or no JSON."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None


def _defined(metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if value is not None}
