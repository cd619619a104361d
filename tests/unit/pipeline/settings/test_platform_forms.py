"""What Vertex and Kubeflow refuse for its form is refused here, and nothing that they take."""

import pytest

from fareline.errors import SettingsError
from pipeline.rules.cluster import find_unknown_accelerators
from pipeline.settings.load import load_settings
from tests.told import without_origin

NUMBER = "123456789012"
LONG = "a" * 63
# Setting: what its platform takes, and what it refuses.
FORMS = {
    "vertex.schedule": (
        ["0 6 * * 1", "*/15 0-6,20-23 1,15 jan-mar MON-FRI", "TZ=Europe/Berlin 0 6 29 2 *",
         "5/10 * * * 7", "0 0 31 2 5", "59 23 31 12 sun"],
        ["60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * foo *",
         "* * * * 8", "*/0 * * * *", "*/61 * * * *", "*/x * * * *", "6-3 * * * *", "1, * * * *",
         "* * * *", "* * * * * *", "@daily", "0  6 * * 1", "TZ=Europe/Berlinn 0 6 * * 1",
         "0 0 31 2 *", "0 6 ? * 1", "0 6 1 * ?", "?/5 * * * *", "0 6 1,? * *",
         "0 0 30,31 feb *", "0 0 31 4,6,9,11 *", "-1 * * * *", "L * * * *", ""],
    ),
    "kubeflow.schedule": (
        ["0 6 * * 1", "*/5 * * * sun,sat", "0 0 1 */3 ?", "0 6 * * 0-6", "0 6 * * */2"],
        ["TZ=Europe/Berlin 0 6 * * 1", "0 6 * * 7", "0 6 * * 5-7", "0 6 * * 1,7", "61 6 * * 1",
         "0 0 30,31 feb ?"],
    ),
    "vertex.service_account": (
        ["runner@example-project.iam.gserviceaccount.com",
         f"{NUMBER}-compute@developer.gserviceaccount.com",
         "example-project@appspot.gserviceaccount.com",
         f"service-{NUMBER}@gcp-sa-aiplatform.iam.gserviceaccount.com",
         "runner@example-project.example.com.iam.gserviceaccount.com"],
        ["me", "me@example.com", "run@example-project.iam.gserviceaccount.com",
         f"{'a' * 31}@example-project.iam.gserviceaccount.com",
         "Runner@example-project.iam.gserviceaccount.com",
         "runner_1@example-project.iam.gserviceaccount.com",
         "runner@x.iam.gserviceaccount.com", "runner@example-project.gserviceaccount.com",
         "1runner@example-project.iam.gserviceaccount.com",
         "runner-@example-project.iam.gserviceaccount.com"],
    ),
    "vertex.network": (
        [f"projects/{NUMBER}/global/networks/default", f"projects/1/global/networks/{LONG}"],
        ["default", "projects/example-project/global/networks/n", "projects/1/global/networks/N",
         f"projects/1/global/networks/{LONG}a", "projects/1/global/networks/n-"],
    ),
    "vertex.dataflow.subnetwork": (
        ["regions/europe-west4/subnetworks/s",
         "https://www.googleapis.com/compute/v1/projects/p/regions/europe-west4/subnetworks/s"],
        ["s", "subnetworks/s", "regions/europe-west4/subnetworks/S_1", "regions/r/subnetworks/"],
    ),
    "vertex.encryption_key": (
        ["projects/p/locations/us-central1/keyRings/My_Ring-1/cryptoKeys/k"],
        ["projects/p/locations/us-central1/keyRings/r",
         "projects/p/locations/us-central1/keyRings/a b/cryptoKeys/k",
         f"projects/p/locations/us-central1/keyRings/{LONG}a/cryptoKeys/k"],
    ),
    "vertex.labels": (
        ["{team: rides, a_b-1: ''}", f"{{{LONG}: {LONG}}}",
         "{" + ", ".join(f"k{i}: v" for i in range(60)) + "}"],
        ["{Team: rides}", "{team: Rides}", "{1team: rides}", f"{{{LONG}a: x}}", f"{{x: {LONG}a}}",
         "{'': x}", "{team: a b}", "{" + ", ".join(f"k{i}: v" for i in range(61)) + "}"],
    ),
    "vertex.image": (
        ["registry.example.com/fareline:0.1.0", "localhost:5000/a/b__c:1",
         f"europe-docker.pkg.dev/p/r/fareline@sha256:{'0' * 64}", "fareline:v1_2"],
        ["registry.example.com/Fareline:1", "fareline:1:2", "https://r.example/fareline:1",
         "fareline:.1", "a b:1", "r.example/fareline@sha256:12", f"fareline:{'1' * 129}"],
    ),
    "kubeflow.namespace": (["team-a", LONG], ["Team", "team_a", "-team", "team.a", f"{LONG}a"]),
    "kubeflow.service_account": (
        ["pipeline-runner", "a.b-c.d"], ["Runner", "a..b", "a_b", "-a", "a" * 254],
    ),
    "kubeflow.experiment": (["fareline", "Trips of May"], ["' '", "''"]),
}  # fmt: skip


def quoted(value):
    return value if value[:1] in ("{", "'") else f"'{value}'"


def case(kind):
    return [(name, value) for name, values in FORMS.items() for value in values[kind]]


def set_to(name, value):
    overrides = [f"runners.{name}={quoted(value)}"]
    if name == "vertex.encryption_key":
        overrides.insert(0, "runners.vertex.region=us-central1")
    return load_settings(None, overrides)


@pytest.mark.parametrize(("name", "value"), case(0))
def test_what_a_platform_takes_is_taken(name, value):
    set_to(name, value)


@pytest.mark.parametrize(("name", "value"), case(1))
def test_what_a_platform_refuses_is_refused_with_what_it_expects(name, value):
    with pytest.raises(SettingsError) as caught:
        set_to(name, value)
    for line in without_origin(caught.value).splitlines():
        assert line.startswith(f"runners.{name}")
        assert "; expected " in line


def test_the_accelerators_of_jobs_are_looked_at_as_those_of_steps():
    machine = "{machine_type: n1-standard-4, accelerator: {type: nvidia-tesla-t4, count: 3}}"
    for job in ("training_job", "tuning_job"):
        section = load_settings(None, [f"runners.vertex.{job}={machine}"]).runners.vertex
        found = list(find_unknown_accelerators(section, "runners.vertex"))
        assert [line.partition(":")[0] for line in found] == [
            f"runners.vertex.{job}.accelerator.type",
            f"runners.vertex.{job}.accelerator.count",
        ]


def test_a_dataflow_job_has_at_most_4000_workers():
    setting = "runners.vertex.dataflow.max_workers"
    for most in (1, 1000, 4000):
        vertex = load_settings(None, [f"{setting}={most}"]).runners.vertex
        assert vertex.dataflow.max_workers == most
    for wrong in ("0", "-1", "4001", "100000", "2.5", "true", "many", "null"):
        with pytest.raises(SettingsError, match=rf"{setting}: found .*; expected "):
            load_settings(None, [f"{setting}={wrong}"])
