"""What `fareline predict` demands of a row, by the settings of the pipeline."""

import pytest

from cli.predict import _wanted_by_schema
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH


@pytest.mark.parametrize(
    ("name", "required"),
    [
        ("taxi", {"payment_type", "fare", "trip_miles"}),
        ("taxi_payment", {"fare", "trip_miles"}),
        ("taxi_fare", {"payment_type", "trip_miles"}),
    ],
)
def test_what_is_predicted_is_not_asked_for(name, required):
    settings = load_settings(DEFAULT_PATH.with_name(f"{name}.yaml"))
    wanted = _wanted_by_schema(settings)
    assert settings.label.column not in {*wanted.kinds, *wanted.required}
    assert wanted.required & {"payment_type", "fare", "trip_miles", "tips"} == required
