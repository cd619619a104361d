"""The section `runners`: every mistake in one line that says what was expected."""

import pytest

from fareline.errors import SettingsError
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH
from tests.told import without_origin


def refusal(*overrides):
    with pytest.raises(SettingsError) as caught:
        load_settings(DEFAULT_PATH, overrides)
    return without_origin(caught.value)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        (
            "kubeflow.bucket=example-bucket",
            "kubeflow.bucket: found 'example-bucket'; expected gs://NAME, without a folder; ",
        ),
        (
            "kubeflow.bucket=gs://a/b",
            "kubeflow.bucket: found 'gs://a/b'; expected gs://NAME, without a folder; a name has "
            "at least 3 lower-case letters",
        ),
        (
            "vertex.region=Europe",
            "vertex.region: found 'Europe'; expected a region, such as europe-west4.",
        ),
        (
            "vertex.project=p",
            "vertex.project: found 'p'; expected a project id: 6 to 30 lower-case letters, digits, "
            "hyphens.",
        ),
        (
            "vertex.service_account=me",
            "vertex.service_account: found 'me'; expected NAME@PROJECT.iam.gserviceaccount.com.",
        ),
        (
            "vertex.network=default",
            "vertex.network: found 'default'; expected projects/NUMBER/global/networks/NAME.",
        ),
        (
            "vertex.encryption_key=k",
            "vertex.encryption_key: found 'k'; expected "
            "projects/P/locations/L/keyRings/R/cryptoKeys/K.",
        ),
        (
            "vertex.encryption_key=projects/p/locations/us-east1/keyRings/r/cryptoKeys/k",
            "vertex.encryption_key: found "
            "'projects/p/locations/us-east1/keyRings/r/cryptoKeys/k'; expected a key of the region "
            "europe-west4.",
        ),
        (
            "vertex.schedule=daily",
            "vertex.schedule: found 'daily'; expected five cron fields, such as 0 6 * * 1, with "
            "TZ=ZONE before them or not.",
        ),
        (
            "vertex.labels={Team: a}",
            "vertex.labels.Team.[key]: found 'Team'; expected at most 63 lower-case letters, "
            "digits, hyphens and underscores, first a letter, and none that is Google's own.",
        ),
        (
            "vertex.labels={team: A b}",
            "vertex.labels.team: found 'A b'; expected at most 63 lower-case letters, digits, "
            "hyphens and underscores.",
        ),
        (
            "vertex.beam=spark",
            "vertex.beam: found 'spark'; expected 'in_container' or 'dataflow'.",
        ),
        (
            "vertex.training_job={machine_type: big}",
            "vertex.training_job.machine_type: found 'big'; expected a machine type, such as "
            "n1-standard-4.",
        ),
        (
            "vertex.resources.Trainer={cpu: 0}",
            "vertex.resources.Trainer.cpu: found 0; expected more than 0.",
        ),
        (
            "vertex.resources.Trainer={gpu: 1}",
            "vertex.resources.Trainer.gpu: unknown setting; did you mean cpu? expected one of cpu, "
            "memory_gb, accelerator.",
        ),
        (
            "vertex.images=x",
            "vertex.images: unknown setting; did you mean image? expected one of ",
        ),
        (
            "kubeflow.namespace=My_Team",
            "kubeflow.namespace: found 'My_Team'; expected a Kubernetes name: lower-case letters, "
            "digits, hyphens, at most 63.",
        ),
    ],
)
def test_a_mistake_is_one_line(override, line):
    found = refusal(f"runners.{override}")
    assert found.startswith(f"runners.{line}")
    assert len(found.splitlines()) == 1


BUCKETS = {
    "gs://my bucket": False, "gs://My-bucket": False, "gs://ab": False, "gs://abc": True,
    "gs://-abc": False, "gs://abc-": False, "gs://a.b_c-d": True, "gs://192.168.5.4": False,
    "gs://goog-mine": False, "gs://" + "a" * 63: True, "gs://" + "a" * 64: False, "gs://": False,
    "gs://" + "a" * 63 + ".de": True, "gs://" + "a" * 64 + ".de": False,
    "gs://" + "a.bc" * 55 + "de": True, "gs://" + "a.bc" * 55 + "def": False,
    "gs://a..b": False, "gs://a.-b": False, "gs://a-.b": False, "gs://my-google": False,
    "gs://g00gle-x": False, "gs://gogle": True,
    "s3://abc": False, "abc": False, "gs://ümlaut": False,
}  # fmt: skip


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_has_a_name_that_there_can_be(bucket):
    overrides = [f"runners.kubeflow.bucket={bucket!r}"]
    if BUCKETS[bucket]:
        assert load_settings(DEFAULT_PATH, overrides).runners.kubeflow.bucket == bucket
    else:
        assert "expected gs://NAME" in refusal(*overrides)


MACHINES = {
    **dict.fromkeys(
        ("n1-standard-4", "a2-highgpu-1g", "a2-ultragpu-8g", "g2-standard-96", "c2d-highcpu-112",
         "m1-ultramem-40", "ct5lp-hightpu-4t", "e2-micro", "custom-4-16384", "n2-custom-4-8192",
         "c3-standard-4-lssd", "cloud-tpu", "n1-standard-1", "n1-highmem-96", "n2-standard-48",
         "n2d-highcpu-224", "c2-standard-30", "c3-highmem-22", "c3-standard-192-metal",
         "a3-megagpu-8g", "n1-ultramem-40", "t2d-standard-60", "z9-standard-3"), True),
    **dict.fromkeys(
        ("n1", "n1-standard", "standard-4", "big-machine", "n1_standard_4", "N1-standard-4",
         "n1-standard-4-", "n1--4", "n1-standard-four", "4-standard-n1", "n1 standard 4",
         "n1-standard-3", "n1-standard-128", "n1-highcpu-1", "n1-stanard-4", "n1-standard-04",
         "e2-highmem-32", "n2-highcpu-128", "n2d-highmem-128", "c2-highmem-4", "c2-standard-32",
         "a2-highgpu-3g", "a2-highgpu-8", "a2-megagpu-8g", "g2-standard-64", "m1-ultramem-96",
         "t2d-standard-64"), False),
}  # fmt: skip


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_type_has_a_family_and_a_size(machine):
    for place in ("training_job", "tuning_job", "dataflow"):
        override = f"runners.vertex.{place}={{machine_type: {machine}}}"
        if MACHINES[machine]:
            load_settings(DEFAULT_PATH, [override])
        else:
            assert "expected a machine type" in refusal(override)


LABELS = {
    "team": True, "goose": True, "a" * 63: True, "a" * 64: False, "Team": False, "9a": False,
    "goog-x": False, "vertex-ai-pipelines-run-billing-id": False,
    "aiplatform.googleapis.com/x": False,
}  # fmt: skip


@pytest.mark.parametrize("label", LABELS)
def test_a_label_has_a_key_that_is_free(label):
    override = f"runners.vertex.labels={{{label}: x}}"
    if LABELS[label]:
        load_settings(DEFAULT_PATH, [override])
    else:
        assert "expected at most 63 lower-case letters" in refusal(override)


@pytest.mark.parametrize(("length", "ok"), [(255, True), (256, False)])
def test_the_name_of_an_image_has_a_length(length, ok):
    override = f"runners.kubeflow.image=r.example.com/{'a' * (length - 16)}:1"
    if ok:
        load_settings(DEFAULT_PATH, [override])
    else:
        assert "expected an image" in refusal(override)


def test_what_every_runner_needs_is_missed_by_name():
    found = refusal("runners.vertex={}").splitlines()
    assert found == [
        f"runners.vertex.{name}: missing; expected a value. Hint: see pipeline/configs/taxi.yaml."
        for name in ("image", "bucket", "project", "region")
    ]


@pytest.mark.parametrize("schedule", ["0 6 * * 1", "TZ=Europe/Berlin */5 * * * *"])
def test_a_schedule_has_five_fields_and_may_name_a_zone(schedule):
    settings = load_settings(DEFAULT_PATH, [f"runners.vertex.schedule='{schedule}'"])
    assert settings.runners.vertex.schedule == schedule


def test_places_are_folders_of_the_bucket_unless_named():
    section = load_settings(
        DEFAULT_PATH,
        ["runners.kubeflow.bucket=gs://bbb", "runners.kubeflow.data_path=gs://ddd/rows"],
    ).runners.kubeflow
    places = {
        name: section.place_of(name, "trips")
        for name in ("pipeline_root", "data_path", "push_destination")
    }
    assert places == {
        "pipeline_root": "gs://bbb/trips/artifacts",
        "data_path": "gs://ddd/rows",
        "push_destination": "gs://bbb/trips/serving",
    }


def test_settings_without_runners_are_whole():
    runners = load_settings(DEFAULT_PATH, ["runners={}"]).runners
    assert (runners.kubeflow, runners.vertex) == (None, None)
