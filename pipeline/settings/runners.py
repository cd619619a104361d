"""The section `runners` of the settings: what a pipeline needs to know to run in a cluster.

Every meaning stands in pipeline/configs/taxi.yaml; rules about the graph or the compiled spec are
in pipeline.rules.cluster and pipeline.rules.spec. Called by pipeline.settings.settings. Imports no
TFX and no TensorFlow.
"""

import re
from typing import Annotated, ClassVar, Literal

import pydantic
from pydantic import Field

from pipeline.settings.running.cron import ZONE, names_sunday_7, require_cron
from pipeline.settings.running.machines import require_machine_type
from pipeline.settings.values import Count, Positive, Section

RunnerName = Literal["kubeflow", "vertex"]
RUNNER_NAMES: tuple[RunnerName, ...] = ("kubeflow", "vertex")
PushDestination = Literal["folder", "vertex"]  # of `push.destinations`
FOLDER: PushDestination = "folder"
ON_VERTEX: PushDestination = "vertex"
DEFAULT_NODE = "default"  # the entry of `resources` for nodes that have none of their own


def _pattern(expression: str, expected: str):
    """A text that matches all of a pattern; otherwise the message says what was expected."""

    def require_match(value: str) -> str:
        if not re.fullmatch(expression, value):
            raise ValueError(f"expected {expected}")
        return value

    return Annotated[str, pydantic.AfterValidator(require_match)]


_MOST_LABELS = 60  # of 64 that a job takes, with those that TFX adds
Label = _pattern(
    r"[a-z0-9_-]{0,63}", "at most 63 lower-case letters, digits, hyphens and underscores"
)
# Source: https://cloud.google.com/resource-manager/docs/labels-overview; Vertex overwrites its own.
LabelKey = _pattern(
    r"(?!goog|vertex-ai-pipelines-run-billing-id$)[a-z][a-z0-9_-]{0,62}",
    "at most 63 lower-case letters, digits, hyphens and underscores, first a letter, and none that "
    "is Google's own",
)
# Source: https://cloud.google.com/iam/docs/service-accounts-create; default accounts of services.
ServiceAccount = _pattern(
    r"[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z][a-z0-9-]{4,28}[a-z0-9](\.[a-z0-9.-]+)?"
    r"\.iam\.gserviceaccount\.com"
    r"|\d+-compute@developer\.gserviceaccount\.com"
    r"|\d+@(cloudbuild|cloudservices)\.gserviceaccount\.com"
    r"|[a-z][a-z0-9.-]*@appspot\.gserviceaccount\.com",
    "NAME@PROJECT.iam.gserviceaccount.com",
)
# Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names
_KUBERNETES = "a Kubernetes name: lower-case letters, digits, hyphens"
KubernetesName = _pattern(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", _KUBERNETES
)
Namespace = _pattern(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", f"{_KUBERNETES}, at most 63")
Project = _pattern(
    r"[a-z][a-z0-9-]{4,28}[a-z0-9]", "a project id: 6 to 30 lower-case letters, digits, hyphens"
)
Region = _pattern(r"[a-z]+-[a-z]+[0-9]+", "a region, such as europe-west4")
_NETWORK_NAME = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
Network = _pattern(
    rf"projects/\d+/global/networks/{_NETWORK_NAME}", "projects/NUMBER/global/networks/NAME"
)
Subnetwork = _pattern(
    rf"(https://www\.googleapis\.com/compute/v1/projects/[^/\s]+/)?regions/[a-z0-9-]+/subnetworks/"
    rf"{_NETWORK_NAME}",
    "regions/REGION/subnetworks/NAME, or the whole address of one",
)
EncryptionKey = _pattern(
    r"projects/[^/\s]+/locations/[a-z0-9-]+/keyRings/[\w-]{1,63}/cryptoKeys/[\w-]{1,63}",
    "projects/P/locations/L/keyRings/R/cryptoKeys/K",
)
# Source: https://cloud.google.com/storage/docs/buckets#naming
_BUCKET_PART = r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?"
BUCKET_NAME = (
    r"(?!goog|.*g[o0]{2}gle|(\d{1,3}\.){3}\d{1,3}$)(?=.{3,222}$)"
    rf"{_BUCKET_PART}(\.{_BUCKET_PART})*"
)
BUCKET_RULE = (
    "at least 3 lower-case letters, digits, hyphens, underscores and dots, without google, each "
    "part between dots at most 63, first and last a letter or digit"
)
Bucket = _pattern(f"gs://{BUCKET_NAME}", f"gs://NAME, without a folder; a name has {BUCKET_RULE}")
Cron = Annotated[str, pydantic.AfterValidator(require_cron)]
# Source: github.com/distribution/reference, which every registry goes by.
_IMAGE_PART = r"[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*"
Image = _pattern(
    rf"(?![^@]{{256}})([A-Za-z0-9.-]+(:\d+)?/)?{_IMAGE_PART}(/{_IMAGE_PART})*(:\w[\w.-]{{0,127}})?"
    r"(@sha256:[0-9a-f]{64})?",
    "an image: [HOST[:PORT]/]NAME:TAG, the name in lower-case letters",
)
Experiment = _pattern(r"\S(.*\S)?", "a name")
Url = _pattern(
    r"https?://[^/\s]+(/\S*)?", "an address, such as https://HOST or http://127.0.0.1:PORT"
)
# Source: aiplatform_v1.UploadModelRequest.model_id, CreateEndpointRequest.endpoint_id.
VertexModelId = _pattern(
    r"[a-z_][a-z0-9_-]{0,62}",
    "at most 63 lower-case letters, digits, hyphens and underscores, first a letter",
)
VertexEndpointId = _pattern(
    r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?|[1-9][0-9]{0,8}",
    "at most 63 lower-case letters, digits and hyphens, first a letter; or a number of 9 digits",
)
MachineType = Annotated[str, pydantic.AfterValidator(require_machine_type)]


class Accelerator(Section):
    """A GPU by the name that the platform has for it: NVIDIA_TESLA_T4, or nvidia.com/gpu."""

    type: str
    count: Count = 1


class Resources(Section):
    """Resources of the container of one node; null leaves a value to the platform."""

    cpu: Positive | None = None
    memory_gb: Positive | None = None
    accelerator: Accelerator | None = None


class Cluster(Section):
    """Settings of every cluster.

    Attributes:
        image: Image of the steps and of Beam's workers.
        bucket: Bucket for all files without a place of their own.
        pipeline_root, data_path, push_destination: null: a folder of the pipeline in the bucket.
        SPEC_BYTES: The largest specification that the platform takes.
        EXECUTES_RESOLVERS: Whether the platform executes resolvers.
    """

    SPEC_BYTES: ClassVar[int]
    EXECUTES_RESOLVERS: ClassVar[bool] = True

    image: Image
    bucket: Bucket
    pipeline_root: str | None = None
    data_path: str | None = None
    push_destination: str | None = None
    cache: bool = True
    resources: dict[str, Resources] = Field(default_factory=dict)
    beam_args: list[str] = Field(default_factory=list)
    schedule: Cron | None = None

    def place_of(self, setting: str, pipeline_name: str) -> str:
        """Where `pipeline_root`, `data_path` or `push_destination` is, given or by default."""
        folders = {
            "pipeline_root": "artifacts",
            "data_path": "data",
            "push_destination": "serving",
        }
        return getattr(self, setting) or f"{self.bucket}/{pipeline_name}/{folders[setting]}"


class Kubeflow(Cluster):
    """Open-source Kubeflow Pipelines."""

    # Argo keeps a Kubernetes object, which etcd limits to 1.5 MB; half of it is the spec.
    SPEC_BYTES = 700_000
    EXECUTES_RESOLVERS = False

    host: Url | None = None
    namespace: Namespace | None = None
    experiment: Experiment = "fareline"
    service_account: KubernetesName | None = None

    @pydantic.field_validator("schedule")
    @classmethod
    def _as_kubeflow_counts(cls, schedule: str | None):
        """Kubeflow counts in the time zone of its controller, and the week from Sunday, 0."""
        if schedule is not None and schedule.startswith(ZONE):
            raise ValueError("expected no time zone: Kubeflow uses the time zone of its controller")
        if schedule is not None and names_sunday_7(schedule):
            raise ValueError("expected 0 to 6 for the day of the week: Sunday is 0")
        return schedule


class Dataflow(Section):
    """The workers of the Beam nodes.

    A job has at most 4,000 (https://cloud.google.com/dataflow/quotas).
    """

    max_workers: Annotated[Count, Field(le=4000)] = 4
    machine_type: MachineType | None = None
    subnetwork: Subnetwork | None = None


class CustomJob(Section):
    """A job of its own on Vertex Training, in place of the node's container."""

    machine_type: MachineType
    accelerator: Accelerator | None = None


class Vertex(Cluster):
    """Vertex AI Pipelines."""

    SPEC_BYTES = 4_000_000  # requests over 10 MB are refused

    project: Project
    region: Region
    service_account: ServiceAccount | None = None
    network: Network | None = None
    encryption_key: EncryptionKey | None = None
    api_endpoint: Url | None = None
    labels: dict[LabelKey, Label] = Field(default_factory=dict)
    beam: Literal["in_container", "dataflow"] = "in_container"
    dataflow: Dataflow = Dataflow()
    training_job: CustomJob | None = None
    tuning_job: CustomJob | None = None

    @pydantic.field_validator("schedule")
    @classmethod
    def _as_unix_cron(cls, schedule: str | None):
        """The fields are those of unix-cron, in which any value is an asterisk alone."""
        if schedule is not None and "?" in schedule:
            raise ValueError("expected * for any value: Vertex AI documents no ?")
        return schedule

    @pydantic.field_validator("labels")
    @classmethod
    def _not_too_many(cls, labels: dict[str, str]):
        if len(labels) > _MOST_LABELS:
            raise ValueError(f"expected at most {_MOST_LABELS} labels: a job takes 64, with TFX's")
        return labels

    @pydantic.field_validator("encryption_key")
    @classmethod
    def _same_region(cls, key: str | None, info: pydantic.ValidationInfo):
        region = info.data.get("region")  # None: the region is the mistake
        if key is not None and region is not None and f"/locations/{region}/" not in key:
            raise ValueError(f"expected a key of the region {region}")
        return key


class Runners(Section):
    """Where else the pipeline runs, beside this machine."""

    kubeflow: Kubeflow | None = None
    vertex: Vertex | None = None
