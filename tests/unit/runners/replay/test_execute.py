"""A specification executed here: order, inputs and outputs, conditions, retries, cache."""

import json
import re
import subprocess
import threading
from pathlib import Path

import pytest

from lineage.facts.runs import list_runs, outputs_of_run
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from tests.unit.runners.replay.handmade import (
    SpecBuilder,
    SpecRunner,
    constant,
    error_of,
    from_task,
    parameter_from,
    shell,
    states,
)

WRITE_MODEL = "mkdir -p $0 && echo model > $0/file"
OUT = "{{$.outputs.artifacts['model'].uri}}"
IN = "{{$.inputs.artifacts['model'].uri}}"


def output_file(name):
    return f"{{{{$.outputs.parameters['{name}'].output_file}}}}"


def parameter(name):
    return f"{{{{$.inputs.parameters['{name}']}}}}"


@pytest.fixture
def runner(tmp_path):
    return SpecRunner(tmp_path)


@pytest.fixture
def graph(runner):
    return lambda: Graph(open_store(runner.workspace.metadata_path))


def test_artifacts_go_from_task_to_task_and_are_recorded(runner, graph):
    spec = SpecBuilder()
    spec.add("Reader", shell("cat $0/file > $1", IN, output_file("text")),
             {"model": from_task("Writer", "model")}, results={"text": "text"})  # fmt: skip
    spec.add("Writer", shell(WRITE_MODEL, OUT), outputs=["model"])
    result = runner.run(spec)
    assert (result.state, [*states(result)]) == ("SUCCEEDED", ["Writer", "Reader"])
    [run] = list_runs(graph())
    assert (run.run_id, run.pipeline, run.outcome) == ("run-1", "tiny", "completed")
    assert [(n.node, n.state) for n in run.nodes] == [
        ("Writer", "executed"),
        ("Reader", "executed"),
    ]
    [model] = outputs_of_run(graph(), "run-1")["Writer"]["model"]
    assert model.type == "Model" and Path(model.uri, "file").read_text() == "model\n"
    [reader] = [e for e in graph().executions_of_run("run-1") if e.place.node == "Reader"]
    assert graph().inputs(reader) == {"model": [model]}
    assert json.loads(reader.properties["output_parameter.text"]) == "model\n"


def test_a_task_waits_for_what_it_depends_on(runner, tmp_path):
    log = tmp_path / "order"
    spec = SpecBuilder()
    spec.add("A", shell(f"echo A >> {log}"), dependentTasks=["B"])
    spec.add("B", shell(f"sleep 0.3; echo B >> {log}"), dependentTasks=["C"])
    spec.add("C", shell(f"sleep 0.3; echo C >> {log}"))
    runner.run(spec)
    assert log.read_text().split() == ["C", "B", "A"]


def test_output_parameters_reach_the_next_task_in_their_type(runner, tmp_path):
    spec = SpecBuilder()
    spec.add(
        "Count",
        shell("echo 3 > $0; echo true > $1; printf 'a b' > $2",
              *map(output_file, ("n", "flag", "words"))),
        results={"n": "count", "flag": "flag", "words": "text"},
    )  # fmt: skip
    spec.add(
        "Use",
        shell(f"echo \"$0|$1|$2\" > {tmp_path}/used", *map(parameter, ("n", "flag", "words"))),
        parameters={name: (kind, parameter_from("Count", name)) for name, kind in (
            ("n", "count"), ("flag", "flag"), ("words", "text"))},
    )  # fmt: skip
    assert runner.run(spec).state == "SUCCEEDED"
    assert (tmp_path / "used").read_text() == "3|true|a b\n"


@pytest.mark.parametrize(("value", "state"), [("go", "executed"), ("stop", "not_triggered")])
def test_a_condition_decides_and_what_depends_on_it_follows(runner, value, state):
    spec = SpecBuilder().add_parameter("mode", "text")
    given = {"mode": ("text", {"componentInputParameter": "mode"})}
    policy = {"condition": "inputs.parameter_values['mode'] == 'go'"}
    spec.add("Maybe", shell("true"), parameters=given, triggerPolicy=policy)
    spec.add("After", shell("true"), dependentTasks=["Maybe"])
    spec.add("Beside", shell("true"))
    result = runner.run(spec, {"mode": value})
    assert states(result) == {"Maybe": state, "After": state, "Beside": "executed"}
    assert result.state == "SUCCEEDED"


def test_a_full_disk_of_a_task_is_named(runner, graph):
    said = "OSError: [Errno 28] Can't close file (time = now, errno = 28)"
    spec = SpecBuilder()
    spec.add("Trainer", shell(f'echo "{said}" >&2; exit 1'))
    result = runner.run(spec)
    assert result.state == "FAILED"
    assert error_of(result, "Trainer").startswith("the disk at /")
    assert "is full (" in error_of(result, "Trainer")
    [trainer] = graph().executions_of_run("run-1")
    assert trainer.state == "failed"


OUTPUT_FILE = "{{$.outputs.output_file}}"


@pytest.mark.parametrize(("blessed", "outcome"), [(0, "refused"), (1, "pushed")])
@pytest.mark.parametrize("judge", ["ModelBlessing", "InfraBlessing"])
def test_a_refused_model_is_refused_though_a_condition_holds_the_pusher_back(
    runner, graph, judge, blessed, outcome
):
    def titled(name, key, title):
        definitions = spec.spec["components"][name]["outputDefinitions"]["artifacts"]
        definitions[key]["artifactType"] = {"instanceSchema": f"title: tfx.{title}\ntype: object"}

    def said(key, **values):
        content = {"artifacts": {key: {"artifacts": [{"metadata": values}]}}}
        return shell('printf %s "$1" > $0', OUTPUT_FILE, json.dumps(content))

    spec = SpecBuilder()
    spec.add("Judge", said("model", blessed=blessed), outputs=["model"])
    titled("Judge", "model", judge)
    condition = "inputs.artifacts['model'].artifacts[0].metadata['blessed'] == 1.0"
    spec.add(
        "Push",
        said("pushed", pushed=1),
        {"model": from_task("Judge", "model")},
        outputs=["pushed"],
        triggerPolicy={"condition": condition},
    )
    titled("Push", "pushed", "PushedModel")
    result = runner.run(spec)
    assert result.state == "SUCCEEDED", [str(node.error) for node in result.nodes]
    assert [run.outcome for run in list_runs(graph())] == [outcome]
    assert {node.name: node.publishes for node in result.nodes} == {"Judge": False, "Push": True}


def with_exit_handler(script):
    """As TFX compiles it: the tasks in a pipeline of their own, the handler after that."""
    spec = SpecBuilder()
    spec.add("Work", shell(script))
    spec.add("Next", shell("true"), dependentTasks=["Work"])
    tasks = spec.spec["root"]["dag"]["tasks"]
    inner = {name: tasks.pop(name) for name in ("Work", "Next")}
    spec.spec["components"]["tfx-dag"] = {"dag": {"tasks": inner}}
    tasks["tfx-dag"] = {"componentRef": {"name": "tfx-dag"}}
    status = {"taskFinalStatus": {"producerTask": "tfx-dag"}}
    spec.add(
        "Handler",
        shell('echo "$0" > $1', parameter("status"),
              output_file("seen")),
        parameters={"status": ("text", status)},
        results={"seen": "text"},
        dependentTasks=["tfx-dag"],
        triggerPolicy={"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
    )  # fmt: skip
    return spec


@pytest.mark.parametrize(
    ("script", "state", "after"),
    [("true", "SUCCEEDED", "executed"), ("exit 3", "FAILED", "skipped")],
)
def test_an_exit_handler_runs_in_any_case_and_is_told_how_it_went(
    runner, graph, script, state, after
):
    result = runner.run(with_exit_handler(script))
    assert result.state == state
    assert states(result)["tfx-dag.Next"] == after
    assert states(result)["Handler"] == "executed"
    [handler] = [e for e in graph().executions_of_run("run-1") if e.place.node == "Handler"]
    told = json.loads(json.loads(handler.properties["output_parameter.seen"]))
    assert (told["state"], told["pipelineTaskName"]) == (state, "tfx-dag")
    said = told.get("error", {}).get("message", "")
    assert said.startswith("tfx-dag.Work: exit code 3: ") == (state == "FAILED")


def test_a_failed_task_is_tried_again_on_clean_ground(runner, tmp_path):
    spec = SpecBuilder()
    script = f"echo x >> {tmp_path}/tries; test ! -e $0 || exit 9; mkdir $0; touch $0/left; " \
        f"test $(wc -l < {tmp_path}/tries) = 3"  # fmt: skip
    policy = {"maxRetryCount": 3, "backoffDuration": "0.01s"}
    spec.add("Flaky", shell(script, OUT), outputs=["model"], retryPolicy=policy)
    assert runner.run(spec).state == "SUCCEEDED"
    assert (tmp_path / "tries").read_text() == "x\nx\nx\n"


def test_after_the_last_try_it_has_failed(runner, tmp_path):
    spec = SpecBuilder()
    policy = {"maxRetryCount": 1, "backoffDuration": "0.01s"}
    spec.add("Bad", shell(f"echo x >> {tmp_path}/tries; exit 4"), retryPolicy=policy)
    result = runner.run(spec)
    assert error_of(result, "Bad").startswith(
        "exit code 4 after 2 attempts: its command printed nothing; expected exit code 0. Hint: "
    )
    assert (tmp_path / "tries").read_text() == "x\nx\n"


def test_a_failure_names_the_task_its_log_and_the_command_that_repeats_it(runner, graph):
    spec = SpecBuilder()
    spec.add("Bad", shell('echo "it is $0"; echo boom >&2; exit 5', parameter("x")),
             parameters={"x": ("text", constant("the 'value'"))})  # fmt: skip
    spec.add("After", shell("true"), dependentTasks=["Bad"])
    spec.add("Beside", shell("sleep 0.2"))
    result = runner.run(spec)
    assert states(result) == {"Bad": "failed", "Beside": "executed", "After": "skipped"}
    message = error_of(result, "Bad")
    match = re.fullmatch(
        r"exit code 5: boom; expected exit code 0\. Hint: its log is (.+); "
        r"sh (.+) repeats exactly what was run\.",
        message,
    )
    assert match, message
    assert Path(match[1]).read_text() == "it is the 'value'\nboom\n"
    again = subprocess.run(["sh", match[2]], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout, again.stderr) == (5, "it is the 'value'\n", "boom\n")
    [run] = list_runs(graph())
    assert (run.status, run.outcome) == ("failed", "failed")


def test_a_python_command_gets_our_python_and_our_sources(runner):
    spec = SpecBuilder()
    script = "import sys, fareline; open(sys.argv[1], 'w').write(sys.executable)"
    spec.add("Where", {"container": {"command": ["python3", "-c", script], "args": [
        output_file("at")]}}, results={"at": "text"})  # fmt: skip
    spec.add("Same", shell("test $0 = $(python -c 'import sys; print(sys.executable)')",
                           parameter("at")),
             parameters={"at": ("text", parameter_from("Where", "at"))})  # fmt: skip
    assert states(runner.run(spec)) == {"Where": "executed", "Same": "executed"}


def test_a_missing_command_says_so(runner):
    spec = SpecBuilder().add("Bad", {"container": {"command": ["no-such-command"]}})
    assert error_of(runner.run(spec), "Bad").startswith(
        "exit code 127: no-such-command: No such file or directory; expected exit code 0."
    )


# The cache.


def cached_spec(**changes):
    spec = SpecBuilder()
    task = {"cachingOptions": {"enableCache": True}} | changes
    spec.add("Writer", shell(f"{WRITE_MODEL}; echo true > $1", OUT,
                             output_file("n")),
             outputs=["model"], results={"n": "flag"}, **task)  # fmt: skip
    spec.add("Reader", shell("test $1 = true && cat $0/file", IN, parameter("n")),
             {"model": from_task("Writer", "model")},
             {"n": ("flag", parameter_from("Writer", "n"))}, **task)  # fmt: skip
    return spec


def test_the_same_task_is_served_from_the_cache(runner, graph):
    first = runner.run(cached_spec())
    second = runner.run(cached_spec())
    assert states(first) == {"Writer": "executed", "Reader": "executed"}
    assert states(second) == {"Writer": "cached", "Reader": "cached"}
    outputs = [outputs_of_run(graph(), run)["Writer"]["model"] for run in ("run-1", "run-2")]
    assert outputs[0] == outputs[1]
    assert states(runner.run(cached_spec())) == {"Writer": "cached", "Reader": "cached"}


def test_the_cache_is_not_asked_where_the_specification_or_the_user_says_so(runner):
    runner.run(cached_spec())
    off = cached_spec(cachingOptions={"enableCache": False})
    assert states(runner.run(off)) == {"Writer": "executed", "Reader": "executed"}
    forced = runner.run(cached_spec(), use_cache=False)
    assert states(forced) == {"Writer": "executed", "Reader": "executed"}


def test_another_command_or_gone_outputs_are_executed_again(runner, graph):
    runner.run(cached_spec())
    changed = cached_spec()
    changed.spec["deploymentSpec"]["executors"]["Reader"]["container"]["args"].append("more")
    assert states(runner.run(changed)) == {"Writer": "cached", "Reader": "executed"}
    [model] = outputs_of_run(graph(), "run-1")["Writer"]["model"]
    Path(model.uri, "file").unlink()
    Path(model.uri).rmdir()
    assert states(runner.run(cached_spec())) == {"Writer": "executed", "Reader": "executed"}


def test_a_pre_cache_check_adds_to_the_key_and_to_the_outputs(runner, graph, tmp_path):
    answer = {
        "parameterValues": {"fingerprint": "FP"},
        "artifacts": {"model": {"artifacts": [{"metadata": {"span": 4}}]}},
    }

    def spec(fingerprint):
        text = json.dumps(answer).replace("FP", fingerprint)
        executor = shell(WRITE_MODEL, OUT)
        check = {
            "command": ["sh", "-c"],
            "args": [f"echo '{text}' > {{{{$.outputs.output_file}}}}"],
        }
        executor["container"]["lifecycle"] = {"preCacheCheck": check}
        caching = {"enableCache": True}
        return SpecBuilder().add("Gen", executor, outputs=["model"], cachingOptions=caching)

    assert states(runner.run(spec("one"), job={})) == {"Gen": "executed"}
    assert states(runner.run(spec("one"), job={})) == {"Gen": "cached"}
    assert states(runner.run(spec("two"), job={})) == {"Gen": "executed"}
    [model] = outputs_of_run(graph(), "run-1")["Gen"]["model"]
    assert model.properties["span"] == 4
    [execution] = graph().executions_of_run("run-1")
    assert execution.properties["fingerprint"] == "one"


# Importers, resolvers, buckets.


def importer(uri, **more):
    return {"importer": {"artifactUri": {"constant": uri}, "typeSchema": {
        "instanceSchema": "title: tfx.Model\ntype: object\n"}, **more}}  # fmt: skip


def test_an_importer_brings_one_artifact_and_knows_it_again(runner, graph, tmp_path):
    spec = SpecBuilder()
    spec.add("Import", importer("gs://bucket/model", metadata={"note": "mine", "size": 3}),
             outputs=["model"])  # fmt: skip
    folders = {"gs://bucket": str(tmp_path / "bucket")}
    runner.run(spec, folders=folders)
    runner.run(spec, folders=folders)
    [first], [second] = (outputs_of_run(graph(), r)["Import"]["model"] for r in ("run-1", "run-2"))
    assert first == second and first.uri == f"{tmp_path}/bucket/model"
    assert (first.properties["note"], first.properties["size"]) == ("mine", 3)
    spec.spec["deploymentSpec"]["executors"]["Import"]["importer"]["reimport"] = True
    runner.run(spec, folders=folders)
    [third] = outputs_of_run(graph(), "run-3")["Import"]["model"]
    assert third != first


def test_a_resolver_takes_the_latest_that_passes_and_nothing_at_first(runner, tmp_path):
    query = 'schema_title="tfx.Model" AND state=LIVE'
    spec = SpecBuilder()
    resolver = {"resolver": {"outputArtifactQueries": {"model": {"filter": query}}}}
    spec.add("Latest", resolver, outputs=["model"])
    spec.add("Writer", shell(WRITE_MODEL, OUT), outputs=["model"], dependentTasks=["Latest"])
    spec.add("Show", shell(f"cat > {tmp_path}/seen <<END\n$0\nEND", "{{$}}"),
             {"model": from_task("Latest", "model")})  # fmt: skip
    runner.run(spec)
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["inputs"]["artifacts"] == {"model": {}}
    runner.run(spec)
    seen = json.loads((tmp_path / "seen").read_text())
    [model] = seen["inputs"]["artifacts"]["model"]["artifacts"]
    assert "/run-1/Writer/model/" in model["uri"]
    assert model["name"].startswith("artifact-") and model["type"]["instanceSchema"]


def test_cancelling_ends_what_runs_and_starts_nothing_more(runner, graph):
    spec = SpecBuilder()
    spec.add("Long", shell("sleep 60"))
    spec.add("After", shell("true"), dependentTasks=["Long"])
    cancel = threading.Event()
    threading.Timer(0.5, cancel.set).start()
    result = runner.run(spec, cancel=cancel)
    assert result.state == "CANCELLED"
    assert states(result) == {"Long": "skipped", "After": "skipped"}
    [run] = list_runs(graph())
    assert (run.outcome, [n.state for n in run.nodes]) == ("interrupted", ["failed"])


def test_fail_fast_starts_nothing_after_a_failure(runner):
    spec = SpecBuilder()
    spec.add("Bad", shell("exit 1"))
    spec.add("Slow", shell("sleep 0.5"))
    spec.add("Third", shell("true"), dependentTasks=["Slow"])
    policy = {"runtimeConfig": {"failurePolicy": "PIPELINE_FAILURE_POLICY_FAIL_FAST"}}
    assert states(runner.run(spec, job=policy))["Third"] == "skipped"
    assert states(runner.run(spec, job={}))["Third"] == "executed"
