"""Argo Workflows: a container for each node."""

import copy
from typing import Any

import yaml

from runners.orchestrators.plan import Plan

_SAID = """\
# {pipeline} for Argo Workflows, written by `fareline export argo`.
#
# The workspace is the volume of the claim {claim}, which all steps mount. An SQLite
# store is for pods of one node; with steps on several nodes, set metadata.store to a server, and
# let the claim be ReadWriteMany. The id of the run is the workflow's name, which `argo retry`
# keeps. A node behind a gate that has stopped the run is omitted; a model that was refused is told
# by the output of end, which runs whatever came before.
"""
_CLAIM = "fareline-workspace"
_WORKSPACE = "/workspace"
_SETTINGS = "/fareline/settings.yaml"
_RUN = "{{workflow.name}}"
# Exit code 3, a refused model, is no failure of the workflow.
_SHELL = '"$@" || { code=$?; [ "$code" -eq 3 ] || exit "$code"; }'
_RETRY = {
    "limit": "3",
    "retryPolicy": "Always",
    "backoff": {"duration": "30s"},
    # Busy, killed, or the pod is gone.
    "expression": 'lastRetry.status == "Error" || asInt(lastRetry.exitCode) in [75, 137, 143]',
}


def argo_file(plan: Plan) -> str:
    """The workflow as YAML; with a schedule a CronWorkflow."""
    text = yaml.safe_dump(_manifest(plan), sort_keys=False, width=100, allow_unicode=True)
    return _SAID.format(pipeline=plan.pipeline, claim=_CLAIM) + text


def _manifest(plan: Plan) -> dict[str, Any]:
    version, workflow = {"apiVersion": "argoproj.io/v1alpha1"}, _workflow(plan)
    zone, fields = plan.zone_and_fields
    if fields is None:
        named = {"generateName": f"{plan.pipeline}-"}
        return {**version, "kind": "Workflow", "metadata": named, "spec": workflow}
    spec = {
        "schedules": [fields],
        "timezone": zone,
        "concurrencyPolicy": "Forbid",
        "workflowSpec": workflow,
    }
    return {**version, "kind": "CronWorkflow", "metadata": {"name": plan.pipeline}, "spec": spec}


def _workflow(plan: Plan) -> dict[str, Any]:
    tasks = [
        {
            "name": node,
            "template": "step",
            "arguments": {"parameters": [{"name": "node", "value": node}]},
            "depends": " && ".join(before or ["begin"]),
        }
        for node, before in plan.upstream.items()
    ]
    begin = _template(plan, "begin", "begin", "--orchestrator", "argo", *plan.begin_options)
    if plan.settings_text is not None:
        settings = {"name": "settings", "path": _SETTINGS, "raw": {"data": plan.settings_text}}
        begin = {"name": "begin", "inputs": {"artifacts": [settings]}, **begin}
    step = _template(plan, "step", "run", "{{inputs.parameters.node}}")
    step = {"name": "step", "inputs": {"parameters": [{"name": "node"}]}, **step}
    claim = {"name": "workspace", "persistentVolumeClaim": {"claimName": _CLAIM}}
    return {
        "entrypoint": "pipeline",
        "onExit": "end",
        "volumes": [claim],
        "templates": [
            {
                "name": "pipeline",
                "dag": {"tasks": [{"name": "begin", "template": "begin"}, *tasks]},
            },
            begin,
            step,
            _template(plan, "end", "end"),
        ],
    }


def _template(plan: Plan, name: str, *words: str) -> dict[str, Any]:
    called = ["fareline", "step", *words, "--run", _RUN, "--workspace", _WORKSPACE]
    return {
        "name": name,
        "retryStrategy": copy.deepcopy(_RETRY),
        "container": {
            "image": plan.image,
            "command": ["sh", "-c", _SHELL, "fareline"],
            "args": called,
            "volumeMounts": [{"name": "workspace", "mountPath": _WORKSPACE}],
        },
    }


def argo_options(overrides: tuple[str, ...], has_settings: bool) -> tuple[str, ...]:
    """Options of `step begin` in a container, where the settings file is another one."""
    config = ("--config", _SETTINGS) if has_settings else ()
    return (*config, *(word for each in overrides for word in ("--set", each)))
