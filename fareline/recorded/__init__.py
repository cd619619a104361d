"""Properties that Fareline records in addition to TFX. Stores of stock TFX have none of them.

This module has the names of the properties. The other modules have a type for each property that is
JSON text, which writes it and reads it from any object with `properties`.
"""

# Of the context of a run (`pipeline_run`), written by TFX together with the context itself.
NODES = "nodes"  # JSON list of node ids that the run is to execute, in DAG order
RUNNER = "runner"  # such as local
STACK = "stack"  # current, compat, or the versions if it is neither
PYTHON = "python"  # such as 3.10.13
PACKAGES = "packages"  # JSON object, distribution to version
GIT_COMMIT = "git_commit"  # 40 hexadecimal digits; absent outside a git checkout
GIT_DIRTY = (
    "git_dirty"  # 1 if a tracked file differed or our packages held an untracked one, else 0
)
CODE_FINGERPRINT = "code_fingerprint"  # SHA-256 over our sources
SETTINGS = "settings"  # with all overrides applied and local paths absolute; `--config` reads it
SETTINGS_SHA256 = "settings_sha256"  # of that text
SETTINGS_FILE = "settings_file"  # its absolute path, or the packaged file's name
OVERRIDES = "overrides"  # JSON list of what --set said
NOTE = "note"  # what the user says of it; absent if nothing
# The number of rows of a sample, as text; also of the Examples and the Model of such a run. Absent
# if all rows were read.
SAMPLE = "sample"
TAGS = "tags"  # JSON list of words to find it by; absent without one
# Of a run of a part of the graph alone.
FROM_NODES, TO_NODES = "from_nodes", "to_nodes"  # JSON lists, as asked for
REUSED_RUN = "reused_run"  # id of the run whose artifacts stand for the rest; empty if for nothing
USE_CACHE = "use_cache"  # 0 after --no-cache, else 1
USER = "user"  # login name
HOST_KIND = "host_kind"  # such as "Linux x86_64, 2 cores"; never the machine's name
# Of the same context, added when the run ends; a killed run has neither.
OUTCOME = "outcome"  # pushed, refused, failed, interrupted; completed: nothing to push
ENDED = "ended"  # milliseconds since 1970, as text: a server's integers have 32 bits

# Of the Examples that ExampleGen puts out.
SPANS = "spans"  # JSON list of {"span", "version"}, ascending, where several were read as one
SOURCE_FILES = "source_files"  # JSON list of `fareline.recorded.data.RecordedFile`, by path
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
# Of the DataDecision that DataPolicy puts out, beside the counts `stops` and `anomalies`.
DECISIONS = "decisions"  # JSON list of `fareline.recorded.gate.Decision`
# Of the DataDrift that DriftMonitor puts out, beside the counts `stops`, `retunes` and `warns`.
DRIFTED = "drifted"  # JSON list of `fareline.recorded.drift.Drifted`
REFERENCE = "reference"  # URI of the Examples that it compared with; empty if there were none
REFERENCE_SPAN = "reference_span"  # of those; 0 where data has no spans
RETUNE_REASONS = "retune_reasons"  # a line for each measure that calls for a new search
# Of every Model, of the Schema that CuratedSchema puts out, of every PushedModel.
SHA256 = "sha256"  # `fareline.digests.sha256_of_folder`, or of the schema file
HYPERPARAMETERS = "hyperparameters"  # JSON object, on Model
# Where a Trainer keeps what a killed one goes on from, by the digest of what it is made of and its
# execution: beside the folders of its artifacts.
CHECKPOINTS_DIR = "checkpoints"
WARM_START = "warm_start"  # JSON of `fareline.recorded.tuning.WarmStart`, on Model
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
METRICS = "metrics"  # JSON of `fareline.recorded.evaluation.Metrics`
METRIC_PREFIX = "metric_"
# Of a PushedModel.
VERSION_CREATED = "version_created"  # 0 if the newest version was this model already, else 1
VERSIONS_REMOVED = "versions_removed"  # JSON list of those that `push.keep_versions` removed
WITHHELD_VERSION = "withheld_version"  # not pushed: it is the model that was rolled back from there
COPY_OF_VERSION = "copy_of_version"  # put there by rollback or promote, and not by a run
VERTEX = "on_vertex"  # JSON of `fareline.recorded.vertex.OnVertex`; only on Vertex AI
NOT_SHOWN = "not_shown_because"  # why Vertex AI shows no evaluation or lineage of it; else absent
NOT_UNDONE = "not_undone_because"  # what earlier pushes have left on Vertex AI; else absent
PUSHER = "Pusher"  # who adds a version, in the note beside it, if no one of the next
# Executions by hand: inputs `model` and `pushed_model`, output `pushed_model`; with a USER.
ROLLBACK, PROMOTE = "fareline.rollback", "fareline.promote"
# An execution for what was noticed of a live model, or asked of `fareline loop`: input
# `pushed_model`, if there is one; outputs are the evidence. REASON has a line for each cause.
MONITOR = "fareline.monitor"
ACTION = "action"  # what was decided: record, warn, retrain or roll_back
DECIDED = "decided"  # when: milliseconds since 1970, as text
UNDEPLOY = "fareline.undeploy"  # of versions on Vertex AI
REASON = "reason"  # in the words of who did it; empty if promote was given none
DESTINATION = "destination"  # folder above the versions
FROM_VERSION = "from_version"  # that was live
TO_VERSION = "to_version"  # whose content is live since
NEW_VERSION = "new_version"  # the number that it got
# Of every ModelBlessing.
VERDICT = "verdict"  # JSON of `fareline.recorded.evaluation.VerdictRecord`
# Of every execution of InfraValidator.
BUDGETS = "budgets"  # JSON object of what the settings say of `serving.validation.verdict.Budgets`
# Executions by hand of `feedback build` and `feedback erase`: inputs PREDICTION_LOG and OUTCOMES,
# and of an erasure the versions that gave way; outputs FEEDBACK_SPAN.
FEEDBACK, ERASE = "fareline.feedback", "fareline.erase"
PREDICTION_LOG, OUTCOMES, FEEDBACK_SPAN = "PredictionLog", "Outcomes", "FeedbackSpan"
SPAN_ROWS_FILE, SPAN_STATES_FILE = "rows.parquet", "states.parquet"  # in the folder of a span
# Of a FeedbackSpan, beside `span`, `version`, and SHA256 of the folder.
ROWS_SHA256 = "rows_sha256"  # of SPAN_ROWS_FILE, as SOURCE_FILES of Examples have it
FIRST_ID, LAST_ID = "first_id", "last_id"  # the lowest and the highest prediction id
AS_OF = "as_of"  # what had arrived by then counts: milliseconds since 1970, as text
STATES = "states"  # JSON object, state to number of predictions
ANSWERED = "answered"  # JSON list of `fareline.recorded.feedback.Answered`
# A context of this type, named by the commit (or the fingerprint if there is none, or if the
# checkout differed from it), holds every execution of that code.
CODE_CONTEXT_TYPE = "code_version"
