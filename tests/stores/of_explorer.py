"""Stores for the tests of the explorer: a pipeline's four runs, and names that want to do harm."""

import json

from fareline.packages import CHECKOUT
from tests.stores.writer import CACHED, FAILED, StoreWriter, artifact

CSV = "/data/trips.csv"
LATER_CSV = "/data/later.csv"
PIPELINE = "taxi"

TRACEBACK = f"""Traceback (most recent call last):
  File "/venv/lib/python3.10/site-packages/keras/fit.py", line 3, in fit
    raise error
  File "{CHECKOUT}/models/trainer.py", line 57, in run_fn
    model.fit(rows)
ValueError: planted <b>here</b>
"""


def write_four_runs(path):
    """Writes four runs: one pushed; one whose model was refused; one pushed and live; one failed.

    Returns:
        Artifact ids by name: `model-1`, `examples-3` and so on.
    """
    writer = StoreWriter(path)
    ids = {}
    _run(writer, ids, 1, CSV, auc=0.91, blessed=1, baseline=None)
    _run(writer, ids, 2, None, auc=0.70, blessed=0, baseline=1)
    _run(writer, ids, 3, LATER_CSV, auc=0.93, blessed=1, baseline=1)
    writer.add_execution(
        PIPELINE, "run-4", "ExampleGen", CACHED, reused=[("examples", ids["examples-3"])]
    )
    writer.add_execution(
        PIPELINE,
        "run-4",
        "Trainer",
        FAILED,
        inputs=[("examples", ids["examples-3"])],
        __execution_result__=json.dumps({"resultMessage": TRACEBACK, "code": 2}),
    )
    writer.record_run("run-3", git_commit="c0ffee" * 6 + "abcd", settings="name: taxi\nsteps: 30\n")
    writer.record_run("run-1", git_commit="beef00" * 6 + "abcd", settings="name: taxi\nsteps: 20\n")
    return ids


def _run(writer, ids, number, csv, auc, blessed, baseline):
    run = f"run-{number}"
    if csv:
        files = [{"path": csv, "bytes": 1000 * number, "sha256": str(number) * 64}]
        examples = artifact(
            f"/artifacts/examples/{number}",
            span=number,
            source_files=json.dumps(files),
            split_names='["train", "eval"]',
        )
        writer.add_execution(PIPELINE, run, "ExampleGen", outputs={"examples": [examples]})
        [ids[f"examples-{number}"]] = writer.artifact_ids
    else:
        ids[f"examples-{number}"] = ids[f"examples-{number - 1}"]
        reused = [("examples", ids[f"examples-{number}"])]
        writer.add_execution(PIPELINE, run, "ExampleGen", CACHED, reused=reused)
    data = ("examples", ids[f"examples-{number}"])
    settings = json.dumps({"steps": 10 * number, "width": 8})
    model = artifact(f"/artifacts/model/{number}", hyperparameters=json.dumps({"width": 8}))
    writer.add_execution(
        PIPELINE, run, "Trainer", outputs={"model": [model]}, inputs=[data], custom_config=settings
    )
    ids[f"model-{number}"] = writer.artifact_ids[0]
    read = [data, ("model", ids[f"model-{number}"])]
    if baseline:
        read.append(("baseline_model", ids[f"model-{baseline}"]))
    metrics = json.dumps({"overall": {"auc": auc, "loss": 1 - auc}})
    made = {
        "evaluation": [artifact("/artifacts/e", metrics=metrics)],
        "blessing": [artifact("/artifacts/b", blessed=blessed)],
    }
    writer.add_execution(PIPELINE, run, "Evaluator", outputs=made, inputs=read)
    ids[f"blessing-{number}"] = writer.artifact_ids[1]
    if blessed:
        place = f"/serving/taxi/{number}"
        pushed = artifact(place, pushed=1, pushed_destination=place, pushed_version=str(number))
        judged = [("model", ids[f"model-{number}"]), ("model_blessing", ids[f"blessing-{number}"])]
        writer.add_execution(
            PIPELINE, run, "Pusher", outputs={"pushed_model": [pushed]}, inputs=judged
        )
        ids[f"pushed-{number}"] = writer.artifact_ids[0]


# Each would run, break the page or reorder its text if it were taken for more than text.
HOSTILE = (
    '<img src=x onerror="window.hurt=1">',
    "</script><script>window.hurt=1</script>",
    "<!--<script>",
    "'\"><svg onload=window.hurt=1>",
    "javascript:window.hurt=1",
    "\u202egnitsil\u202c \u2066iso",
    "\u05de\u05d5\u05d3\u05dc \u0646\u0645\u0648\u0630\u062c",
    "line\u2028and\u2029paragraph",
    "bell\x07 null-ish\x01 delete\x7f tab\t newline\nend",
    "{{content}} ${window.hurt=1} __proto__ constructor",
    "long " * 820,
)


def write_hostile_store(path):
    """Writes a run per hostile text, which stands wherever a name can stand."""
    writer = StoreWriter(path)
    for text in HOSTILE:
        files = json.dumps([{"path": f"/data/{text}", "bytes": 1, "sha256": text}])
        examples = artifact(f"/artifacts/{text}", source_files=files, **{text: text})
        examples.name = text
        writer.add_execution(
            text,
            f"run {text}",
            text,
            outputs={"examples": [examples], text: [artifact(text)]},
            note=text,
        )
        made = writer.artifact_ids[0]
        metrics = json.dumps({"overall": {text: 0.5}, "slices": {text: {text: 1}}})
        evaluation = artifact("e", metrics=metrics)
        writer.add_execution(
            text,
            f"run {text}",
            f"{text} 2",
            outputs={"evaluation": [evaluation]},
            inputs=[(text, made)],
        )
        writer.record_run(f"run {text}", **{text: text, "settings": text})
