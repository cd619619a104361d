"""Model servers in containers of Vertex AI: Google's image, and our own."""

import pytest

from fareline.errors import FarelineError, SettingsError, UserMistake
from pipeline.settings.load import load_settings
from runners.platforms.vertex.container import Container
from tests.unit.runners.platforms.vertex_place import vertex_place

OURS = "europe-west4-docker.pkg.dev/fare-project/images/fareline:1"
PLACE = "project: fare-project, region: europe-west4, bucket: gs://taxi-bucket"


@pytest.fixture
def place(tmp_path, monkeypatch):
    with vertex_place(tmp_path, monkeypatch) as running:
        yield running


def test_the_registry_is_told_how_our_image_is_started_and_google_s_needs_nothing(
    place, monkeypatch
):
    asked = []
    monkeypatch.setattr("runners.platforms.vertex.push.require_answers", asked.append)
    place.push("first")
    place.push("second", server="fareline", image=OURS)
    google, ours = (place.vertex.api.models["taxi"][n]["containerSpec"] for n in (1, 2))
    assert list(google) == ["imageUri"] and "vertex-ai/prediction/tf2-cpu" in google["imageUri"]
    assert ours == {
        "imageUri": OURS,
        "command": ["fareline", "serve", "--vertex"],
        "ports": [{"containerPort": 8080}],
        "predictRoute": "/v1/models/model:predict",
        "healthRoute": "/v1/models/model",
    }
    assert asked == [place.vertex.api.models["taxi"][2]["artifactUri"]]  # of ours alone


def test_google_s_image_for_our_server_is_refused_before_anything_is_uploaded():
    for image in ("", ", image: europe-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"):
        setting = f"push.vertex={{{PLACE}, server: fareline{image}}}"
        with pytest.raises(SettingsError, match=r"push\.vertex\.image: .*an image with Fareline"):
            load_settings(None, [setting])


def test_our_container_fetches_the_model_that_vertex_names(place, tmp_path):
    place.push("first")
    uri = place.vertex.api.models["taxi"][1]["artifactUri"]
    container = Container.read({"AIP_STORAGE_URI": f"{uri}/", "AIP_HTTP_PORT": "7080"})
    assert container.port == 7080
    base = container.fetch(tmp_path / "fetched")
    files = {p.relative_to(base).as_posix(): p.read_text() for p in base.rglob("*") if p.is_file()}
    assert base.name == "model"
    assert files == {"1/saved_model.pb": "first", "1/variables/variables.index": "weights"}


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "AIP_STORAGE_URI: found ''; expected gs://"),
        ({"AIP_STORAGE_URI": "/models"}, "AIP_STORAGE_URI: found '/models'"),
        ({"AIP_STORAGE_URI": "gs://b/m", "AIP_HTTP_PORT": "http"}, "AIP_HTTP_PORT: found 'http'"),
        ({"AIP_STORAGE_URI": "gs://b/m", "AIP_HTTP_PORT": "0"}, "AIP_HTTP_PORT: found '0'"),
    ],
)
def test_variables_that_name_no_model_or_port_are_one_line(environment, said):
    with pytest.raises(UserMistake) as raised:
        Container.read(environment)
    assert said in str(raised.value) and "\n" not in str(raised.value)


def test_a_bucket_that_refuses_is_one_line(place, tmp_path):
    container = Container.read({"AIP_STORAGE_URI": "gs://other-bucket/m"})
    with pytest.raises(FarelineError, match="The specified bucket does not exist"):
        container.fetch(tmp_path)
