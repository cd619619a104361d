"""A specification of two tasks, small enough to read, for tests that execute nothing."""

import copy

SPEC = {
    "pipelineInfo": {"name": "tiny"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "tfx-1.16.0",
    "root": {
        "dag": {
            "tasks": {
                "Trainer": {
                    "taskInfo": {"name": "Trainer"},
                    "componentRef": {"name": "Trainer"},
                    "dependentTasks": ["Examples"],
                },
                "Examples": {
                    "taskInfo": {"name": "Examples"},
                    "componentRef": {"name": "Examples"},
                },
            }
        },
        "inputDefinitions": {
            "parameters": {
                "steps": {"parameterType": "NUMBER_INTEGER"},
                "data-root": {"parameterType": "STRING"},
            }
        },
    },
    "components": {
        "Trainer": {"executorLabel": "Trainer_executor"},
        "Examples": {"executorLabel": "Examples_executor"},
    },
    "deploymentSpec": {
        "executors": {
            "Trainer_executor": {"container": {"image": "image:1", "command": ["true"]}},
            "Examples_executor": {"container": {"image": "image:1", "command": ["true"]}},
        }
    },
}
VALUES = {"steps": 5, "data-root": "gs://taxi-bucket/data"}


def spec_with_resolver():
    spec = copy.deepcopy(SPEC)
    spec["deploymentSpec"]["executors"]["Examples_executor"] = {"resolver": {}}
    return spec


def vertex_job(spec=None, values=None, root="gs://taxi-bucket/root"):
    return {
        "displayName": "tiny",
        "pipelineSpec": SPEC if spec is None else spec,
        "runtimeConfig": {
            "gcsOutputDirectory": root,
            "parameterValues": VALUES if values is None else values,
        },
    }
