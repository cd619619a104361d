"""What Vertex refuses of `push.vertex` for its form or its place is refused before a run."""

import json

import pytest

from fareline.errors import SettingsError
from pipeline.rules.regions import REGIONS
from pipeline.rules.settings import check_settings
from pipeline.settings.load import load_settings

PLACE = {"project": "fare-project", "region": "europe-west4", "bucket": "gs://taxi-bucket"}


def load(**changed):
    """Loads and checks settings; `name` is that of the pipeline."""
    name = changed.pop("name", "taxi")
    vertex = json.dumps({**PLACE, **changed})
    sets = [f"name={name}", f"push.vertex={vertex}", "push.destinations=[folder, vertex]"]
    settings = load_settings(None, sets)
    check_settings(settings)
    return settings.push.vertex


@pytest.mark.parametrize(
    "changed",
    [
        *({"region": region} for region in ("us-central1", "europe-west9", "asia-south2")),
        {"region": "mars-west1", "api_endpoint": "https://mars-west1-aiplatform.googleapis.com"},
        {"replicas": 1},
        {"replicas": 40},
        {"image": "europe-docker.pkg.dev/p/r/fareline:1"},
        {"image": "gcr.io/p/fareline"},
        {"image": "docker.io/name/fareline:1"},
        {"image": "localhost:5000/fareline:1"},
        {"image": f"europe-docker.pkg.dev/p/r/fareline@sha256:{'0' * 64}"},
        {"name": "9taxi", "model": "taxi", "endpoint": "taxi"},
    ],
)
def test_what_vertex_takes_is_taken(changed):
    found = load(**changed).model_dump()
    assert all(found[name] == value for name, value in changed.items() if name != "name")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"region": "mars-west1"}, "push.vertex.region: found mars-west1; expected a region of"),
        ({"region": "europe-west99"}, "did you mean europe-west9? for one that is newer"),
        ({"region": "global"}, "push.vertex.region: found 'global'; expected a region"),
        ({"replicas": 2**31}, "push.vertex.replicas: found 2147483648; expected"),
        ({"replicas": 10**30}, "push.vertex.replicas: found 1000"),
        ({"replicas": 0}, "push.vertex.replicas: found 0; expected"),
        ({"image": "tf2"}, "push.vertex.image: found 'tf2'; expected the whole address"),
        ({"image": "fareline:1"}, "expected the whole address of an image"),
        ({"image": "team/fareline:1"}, "expected the whole address of an image"),
        ({"name": "9taxi"}, "name: found '9taxi'; expected a name that begins with a letter"),
        ({"name": "taxi-"}, "name: found 'taxi-'; expected a name that begins"),
        ({"name": "t" * 64}, "expected a name that begins with a letter"),
        ({"name": "9taxi", "model": "taxi"}, "name: found '9taxi'; expected a name"),
    ],
)
def test_what_vertex_refuses_is_one_line(changed, said):
    with pytest.raises(SettingsError) as raised:
        load(**changed)
    assert said in str(raised.value) and "\n" not in str(raised.value)


def test_the_regions_are_those_of_the_client():
    from google.cloud.aiplatform.constants import base

    assert set(REGIONS) >= set(base.SUPPORTED_REGIONS) - {"global"}
