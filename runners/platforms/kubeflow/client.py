"""Open-source Kubeflow Pipelines, through kfp.Client.

Only what kfp 2.5 and kfp 2.16 have in common is called: the methods of the client, not those of the
generated one below it. Its own waiting never ends on a cancelled run, so `runners.submit.following`
asks instead. Imports kfp when a command needs it.
"""

import contextlib
import functools
import hashlib
import io
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from fareline.errors import FarelineError
from fareline.scratch import scratch_folder
from pipeline.settings.runners import Kubeflow
from runners.platforms.errors import Advice, exists_already, explain_answer, no_answer, one_line
from runners.platforms.jobs import (
    JobState,
    JobStatus,
    PlatformError,
    RefusedRequestError,
    Request,
    Submitted,
)
from runners.platforms.kubeflow.tasks import read_tasks

TOKEN_VARIABLE = "KUBEFLOW_TOKEN"
HOST_VARIABLE = "KF_PIPELINES_ENDPOINT"  # kfp's own
ADVICE = Advice(
    platform="kubeflow",
    account=f"the token of an account of the cluster in {TOKEN_VARIABLE}",
    role="an account that may create runs and pipelines in runners.kubeflow.namespace",
    sign_in=f"set {TOKEN_VARIABLE} to a new token",
    roles="docs/kubeflow.md lists the roles",
    place="runners.kubeflow.host and namespace in the settings say where to look",
    room="wait for other runs to end, or have the quota of the namespace raised",
    address="runners.kubeflow.host in the settings",
)
SECONDS = 60  # that one answer may take; a whole number, or the client passes it over

_JOB_STATES = {
    "RUNNING": JobState.RUNNING,
    "SUCCEEDED": JobState.SUCCEEDED,
    "SKIPPED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
    "CANCELING": JobState.CANCELLING,
    "CANCELED": JobState.CANCELLED,
    "PAUSED": JobState.PAUSED,
}


class KubeflowPlatform:
    """Runs and recurring runs of one installation.

    Args:
        settings: The section `runners.kubeflow`.

    Raises:
        RefusedRequestError: If no host is known.
    """

    name = "kubeflow"

    def __init__(self, settings: Kubeflow):
        self._settings = settings
        self._host = (settings.host or os.environ.get(HOST_VARIABLE, "")).rstrip("/")
        self._connected: Any = None
        self._specs: dict[str, Mapping[str, Any]] = {}

    def describe(self, request: Request) -> dict[str, Any]:
        """Returns what the requests say, with the names of the API."""
        run = {
            "display_name": request.job_id,
            "service_account": self._settings.service_account,
            "runtime_config": {"parameters": dict(request.parameters)},
        }
        if request.schedule is not None:
            run |= {
                "trigger": {"cron_schedule": {"cron": _six_fields(request.schedule)}},
                "max_concurrency": 1,
                "no_catchup": True,
            }
        return {
            "host": self._host or None,
            "namespace": self._settings.namespace,
            "experiment": self._settings.experiment,
            "pipeline": {
                "display_name": request.pipeline_name,
                "version": _version_name(request.spec),
                "pipeline_spec": dict(request.spec),
            },
            "run" if request.schedule is None else "recurring_run": run,
        }

    def submit(self, request: Request) -> Submitted:
        """Uploads the pipeline if it is new, and creates the run, or the recurring run."""
        with self._explained(request.job_id):
            client = self._client()
            namespace = self._settings.namespace
            experiment = client.create_experiment(self._settings.experiment, namespace=namespace)
            # Kubeflow takes any number of runs of one name; then none could be told from another.
            self._refuse_existing(client, experiment.experiment_id, request)
            pipeline_id, version_id = self._upload(client, request)
            told = {
                "experiment_id": experiment.experiment_id,
                "job_name": request.job_id,
                "params": dict(request.parameters),
                "pipeline_id": pipeline_id,
                "version_id": version_id,
                "service_account": self._settings.service_account,
            }
            if request.schedule is None:
                return self._submitted(client.run_pipeline(**told).run_id)
            recurring = client.create_recurring_run(
                cron_expression=_six_fields(request.schedule), no_catchup=True, **told
            )
            return self._submitted(recurring.recurring_run_id, "recurringrun")

    def find(self, job_id: str) -> Submitted:
        """Finds a run by its id."""
        with self._explained(job_id):
            return self._submitted(self._client().get_run(job_id).run_id)

    def find_named(self, job_id: str) -> Submitted | None:
        """Finds a run by its name; None: the experiment has no such run."""
        with self._explained(job_id):
            client = self._client()
            namespace = self._settings.namespace
            experiment = client.create_experiment(self._settings.experiment, namespace=namespace)
            run = self._run_named(client, experiment.experiment_id, job_id)
        return None if run is None else self._submitted(run.run_id)

    def look(self, job_id: str) -> JobStatus:
        """Returns the progress of a run."""
        with self._explained(job_id):
            run = self._client().get_run(job_id)
            if job_id not in self._specs:
                self._specs[job_id] = self._spec_of(run)
        details = (run.run_details and run.run_details.task_details) or []
        tasks = read_tasks(details, self._specs[job_id])
        error = (run.error and run.error.message) or ""
        return JobStatus(_JOB_STATES.get(run.state, JobState.PENDING), tasks, error)

    def cancel(self, job_id: str) -> None:
        """Asks Kubeflow to terminate a run."""
        with self._explained(job_id):
            self._client().terminate_run(job_id)

    def _spec_of(self, run: Any) -> Mapping[str, Any]:
        """The spec that a run executes, which says what its tasks are called."""
        spec = run.pipeline_spec
        if spec is None:
            at = run.pipeline_version_reference
            version = self._client().get_pipeline_version(at.pipeline_id, at.pipeline_version_id)
            spec = version.pipeline_spec
        # With settings for Kubernetes beside it, the spec is one of two documents.
        return spec.get("pipeline_spec", spec)

    def _run_named(self, client: Any, experiment_id: str, name: str) -> Any:
        runs = client.list_runs(experiment_id=experiment_id, filter=_named(name)).runs
        return runs[0] if runs else None

    def _refuse_existing(self, client: Any, experiment_id: str, request: Request) -> None:
        if request.schedule is None:
            run = self._run_named(client, experiment_id, request.job_id)
            if run is not None:
                raise exists_already(self.name, request.job_id, run.run_id)
            return
        recurring = client.list_recurring_runs(
            experiment_id=experiment_id, filter=_named(request.job_id)
        ).recurring_runs
        if recurring:
            raise RefusedRequestError.explain(
                request.job_id,
                f"is scheduled already, `{recurring[0].trigger.cron_schedule.cron}`",
                "expected a schedule that does not exist yet",
                "delete that one first, or name another --job-id: "
                + self._submitted(recurring[0].recurring_run_id, "recurringrun").link,
            )

    def _upload(self, client: Any, request: Request) -> tuple[str, str]:
        """Makes the spec a version of the pipeline, unless it is one already."""
        name, version = request.pipeline_name, _version_name(request.spec)
        namespace = self._settings.namespace
        with scratch_folder("fareline-spec-") as folder:
            package = Path(folder, "pipeline.yaml")
            package.write_text(yaml.safe_dump(dict(request.spec), sort_keys=False), "utf-8")
            found = client.list_pipelines(filter=_named(name), namespace=namespace).pipelines
            if found:
                pipeline_id = found[0].pipeline_id
            else:
                uploaded = client.upload_pipeline(str(package), name, namespace=namespace)
                pipeline_id = uploaded.pipeline_id
            versions = client.list_pipeline_versions(pipeline_id, filter=_named(version))
            if versions.pipeline_versions:
                return pipeline_id, versions.pipeline_versions[0].pipeline_version_id
            # Also after the first upload, whose version the backend names after the pipeline.
            uploaded = client.upload_pipeline_version(str(package), version, pipeline_id)
            return pipeline_id, uploaded.pipeline_version_id

    def _submitted(self, last_part: str, kind: str = "runs") -> Submitted:
        return Submitted(last_part, f"{self._host}/#/{kind}/details/{last_part}")

    def _client(self) -> Any:
        if not self._host:
            raise RefusedRequestError.explain(
                "runners.kubeflow.host",
                "is not set",
                "expected the address of Kubeflow Pipelines",
                f"set it in the settings, or {HOST_VARIABLE}",
            )
        if self._connected is None:
            self._connected = _connect(self._host, self._settings.namespace)
        return self._connected

    @contextlib.contextmanager
    def _explained(self, job_id: str) -> Iterator[None]:
        """Turns what the client raises into one line, and keeps its chatter off stdout."""
        import kfp_server_api
        import urllib3

        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except FarelineError:  # a ValueError too, where it is the user's mistake
            raise
        except kfp_server_api.ApiException as error:
            raise explain_answer(ADVICE, error.status, _said(error), job_id) from error
        except urllib3.exceptions.HTTPError as error:
            raise no_answer(ADVICE, self._host, error) from error
        except ValueError as error:  # kfp's own, where a name is not one thing's alone
            raise PlatformError.explain(
                self.name,
                one_line(str(error)),
                "expected one of that name",
                "name another runners.kubeflow.experiment",
            ) from error


def _connect(host: str, namespace: str | None) -> Any:
    import kfp
    import kfp_server_api

    class Client(kfp.Client):
        """Asks nothing on construction: whether there are several users, the settings say."""

        def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:
            return kfp_server_api.V2beta1GetHealthzResponse(multi_user=False)

    logging.getLogger().addHandler(logging.NullHandler())  # or kfp sets one up that prints
    # "kubeflow" is what kfp takes for no namespace at all.
    token = os.environ.get(TOKEN_VARIABLE)
    client = Client(host=host, namespace=namespace or "kubeflow", existing_token=token)
    _bound_waiting(client)
    return client


def _bound_waiting(client: Any) -> None:
    """Has every request of this client end in time: by itself it would wait for ever.

    A client that is built in another way is left as it is.
    """
    for api in vars(client).values():
        rest = getattr(getattr(api, "api_client", None), "rest_client", None)
        if rest is not None and not isinstance(rest.request, functools.partial):
            rest.request = functools.partial(_ask, rest.request)


def _ask(request: Callable[..., Any], *args: Any, **told: Any) -> Any:
    return request(*args, **told | {"_request_timeout": told.get("_request_timeout") or SECONDS})


def _named(name: str) -> str:
    """The filter for things of one name."""
    predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})


def _version_name(spec: Mapping[str, Any]) -> str:
    """Names a version by its content, so that the same spec is uploaded once."""
    text = json.dumps(spec, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _six_fields(cron: str) -> str:
    """Five cron fields as Kubeflow wants them, with seconds before them."""
    if cron.startswith("TZ="):
        raise RefusedRequestError.explain(
            "runners.kubeflow.schedule",
            f"found {cron}",
            "expected no time zone: Kubeflow uses the time zone of its controller",
            "leave TZ= out",
        )
    return f"0 {cron}"


def _said(error: Any) -> str:
    """The platform's own words."""
    try:
        answer = json.loads(error.body)
        return answer.get("error") or answer["message"]
    except (AttributeError, KeyError, TypeError, ValueError):
        return str(error.body or error.reason)
