"""Executes an exported workflow on this machine: its DAG, its placeholders, its exit handler.

Not Argo: containers are processes here, the volume is a folder, and there are no retries.
"""

import re
import subprocess
from pathlib import Path

import yaml


def run_workflow(path, name, folder, workspace, environment):
    """Runs a workflow; returns the exit code of each task that ran, in order, `onExit` last.

    Args:
        path: Of the YAML.
        name: That the workflow gets.
        folder: For files that Argo would put into containers.
        workspace: What the claim's volume is here.
        environment: Of the processes; its PATH stands for the image's.
    """
    spec = yaml.safe_load(path.read_text())["spec"]
    templates = {template["name"]: template for template in spec["templates"]}
    [volume] = spec["volumes"]
    mounts = {volume["name"]: workspace}
    codes = {}

    def run(task):
        template = templates[task["template"]]
        given = {p["name"]: p["value"] for p in task.get("arguments", {}).get("parameters", [])}
        expected = {p["name"] for p in template.get("inputs", {}).get("parameters", [])}
        assert set(given) == expected, task
        places = {"workflow.name": name, **{f"inputs.parameters.{k}": v for k, v in given.items()}}
        container, paths = template["container"], {}
        for artifact in template.get("inputs", {}).get("artifacts", []):
            paths[artifact["path"]] = str(folder / Path(artifact["path"]).name)
            Path(paths[artifact["path"]]).write_text(artifact["raw"]["data"])
        for mount in container["volumeMounts"]:
            paths[mount["mountPath"]] = str(mounts[mount["name"]])
        words = [*container["command"], *container["args"]]
        words = [re.sub(r"\{\{(.+?)\}\}", lambda found: places[found[1]], word) for word in words]
        words = [paths.get(word, word) for word in words]
        done = subprocess.run(words, cwd=folder, env=environment, check=False)
        codes[task["name"]] = done.returncode

    waiting = {task["name"]: task for task in templates[spec["entrypoint"]]["dag"]["tasks"]}
    while True:
        fine = {task for task, code in codes.items() if code == 0}
        ready = [t for t in waiting.values() if fine.issuperset(_before(t))]
        if not ready:
            break
        run(waiting.pop(ready[0]["name"]))
    run({"name": spec["onExit"], "template": spec["onExit"]})
    return codes


def _before(task):
    return set(filter(None, task.get("depends", "").split(" && ")))
