"""Rules for settings before they are compiled for a cluster: one function per rule.

Each yields problems, worded so that a user knows what to do. What only the compiled spec shows is
checked in pipeline.rules.spec. Called by runners. Imports neither TFX nor TensorFlow.
"""

import re
from collections.abc import Iterator

from fareline.near import near_names
from pipeline.rules.bigquery import find_project_mistakes, find_span_mistakes
from pipeline.rules.drift import find_local_sample
from pipeline.rules.regions import find_unknown_region
from pipeline.settings.runners import BUCKET_NAME, BUCKET_RULE, Cluster, RunnerName, Vertex
from pipeline.settings.settings import TRAINING, Settings
from schema.curated import is_packaged_name

PLACES = ("pipeline_root", "data_path", "push_destination")
# Vertex makes the id of a job of the pipeline's name and a time stamp.
_VERTEX_NAME = r"[a-z][a-z0-9-]{0,111}"
_EXAMPLE = re.compile(r"\bexample-|\bexample\.com\b")
# Names of objects have at most 1,024 bytes, ours come behind; the others stand for several names.
# Source: https://cloud.google.com/storage/docs/objects#naming
_OBJECTS = r"[^\x00-\x1f\x7f*?#\[\]]{1,900}"
# NVIDIA names no more of them TESLA, so that these are all that there are.
_TESLA = ("T4", "V100", "P100", "P4", "A100", "K80")
_VERTEX_ACCELERATOR = (
    rf"(?!NVIDIA_TESLA_(?!({'|'.join(_TESLA)})$))(NVIDIA|TPU)_[A-Z0-9]+(_[A-Z0-9]+)*"
)
_VERTEX_KNOWN = (
    *(f"NVIDIA_TESLA_{name}" for name in _TESLA),
    *(f"NVIDIA_{name}" for name in ("L4", "A100_80GB", "H100_80GB", "H200_141GB", "B200")),
    *("TPU_V2", "TPU_V3", "TPU_V5_LITEPOD"),
)
_VERTEX_COUNTS = (1, 2, 4, 8, 16)
# Source: https://cloud.google.com/vertex-ai/docs/pipelines/machine-types
_VERTEX_MOST = {"cpu": 96, "memory_gb": 624}
# Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels
_DOMAIN_PART = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_KUBERNETES_RESOURCE = (
    rf"(?=[^/]{{1,253}}/){_DOMAIN_PART}(\.{_DOMAIN_PART})*"
    r"/[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
)
_KUBERNETES_LEAST_CPU = 0.001
# By each of these Beam packs up code that lies on this machine, for workers that have the image.
_PACKAGING_OPTIONS = ("setup_file", "extra_package", "extra_packages", "requirements_file")


def check_runner(settings: Settings, runner: RunnerName, section: Cluster) -> None:
    """Applies every rule about settings and runner.

    Raises:
        SettingsError: There are mistakes; one line per mistake.
    """
    where = f"runners.{runner}"
    problems = [
        *(find_illegal_name(settings) if isinstance(section, Vertex) else ()),
        *(find_unknown_region(section, where) if isinstance(section, Vertex) else ()),
        *find_local_paths(settings, section, where),
        *find_schema_outside_the_image(settings),
        *find_local_sample(settings),
        *find_loose_image(section, where),
        *find_packaging_options(section, where),
        *find_windows(settings),
        *find_samples(settings),
        *find_unnamed_data(settings),
        *find_span_mistakes(settings),
        *find_project_mistakes(settings, section, where),
        *find_unknown_accelerators(section, where),
        *find_impossible_resources(section, where),
        *find_tuning_by_drift(settings),
        *find_named_warm_start(settings),
        *find_columnar_options(settings),
        *find_keys_on_dataflow(settings, section),
        *(find_unusable_jobs(settings, section, where) if isinstance(section, Vertex) else ()),
    ]
    if problems:
        raise settings.wrong(problems)


def find_illegal_name(settings: Settings) -> Iterator[str]:
    """The name of the pipeline is one that Vertex takes."""
    if not re.fullmatch(_VERTEX_NAME, settings.pipeline_name):
        yield (
            f"name: {settings.pipeline_name} cannot be the name of a job; expected at most 112 "
            "lower-case letters, digits and hyphens, first a letter. Hint: rename the pipeline."
        )


def find_local_paths(settings: Settings, section: Cluster, where: str) -> Iterator[str]:
    """What a step reads and writes is where every step can reach it: in Cloud Storage.

    Only there: TFX's file systems know no other remote scheme without further packages.
    """
    for name in PLACES:
        place = section.place_of(name, settings.name)
        if "://" not in place:
            yield (
                f"{where}.{name}: {place} is a path of this machine; expected gs://…, which a step "
                "in a cluster can reach. Hint: name a folder in a bucket, or leave it null."
            )
        elif not re.match(r"gs://[^/]+/.", place):
            yield (
                f"{where}.{name}: found {place}; expected gs://BUCKET/FOLDER. Hint: name a folder "
                "in a bucket of Cloud Storage, or leave it null."
            )
        elif not re.fullmatch(BUCKET_NAME, place.removeprefix("gs://").partition("/")[0]):
            yield (
                f"{where}.{name}: {place} is in no bucket that there can be; expected a name of "
                f"{BUCKET_RULE}. Hint: correct the name of the bucket."
            )
        elif not re.fullmatch(_OBJECTS, place):
            yield (
                f"{where}.{name}: {place[:80]!r} cannot be read as one folder of Cloud Storage; "
                "expected at most 900 characters, and neither control characters nor any of "
                "* ? # [ ]. Hint: rename the folder."
            )


def find_schema_outside_the_image(settings: Settings) -> Iterator[str]:
    """The curated schema travels by name, so that it is read from the image."""
    if settings.schema_ is not None and not is_packaged_name(settings.schema_):
        yield (
            f"schema: {settings.schema_} is a file of this machine; expected the name of a schema "
            "in the image. Hint: put it into schema/NAME/schema.pbtxt, build the image, and set "
            "schema: NAME."
        )


def find_loose_image(section: Cluster, where: str) -> Iterator[str]:
    """The image is named so that it means the same tomorrow."""
    name, at, _ = section.image.partition("@sha256:")
    if at:
        return
    _, colon, tag = name.rpartition("/")[2].partition(":")
    if not colon or not tag:
        found = "has no tag"
    elif tag == "latest":
        found = "has the tag latest, which moves"
    else:
        return
    yield (
        f"{where}.image: {section.image} {found}; expected a tag that is never used again, or "
        "@sha256:…. Hint: tag each build, for example with the version or the commit."
    )


def find_unknown_accelerators(section: Cluster, where: str) -> Iterator[str]:
    """An accelerator has a name as the platform gives them, and a number that there is.

    Source: AcceleratorType and MachineSpec of Vertex AI; extended resources of Kubernetes.
    """
    asked_for = {f"resources.{node}": wanted for node, wanted in section.resources.items()}
    if isinstance(section, Vertex):
        asked_for |= {"training_job": section.training_job, "tuning_job": section.tuning_job}
    for name, wanted in asked_for.items():
        accelerator = wanted.accelerator if wanted is not None else None
        if accelerator is None:
            continue
        setting = f"{where}.{name}.accelerator"
        if not isinstance(section, Vertex):
            if not re.fullmatch(_KUBERNETES_RESOURCE, accelerator.type):
                yield (
                    f"{setting}.type: found {accelerator.type}; expected DOMAIN/NAME, as "
                    "Kubernetes has it. Hint: a GPU of NVIDIA is nvidia.com/gpu."
                )
            continue
        if not re.fullmatch(_VERTEX_ACCELERATOR, accelerator.type):
            asked = re.sub(r"[^A-Z0-9]+", "_", accelerator.type.upper()).strip("_")
            near = near_names(asked, _VERTEX_KNOWN)
            like = near[0] if near else _VERTEX_KNOWN[0]
            yield (
                f"{setting}.type: found {accelerator.type}; expected a name of Vertex AI, in "
                f"capitals and underscores, such as {like}. Hint: correct the name."
            )
        if accelerator.count not in _VERTEX_COUNTS:
            yield (
                f"{setting}.count: found {accelerator.count}; expected one of "
                f"{', '.join(map(str, _VERTEX_COUNTS))}. Hint: change the number."
            )


def find_impossible_resources(section: Cluster, where: str) -> Iterator[str]:
    """No container asks for more, or for less, than the platform can say."""
    for node, wanted in section.resources.items():
        for name, most in _VERTEX_MOST.items() if isinstance(section, Vertex) else ():
            asked = getattr(wanted, name)
            if asked is not None and asked > most:
                yield (
                    f"{where}.resources.{node}.{name}: found {asked:g}; expected at most {most}, "
                    "which is all that a step of Vertex AI Pipelines gets. Hint: training_job and "
                    "tuning_job have machines of their own."
                )
        if wanted.cpu is not None and wanted.cpu < _KUBERNETES_LEAST_CPU:
            yield (
                f"{where}.resources.{node}.cpu: found {wanted.cpu:g}; expected at least "
                f"{_KUBERNETES_LEAST_CPU}. Hint: 1 is a whole processor."
            )


def find_packaging_options(section: Cluster, where: str) -> Iterator[str]:
    """No option makes Beam build and ship a package: the image has them all."""
    for option in section.beam_args:
        name = option.removeprefix("--").partition("=")[0]
        if not option.startswith("--"):
            yield (
                f"{where}.beam_args: found {option}; expected --NAME or --NAME=VALUE. "
                "Hint: write each option as one text."
            )
        elif name in _PACKAGING_OPTIONS:
            yield (
                f"{where}.beam_args: {option} has every step build a package from files that are "
                "not in its image; expected options without it. Hint: install what is needed in "
                "the image."
            )
        elif name in ("runner", "sdk_container_image"):
            yield (
                f"{where}.beam_args: {option} is set already; expected options beside it. Hint: "
                f"{where}.image names the image, runners.vertex.beam where Beam runs."
            )


def find_keys_on_dataflow(settings: Settings, section: Cluster) -> Iterator[str]:
    """Pseudonyms are made where the key is: in ExampleGen's container, not on other workers."""
    columns = settings.data.personal_columns(pseudonymize=True)
    if columns and isinstance(section, Vertex) and section.beam == "dataflow":
        yield (
            f"data.columns.{columns[0]}: pseudonyms need a key, which workers of Dataflow do not "
            "have; expected runners.vertex.beam: in_container. Hint: read in the container, or "
            "leave the column out."
        )


def find_windows(settings: Settings) -> Iterator[str]:
    """One span is read: clusters run TFX's own driver, which joins no several."""
    if settings.data.window > 1:
        yield (
            f"data.window: found {settings.data.window}; expected 1, since a cluster runs TFX's "
            "driver, which reads one span. Hint: add --set data.window=1, or run on this machine."
        )


def find_samples(settings: Settings) -> Iterator[str]:
    """All rows are read: where the platform finds the baseline, it would take a sample's model."""
    if settings.data.sample is not None:
        yield (
            f"data.sample: found {settings.data.sample}; expected null, since the platform could "
            "take the model of a sample as a baseline. Hint: set it to null, or run on this "
            "machine."
        )


def find_unnamed_data(settings: Settings) -> Iterator[str]:
    """Training by itself imports Examples by their URI: a cluster cannot say which passed the gate.

    Vertex takes the latest Examples, also those of a run that was stopped; open-source Kubeflow
    looks up none.
    """
    if settings.pipeline != TRAINING:
        return
    if not re.fullmatch(r"gs://[^/]+/.+", settings.data.prepared):
        yield (
            f"data.prepared: found {settings.data.prepared}; expected gs://…, the URI of Examples, "
            "since a cluster cannot look up which data passed the gate. Hint: take it from a run "
            "of the data pipeline that ended well, or run on this machine."
        )
    if settings.schema_ is None:
        yield (
            "schema: found null; expected the name of a schema in the image, since a cluster "
            "cannot look up the schema that the data pipeline inferred. Hint: accept that schema, "
            "or set pipeline: whole."
        )


def find_tuning_by_drift(settings: Settings) -> Iterator[str]:
    """Whether to search is not asked of earlier runs: clusters execute no resolver of ours."""
    if settings.tuning.policy == "on_drift":
        yield (
            "tuning.policy: found on_drift; expected always or never, since a cluster looks up no "
            "hyperparameters of earlier runs. Hint: add --set tuning.policy=always, or run on this "
            "machine."
        )


def find_named_warm_start(settings: Settings) -> Iterator[str]:
    """A model by its id is in a store of this machine; a cluster knows the live one."""
    if settings.training.warm_start not in (None, "live"):
        yield (
            f"training.warm_start: found {settings.training.warm_start}, an id in a store that a "
            "step in a cluster does not ask; expected live or null. Hint: promote that model, and "
            "set it to live."
        )


def find_columnar_options(settings: Settings) -> Iterator[str]:
    """Options of our own reader are not used with BigQuery, which TFX's reader reads."""
    if settings.data.source.bigquery is None:
        return
    if settings.data.split_by is not None:
        yield (
            "data.split_by: TFX's BigQueryExampleGen splits by a hash of the whole row; expected "
            "null with data.source.bigquery. Hint: leave it out."
        )
    for name in settings.data.personal_columns():
        yield (
            f"data.columns.{name}: TFX's BigQueryExampleGen leaves no column out; expected none "
            "that is personal with data.source.bigquery. Hint: leave it out of the query."
        )


def find_unusable_jobs(settings: Settings, section: Vertex, where: str) -> Iterator[str]:
    """A setting that depends on another one has it; no job is started without a search."""
    if section.tuning_job is not None and settings.tuning.policy == "never":
        yield (
            f"{where}.tuning_job: found a job to search in, and tuning.policy is never; expected "
            f"null. Hint: add --set {where}.tuning_job=null."
        )
    if (
        section.network is not None
        and section.beam == "dataflow"
        and not section.dataflow.subnetwork
    ):
        yield (
            f"{where}.dataflow.subnetwork: missing; expected the subnetwork of {section.network}, "
            "which Dataflow wants beside it. Hint: regions/REGION/subnetworks/NAME."
        )


def find_example_values(settings: Settings, runner: RunnerName) -> list[tuple[str, str]]:
    """Pairs of (setting, value) that are examples still, as taxi.yaml has them.

    Args:
        settings: Valid.
        runner: Runner with the section to check.

    Returns:
        Empty if all were replaced, or if there is no such section.
    """
    section = getattr(settings.runners, runner)
    if section is None:
        return []
    return [
        (f"runners.{runner}.{name}", value)
        for name, value in section.model_dump(mode="json").items()
        if isinstance(value, str) and _EXAMPLE.search(value)
    ]
