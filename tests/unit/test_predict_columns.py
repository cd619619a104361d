"""What `fareline predict` demands of a row, by the settings of the pipeline."""

import pytest

from pipeline.config import load_settings
from pipeline.sections import DEFAULT_PATH
from runners.predict_command import _wanted_by_schema


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
