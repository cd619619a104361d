"""Rules between settings and runner: a broken one gives its exact line, a kept one gives none."""

import pytest

from fareline.errors import SettingsError
from pipeline.rules.cluster import check_runner, find_example_values
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH
from tests.told import without_origin


def problems(runner, *overrides):
    settings = load_settings(DEFAULT_PATH, overrides)
    try:
        check_runner(settings, runner, getattr(settings.runners, runner))
    except SettingsError as error:
        return without_origin(error).splitlines()
    return []


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
def test_the_default_settings_break_no_rule(runner):
    assert problems(runner) == []


@pytest.mark.parametrize(
    ("runner", "override", "line"),
    [
        *(
            (
                runner,
                "data.sample=500",
                "data.sample: found 500; expected null, since the platform could take the model of "
                "a sample as a baseline. Hint: set it to null, or run on this machine.",
            )
            for runner in ("kubeflow", "vertex")
        ),
        (
            "kubeflow",
            "data.window=3",
            "data.window: found 3; expected 1, since a cluster runs TFX's driver, which reads one "
            "span. Hint: add --set data.window=1, or run on this machine.",
        ),
        *(
            (
                runner,
                "tuning.policy=on_drift",
                "tuning.policy: found on_drift; expected always or never, since a cluster looks up "
                "no hyperparameters of earlier runs. Hint: add --set tuning.policy=always, or run "
                "on this machine.",
            )
            for runner in ("kubeflow", "vertex")
        ),
        (
            "vertex",
            "name=2nd",
            "name: 2nd cannot be the name of a job; expected at most 112 lower-case letters, "
            "digits and hyphens, first a letter. Hint: rename the pipeline.",
        ),
        (
            "kubeflow",
            "runners.kubeflow.data_path=/data/rows",
            "runners.kubeflow.data_path: /data/rows is a path of this machine; expected gs://…, "
            "which a step in a cluster can reach. Hint: name a folder in a bucket, or leave it "
            "null.",
        ),
        (
            "vertex",
            "runners.vertex.push_destination=s3://models/taxi",
            "runners.vertex.push_destination: found s3://models/taxi; expected "
            "gs://BUCKET/FOLDER. Hint: name a folder in a bucket of Cloud Storage, or leave it "
            "null.",
        ),
        (
            "vertex",
            "runners.vertex.pipeline_root=gs://bucket",
            "runners.vertex.pipeline_root: found gs://bucket; expected gs://BUCKET/FOLDER. Hint: "
            "name a folder in a bucket of Cloud Storage, or leave it null.",
        ),
        (
            "vertex",
            "schema=/tmp/mine.pbtxt",
            "schema: /tmp/mine.pbtxt is a file of this machine; expected the name of a schema in "
            "the image. Hint: put it into schema/NAME/schema.pbtxt, build the image, and set "
            "schema: NAME.",
        ),
        (
            "kubeflow",
            "runners.kubeflow.image=localhost:5000/fareline",
            "runners.kubeflow.image: localhost:5000/fareline has no tag; expected a tag that is "
            "never used again, or @sha256:…. Hint: tag each build, for example with the version "
            "or the commit.",
        ),
        (
            "vertex",
            "runners.vertex.image=fareline:latest",
            "runners.vertex.image: fareline:latest has the tag latest, which moves; expected a "
            "tag that is never used again, or @sha256:…. Hint: tag each build, for example with "
            "the version or the commit.",
        ),
        (
            "kubeflow",
            "runners.kubeflow.beam_args=[--setup_file=./setup.py]",
            "runners.kubeflow.beam_args: --setup_file=./setup.py has every step build a package "
            "from files that are not in its image; expected options without it. Hint: install "
            "what is needed in the image.",
        ),
        (
            "vertex",
            "runners.vertex.beam_args=[--runner=DirectRunner]",
            "runners.vertex.beam_args: --runner=DirectRunner is set already; expected options "
            "beside it. Hint: runners.vertex.image names the image, runners.vertex.beam where "
            "Beam runs.",
        ),
        (
            "vertex",
            "runners.vertex.beam_args=[direct_num_workers]",
            "runners.vertex.beam_args: found direct_num_workers; expected --NAME or --NAME=VALUE. "
            "Hint: write each option as one text.",
        ),
    ],
)
def test_a_broken_rule_says_what_to_do(runner, override, line):
    assert problems(runner, override) == [line]


def test_a_name_with_a_digit_first_is_one_for_kubeflow():
    assert problems("kubeflow", "name=2nd") == []


@pytest.mark.parametrize(
    "image", ["localhost:5000/fareline:0.1.0", f"fareline@sha256:{'a' * 64}", "fareline:abc"]
)
def test_an_image_with_a_tag_or_a_digest_is_fine(image):
    assert problems("kubeflow", f"runners.kubeflow.image={image}") == []


def test_dataflow_on_a_network_of_its_own_needs_the_subnetwork():
    peered = [
        "runners.vertex.network=projects/1/global/networks/n",
        "runners.vertex.beam=dataflow",
    ]
    assert problems("vertex", *peered) == [
        "runners.vertex.dataflow.subnetwork: missing; expected the subnetwork of "
        "projects/1/global/networks/n, which Dataflow wants beside it. Hint: "
        "regions/REGION/subnetworks/NAME."
    ]
    subnetwork = "runners.vertex.dataflow.subnetwork=regions/r/subnetworks/s"
    assert problems("vertex", *peered, subnetwork) == []


GIVEN = "{learning_rate: 0.003, dropout: 0.2, width: 64, depth: 1, embedding_size: 8}"
NEVER = ("tuning.policy=never", f"tuning.hyperparameters={GIVEN}")


def test_no_job_is_started_to_search_for_nothing():
    job = "runners.vertex.tuning_job={machine_type: n1-standard-4}"
    assert problems("vertex", job, *NEVER) == [
        "runners.vertex.tuning_job: found a job to search in, and tuning.policy is never; expected "
        "null. Hint: add --set runners.vertex.tuning_job=null."
    ]
    assert problems("vertex", job) == []
    assert problems("vertex", *NEVER) == problems("kubeflow", job, *NEVER) == []


@pytest.mark.parametrize(
    ("runner", "beam", "pseudonymize", "is_refused"),
    [
        ("vertex", "dataflow", "true", True),
        ("vertex", "dataflow", "false", False),  # left out: nobody needs a key
        ("vertex", "in_container", "true", False),
        ("kubeflow", None, "true", False),
    ],
)
def test_pseudonyms_are_made_where_the_key_is(runner, beam, pseudonymize, is_refused):
    column = f"data.columns={{company: {{pii: true, pseudonymize: {pseudonymize}}}}}"
    found = problems(runner, column, *([f"runners.vertex.beam={beam}"] if beam else ()))
    line = (
        "data.columns.company: pseudonyms need a key, which workers of Dataflow do not have; "
        "expected runners.vertex.beam: in_container. Hint: read in the container, or leave the "
        "column out."
    )
    assert found == [line] * is_refused


def test_all_problems_at_once():
    found = problems("vertex", "runners.vertex.image=a", "runners.vertex.data_path=b", "name=1st")
    assert [line.partition(":")[0] for line in found] == [
        "name",
        "runners.vertex.data_path",
        "runners.vertex.image",
    ]


def test_examples_are_found_by_their_names():
    settings = load_settings()
    assert [key for key, _ in find_example_values(settings, "kubeflow")] == [
        "runners.kubeflow.image",
        "runners.kubeflow.bucket",
        "runners.kubeflow.host",
    ]
    assert dict(find_example_values(settings, "vertex"))["runners.vertex.project"] == (
        "example-project"
    )


def test_no_example_is_left_once_all_are_replaced():
    mine = ["image=r.test/fareline:1", "bucket=gs://mine", "host=https://kfp.test"]
    settings = load_settings(DEFAULT_PATH, [f"runners.kubeflow.{value}" for value in mine])
    assert find_example_values(settings, "kubeflow") == []
    assert find_example_values(load_settings(DEFAULT_PATH, ["runners={}"]), "vertex") == []


def accelerator_problems(runner, kind, count=1):
    asked = f"{{cpu: 1, accelerator: {{type: {kind}, count: {count}}}}}"
    return problems(runner, f"runners.{runner}.resources.Trainer={asked}")


@pytest.mark.parametrize(
    "kind", ["NVIDIA_TESLA_T4", "NVIDIA_L4", "NVIDIA_A100_80GB", "TPU_V2", "NVIDIA_H100_MEGA_80GB"]
)
def test_vertex_takes_its_own_names_of_accelerators(kind):
    assert accelerator_problems("vertex", kind) == []


@pytest.mark.parametrize(
    ("kind", "like"),
    [
        ("nvidia-tesla-t4", "NVIDIA_TESLA_T4"),
        ("nvidia_l4", "NVIDIA_L4"),
        ("GPU", "NVIDIA_TESLA_T4"),
        ("tesla-p100", "NVIDIA_TESLA_P100"),
        ("Nvidia Tesla V100", "NVIDIA_TESLA_V100"),
        ("NVIDIA_TESLA_T5", "NVIDIA_TESLA_T4"),
        ("NVIDIA_TESLA_P1000", "NVIDIA_TESLA_P100"),
    ],
)
def test_vertex_refuses_names_of_others(kind, like):
    assert accelerator_problems("vertex", kind) == [
        f"runners.vertex.resources.Trainer.accelerator.type: found {kind}; expected a name of "
        f"Vertex AI, in capitals and underscores, such as {like}. Hint: correct the name."
    ]


@pytest.mark.parametrize("count", [3, 5, 32])
def test_vertex_refuses_numbers_of_accelerators_that_there_are_not(count):
    assert accelerator_problems("vertex", "NVIDIA_TESLA_T4", count) == [
        f"runners.vertex.resources.Trainer.accelerator.count: found {count}; expected one of 1, 2, "
        "4, 8, 16. Hint: change the number."
    ]


@pytest.mark.parametrize(
    ("kind", "ok"),
    [
        ("nvidia.com/gpu", True),
        ("amd.com/gpu", True),
        ("google.com/tpu", True),
        ("NVIDIA_TESLA_T4", False),
        ("gpu", False),
        ("nvidia.com/", False),
        ("nvidia com/gpu", False),
        ("nvidia..com/gpu", False),
        (f"nvidia.com/{'a' * 63}", True),
        (f"nvidia.com/{'a' * 64}", False),
    ],
)
def test_kubernetes_has_domains_in_its_names(kind, ok):
    found = accelerator_problems("kubeflow", kind, 3)
    expected = f"found {kind}; expected DOMAIN/NAME, as Kubernetes has it"
    assert (found == []) if ok else (expected in found[0])


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
def test_a_folder_is_in_a_bucket_that_there_can_be(runner):
    [found] = problems(runner, f"runners.{runner}.pipeline_root=gs://my bucket/x")
    assert found.startswith(
        f"runners.{runner}.pipeline_root: gs://my bucket/x is in no bucket that there can be; "
    )


@pytest.mark.parametrize("folder", ["a*", "a?", "a#1", "[ab]", "a" * 900, r"a\tb", r"a\x7fb"])
def test_a_folder_has_a_name_that_stands_for_one_folder(folder):
    [found] = problems("vertex", f'runners.vertex.data_path="gs://bucket/{folder}"')
    assert found.startswith("runners.vertex.data_path: ")
    assert "cannot be read as one folder of Cloud Storage; expected at most 900" in found


@pytest.mark.parametrize(
    ("runner", "asked", "line"),
    [
        ("vertex", "cpu: 96, memory_gb: 624", ""),
        ("vertex", "cpu: 97", "cpu: found 97; expected at most 96, which is all that a step"),
        ("vertex", "memory_gb: 625", "memory_gb: found 625; expected at most 624, which is all"),
        ("kubeflow", "cpu: 200, memory_gb: 2000", ""),
        ("kubeflow", "cpu: 0.001", ""),
        ("kubeflow", "cpu: 0.0009", "cpu: found 0.0009; expected at least 0.001. Hint: 1 is a"),
    ],
)
def test_a_step_asks_for_what_there_is(runner, asked, line):
    found = problems(runner, f"runners.{runner}.resources.Trainer={{{asked}}}")
    assert [each.startswith(f"runners.{runner}.resources.Trainer.{line}") for each in found] == (
        [True] if line else []
    )
