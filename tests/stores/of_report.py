"""A small run with everything that the page of a run shows, and files where its artifacts are."""

import itertools
import json
import time
from pathlib import Path

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from fareline.recorded.curves import (
    Amounts,
    BesideMetrics,
    Curves,
    ModelCurves,
    Scores,
    slices_text,
)
from tests.stores.writer import COMPLETE, FAILED, StoreWriter, artifact

PIPELINE = "taxi"
SETTINGS = """\
name: taxi
task: {task}
label: {label}
features:
  numeric: {{miles: {{log: true}}}}
  vocabulary: {{payment: {{size: 3, oov_buckets: 1}}}}
card:
  intended_use: {use}
"""
LABELS = {
    "binary": "{column: tips, above: {column: fare, times: 0.2}}",
    "multiclass": "{column: payment, classes: [Cash, Card], other: class}",
    "regression": "{column: fare}",
}


def write_run(
    folder: Path,
    run="run-1",
    name="Cash",
    task="binary",
    pushed=True,
    stop=None,
    destination="/serving/taxi/7",
):
    """Writes a run into `folder/metadata.db`, with its payloads in the same folder.

    Args:
        folder: To write to; further runs may be added.
        run: Id of the run.
        name: A category of the data, which stands wherever text of the data can.
        task: Of the settings.
        pushed: Whether the model was pushed; else it was refused.
        stop: Node that fails, after which nothing is there.
        destination: Folder of the pushed version.
    """
    writer = StoreWriter(folder / "metadata.db")
    run_writer = _RunWriter(writer, folder / run, run, name, task, pushed, destination)
    for node, write in run_writer.nodes.items():
        if node == stop:
            text = f"Traceback (most recent call last):\n  …\nValueError: {name} is bad"
            writer.add_execution(PIPELINE, run, node, FAILED, __execution_result__=text)
            break
        write(node)
    writer.record_run(
        run,
        settings=SETTINGS.format(task=task, label=LABELS[task], use=json.dumps(f"For {name}.")),
        overrides=json.dumps([f"seed={name}"]),
        packages=json.dumps({"tfx": "1.16.0"}),
        nodes=json.dumps(list(run_writer.nodes)),
        git_commit="ab" * 20,
        outcome="failed" if stop else "pushed" if pushed else "refused",
        ended=str(round(time.time() * 1000) + 12_000),
    )
    return folder / "metadata.db"


class _RunWriter:
    def __init__(self, writer, folder, run, name, task, pushed, destination):
        self.writer, self.folder, self.run = writer, folder, run
        self.name, self.task, self.pushed = name, task, pushed
        self.destination = str(destination)
        self.ids = {}
        self.nodes = {
            "ExampleGen": self.examples,
            "StatisticsGen": self.statistics,
            "DataPolicy": self.decision,
            "DriftMonitor": self.drift,
            "Transform": self.transform,
            "Tuner": self.tuner,
            "Trainer": self.trainer,
            "Evaluator": self.evaluator,
            "InfraValidator": self.infra,
            "Pusher": self.pusher,
        }

    def place(self, name, files=()):
        """A folder of an artifact with files of these texts."""
        place = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        for file, content in dict(files).items():
            path = place / file
            path.parent.mkdir(parents=True, exist_ok=True)
            content = content if isinstance(content, bytes) else content.encode()
            path.write_bytes(content)
        return place

    def add(self, node, outputs, inputs=(), **properties):
        self.writer.add_execution(
            PIPELINE,
            self.run,
            node,
            COMPLETE,
            outputs=outputs,
            inputs=[(key, self.ids[key]) for key in inputs],
            **properties,
        )
        for key, number in zip(outputs, self.writer.artifact_ids, strict=False):
            self.ids[key] = number

    def examples(self, node):
        row = {"source": "a.csv", "line": 7, "reason": "no_number", "message": f"{self.name} bad"}
        place = self.place("examples", {"quarantine.jsonl": json.dumps(row) + "\n"})
        examples = artifact(
            place,
            span=4,
            rows_read="11",
            split_rows=json.dumps({"train": 8, "eval": 2}),
            quarantined=json.dumps({"no_number": 1}),
            data_sha256="cd" * 32,
            source_files=json.dumps(
                [{"path": f"/data/{self.name}.csv", "rows": 11, "bytes": 99, "sha256": "ef" * 32}]
            ),
        )
        self.add(node, {"examples": [examples]})

    def statistics(self, node):
        files = {
            f"Split-{split}/FeatureStats.pb": statistics_of(self.name, rows).SerializeToString()
            for split, rows in (("train", 8), ("eval", 2))
        }
        place = self.place("statistics", files)
        self.add(node, {"statistics": [artifact(place)]}, ["examples"])

    def decision(self, node):
        decision = {
            "column": "payment",
            "kind": "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
            "found": f"unexpected {self.name}",
            "splits": ["train"],
            "action": "warn",
            "by": "gate.rules.0",
            "reason": "known",
            "expected": "Card",
            "rows": 3,
            "example": self.name,
        }
        made = artifact(self.place("decision"), decisions=json.dumps([decision]))
        self.add(node, {"decision": [made]})

    def drift(self, node):
        measure = {
            "name": "l_infinity",
            "value": 0.25,
            "threshold": 0.1,
            "reference": 0.5,
            "batch": 0.25,
            "where": self.name,
            "least": None,
            "chance": None,
            "drifted": True,
        }
        column = {"name": "payment", "kind": "category", "policy": "warn", "measures": [measure]}
        compared = {"reference_rows": 8, "batch_rows": 8, "columns": [column]}
        place = self.place("drift", {"drift.json": json.dumps({"previous": compared})})
        drift = artifact(place, reference="/data/before")
        self.add(node, {"drift": [drift]}, ["examples"])

    def transform(self, node):
        place = self.place(
            "transform_graph", {"transform_fn/assets/payment": f"{self.name}\nCard\n"}
        )
        self.add(node, {"transform_graph": [artifact(place)]}, ["examples"])

    def tuner(self, node):
        trials = [
            {"trial_id": "0", "score": 0.8, "width": 32, "rate": 0.01},
            {"trial_id": "1", "score": 0.9, "width": 64, "rate": 0.001},
        ]
        results = self.place("results", {"tuner_results.json": json.dumps(trials)})
        best = artifact(self.place("best"), tuning_decision="searched", tuning_policy="always")
        outputs = {"best_hyperparameters": [best], "tuner_results": [artifact(results)]}
        self.add(node, outputs)

    def trainer(self, node):
        report = {
            "evaluations": {"auc": [0.7, 0.8, 0.9], "val_auc": [0.6, 0.8, 0.75]},
            "monitor": "val_auc",
            "mode": "max",
            "best": 1,
            "planned": 5,
            "steps_per_evaluation": 16,
        }
        files = {"training.json": json.dumps(report), "train/events.out.tfevents.1": ""}
        run = artifact(self.place("model_run", files))
        chosen = {"width": 64, "rate": 0.001}
        model = artifact(self.place("model"), hyperparameters=json.dumps(chosen), sha256="12" * 32)
        self.add(node, {"model": [model], "model_run": [run]}, ["examples"])

    def evaluator(self, node):
        slice_name = f"payment={self.name}"
        beside = {
            "overall": BesideMetrics({"auc": 0.85}, {"auc": (0.88, 0.92)}),
            slice_name: BesideMetrics({"auc": 0.7}),
        }
        files = {
            "curves.json": curves_of(self.task).to_text(),
            "slices.json": slices_text(beside),
        }
        evaluation = self.place("evaluation", files)
        metrics = {
            "overall": {"auc": 0.9, "example_count": 10},
            "slices": {slice_name: {"auc": None, "example_count": 4}},
        }
        blessing = artifact(
            self.place("blessing"),
            blessed=int(self.pushed),
            verdict=json.dumps(verdict_of(slice_name, self.pushed)),
            current_model_id=self.ids["model"],
        )
        outputs = {
            "evaluation": [artifact(evaluation, metrics=json.dumps(metrics))],
            "blessing": [blessing],
        }
        self.add(node, outputs, ["examples", "model"])

    def infra(self, node):
        found = {
            "ok": True,
            "reason": "ok",
            "message": "",
            "latency_ms": {"batch_1": {"p50": 1.5, "p95": 2.0, "p99": 3.0}},
            "load_seconds": 0.5,
            "peak_memory_mb": 300.0,
            "size_mb": 0.1,
            "num_requests": 400,
            "largest_difference": 1e-8,
            "server": "serving.server.server",
            "latency_quantiles_ms": {"batch_1": [1.0, 1.5, 3.0]},
            "memory_mb": [290.0, 300.0],
        }
        files = {"infra_validation.json": json.dumps(found)}
        blessing = artifact(self.place("infra", files), blessed=1, reason="ok", message="")
        budgets = json.dumps({"memory_mb": 1024})
        self.add(node, {"blessing": [blessing]}, ["model"], budgets=budgets)

    def pusher(self, node):
        place = self.destination
        properties = {"pushed": 1, "pushed_destination": place, "pushed_version": "7"}
        because = {"pushed": 0, "not_pushed_because": "model_blessing: refused"}
        pushed = artifact(place, **(properties if self.pushed else because))
        self.add(node, {"pushed_model": [pushed]}, ["model"])


def verdict_of(slice_name, passed):
    check = {
        "metric": "auc",
        "slice": "overall",
        "kind": "at_least",
        "bound": 0.8 if passed else 0.95,
        "value": 0.9,
        "judged": 0.88,
        "interval": [0.88, 0.92],
        "baseline": None,
        "examples": 10,
        "passed": passed,
        "not_counted": "",
        "group": "",
    }
    uncounted = {
        **check,
        "slice": slice_name,
        "interval": None,
        "value": None,
        "passed": None,
        "not_counted": "4 examples; expected 50",
        "group": "payment",
        "examples": 4,
    }
    gap = {
        "metric": "auc",
        "slices": "payment",
        "gap": 0.1,
        "best": ["payment=Card", 0.9],
        "worst": [slice_name, 0.8],
        "count": 2,
    }
    return {
        "checks": [check, uncounted],
        "gaps": [gap],
        "worst": [{"name": slice_name, "metrics": {"auc": 0.8, "example_count": 4}}],
        "main_metric": "auc",
        "min_slice_examples": 50,
        "tfma_refusals": [],
        "passed": passed,
        "blessed": passed,
    }


def curves_of(task):
    """Ten examples: scores of 0.15 (3 negatives, 1 positive) and of 0.85 (5 positives, 1 not)."""
    scores = Scores([*[0] * 150, 1, *[0] * 699, 5], [*[0] * 150, 3, *[0] * 699, 1], 1000)
    if task == "regression":
        return Curves(ModelCurves(amounts=Amounts([1.0, 2.0, 3.0], [1.5, 2.0, 2.0], 2)))
    if task == "multiclass":
        small = Scores([*[0] * 30, 1, *[0] * 139, 5], [*[0] * 30, 3, *[0] * 139, 1], 200)
        matrix = [[5, 1, 0], [1, 2, 0], [1, 0, 0]]
        return Curves(ModelCurves([small, small, small], matrix))
    return Curves(ModelCurves([scores]), ModelCurves([scores]))


def statistics_of(name, rows):
    """A number `miles`, of which a quarter is missing, and texts `payment`."""
    listed = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = listed.datasets.add(num_examples=rows)
    miles = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.FLOAT)
    miles.path.step.append("miles")
    numbers = miles.num_stats
    numbers.common_stats.num_non_missing = rows
    numbers.common_stats.max_num_values = 1
    numbers.common_stats.tot_num_values = rows * 3 // 4
    numbers.mean, numbers.std_dev, numbers.num_zeros = 2.5, 1.25, 1
    numbers.min, numbers.median, numbers.max = 0.0, 2.0, 10.0
    for kind, ends in ((0, (0, 5, 10)), (1, (0, 1, 2, 3, 4, 10))):
        histogram = numbers.histograms.add(type=kind)
        for low, high in itertools.pairwise(ends):
            histogram.buckets.add(low_value=low, high_value=high, sample_count=rows / 4)
    payment = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
    payment.path.step.append("payment")
    texts = payment.string_stats
    texts.common_stats.num_non_missing = texts.common_stats.tot_num_values = rows
    texts.common_stats.max_num_values = 1
    texts.unique = 2
    for value, count in ((name, rows * 3 // 4), ("Card", rows // 4)):
        texts.rank_histogram.buckets.add(label=value, sample_count=count)
    return listed


def anomalies_of(name):
    """What TFDV's own validation writes."""
    anomalies = anomalies_pb2.Anomalies()
    info = anomalies.anomaly_info["payment"]
    info.short_description, info.description = "Unexpected string values", f"holds {name}"
    return anomalies
