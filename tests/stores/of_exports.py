"""The stores that the tests of the exports share: a small one, and one full of hostile names."""

from tests.stores.writer import CACHED, FAILED, RUNNING, StoreWriter, artifact

HOSTILE = (
    "quote \" and '",
    "backslash \\ and \\N \\",
    "line\nbreak\r\ttab",
    "<b>html</b>",
    "&lt;entity&gt; &amp; #35; #quot;",
    "end",
    "graph TD; a-->b",
    "direction LR",
    "style x:#fff;",
    "classDef executed fill:#f00;",
    "%%{init: {}}%% %% comment",
    "`markdown` *a* _b_ **c** 1) list",
    "- list",
    "click e1 call alert()",
    "]) --> e1 [(",
    "a:b@c{d}|e|",
    "שלום \u202egnp-exe עולם",
    "日本語 🎉",
    "escape \x1b[31mred",
    "1) list",
    "x" * 4096,
)


def two_runs(path):
    """Two runs of one pipeline; the second takes the first's Examples from the cache and fails.

    Artifacts: 1 Examples, 2 Model, 3 ModelBlessing, 4 Model, compared with 2.
    """
    writer = StoreWriter(path)
    writer.add_execution(
        "taxi",
        "run-1",
        "ExampleGen",
        outputs={"examples": [artifact("/data/examples/1", data_sha256="d" * 64, span=3)]},
        input_base="/data/taxi",
    )
    writer.add_execution(
        "taxi",
        "run-1",
        "Trainer",
        outputs={"model": [artifact("gs://bucket/model/2", tfx_version="1.16.0")]},
        inputs=[("examples", 1)],
    )
    writer.add_execution(
        "taxi",
        "run-1",
        "Evaluator",
        outputs={"blessing": [artifact("/data/blessing/3", blessed=1)]},
        inputs=[("examples", 1), ("model", 2)],
    )
    writer.add_execution("taxi", "run-2", "ExampleGen", CACHED, reused=[("examples", 1)])
    model = artifact("gs://bucket/model/5")
    model.custom_properties["ratios"].struct_value["__value__"] = "[NaN, 0.5]"  # TFX's JSON
    writer.add_execution(
        "taxi",
        "run-2",
        "Trainer",
        outputs={"model": [model]},
        inputs=[("examples", 1)],
    )
    writer.add_execution(
        "taxi",
        "run-2",
        "Evaluator",
        FAILED,
        inputs=[("examples", 1), ("model", 4), ("baseline_model", 2)],
        __execution_result__='{"resultMessage": "it broke", "code": 2}',
    )
    writer.add_execution("taxi", "run-2", "Pusher", RUNNING, inputs=[("model", 4)])
    writer.record_run("run-2", git_commit="c" * 40, runner="local")
    return path


def hostile(path):
    """A run of `pipe.line`: one node per name, which its artifact, URI and property have too."""
    writer = StoreWriter(path)
    previous = []
    for name in HOSTILE:
        made = artifact(f"/data/{name}", **{name: name})
        made.name = name
        writer.add_execution("pipe.line", "run-1", name, outputs={"out": [made]}, inputs=previous)
        previous = [("in", writer.artifact_ids[0])]
    return path
