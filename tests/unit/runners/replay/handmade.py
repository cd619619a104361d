"""Handmade specifications whose containers are shell commands: no TFX, milliseconds per task."""

import json

from runners.replay.execute import run_spec
from runners.replay.plan import SpecRun, make_plan
from runners.replay.reading.document import parse_document
from runners.replay.reading.uris import UriMap
from runners.workspace import Workspace

MODEL = {"instanceSchema": "title: tfx.Model\ntype: object\n"}
KINDS = {"text": "STRING", "number": "NUMBER_DOUBLE", "count": "NUMBER_INTEGER", "flag": "BOOLEAN"}


def shell(script, *args):
    """A container that runs a script; `$0` and so on are its arguments, placeholders filled."""
    return {"container": {"image": "image:1", "command": ["sh", "-c", script], "args": list(args)}}


def constant(value):
    return {"runtimeValue": {"constant": value}}


def from_task(task, key):
    return {"taskOutputArtifact": {"producerTask": task, "outputArtifactKey": key}}


def parameter_from(task, key):
    return {"taskOutputParameter": {"producerTask": task, "outputParameterKey": key}}


class SpecBuilder:
    """Adds tasks one by one, and yields a PipelineSpec or a PipelineJob."""

    def __init__(self, name="tiny"):
        self.spec = {
            "pipelineInfo": {"name": name},
            "schemaVersion": "2.1.0",
            "root": {"dag": {"tasks": {}}},
            "components": {},
            "deploymentSpec": {"executors": {}},
        }

    def add(
        self, name, executor, artifacts=None, parameters=None, outputs=(), results=None, **task
    ):
        """Adds a task.

        Args:
            name: Of task, component and executor.
            executor: What it does.
            artifacts: Input key to where it comes from.
            parameters: Name to its kind (a key of KINDS) and where it comes from.
            outputs: Keys of its output artifacts, all of them models.
            results: Output parameters, name to kind.
            task: More fields of the task.
        """
        inputs = {
            "artifacts": {key: {"artifactType": MODEL} for key in artifacts or {}},
            "parameters": {
                key: {"parameterType": KINDS[kind]} for key, (kind, _) in (parameters or {}).items()
            },
        }
        outputs_spec = {
            "artifacts": {key: {"artifactType": MODEL} for key in outputs},
            "parameters": {
                key: {"parameterType": KINDS[kind]} for key, kind in (results or {}).items()
            },
        }
        self.spec["components"][name] = {
            "executorLabel": name,
            "inputDefinitions": inputs,
            "outputDefinitions": outputs_spec,
        }
        self.spec["deploymentSpec"]["executors"][name] = executor
        self.spec["root"]["dag"]["tasks"][name] = {
            "componentRef": {"name": name},
            "inputs": {
                "artifacts": artifacts or {},
                "parameters": {key: source for key, (_, source) in (parameters or {}).items()},
            },
            **task,
        }
        return self

    def add_parameter(self, name, kind, **more):
        """Adds a runtime parameter of the pipeline."""
        root = self.spec["root"].setdefault("inputDefinitions", {"parameters": {}})
        root["parameters"][name] = {"parameterType": KINDS[kind], **more}
        return self

    def document(self, job=None):
        """Parsed; with `job`, as the PipelineJob with these fields more."""
        content = self.spec if job is None else {"pipelineSpec": self.spec, **job}
        return parse_document([json.loads(json.dumps(content))], "spec.json")

    def plan(self, values=None, folders=None, job=None, root="/root"):
        return make_plan(self.document(job), values, UriMap(folders or {}), default_root=root)


class SpecRunner:
    """Runs specifications in one workspace."""

    def __init__(self, folder):
        self.folder = folder
        self.workspace = Workspace(folder / "workspace")
        self.runs = 0

    def run(self, builder, values=None, folders=None, job=None, cancel=None, **changes):
        """Runs one to its end; `result.states` is node to state, beside what `run_spec` returns."""
        self.runs += 1
        plan = builder.plan(values, folders, job, root=str(self.folder / "artifacts"))
        changes = {"run_id": f"run-{self.runs}", **changes}
        with self.workspace.locked():
            return run_spec(SpecRun(plan, self.workspace, **changes), cancel=cancel)


def states(result):
    return {node.name: node.state.value for node in result.nodes}


def error_of(result, name):
    [node] = [node for node in result.nodes if node.name == name]
    return str(node.error)
