"""The settings beside a specification are recorded only if it was compiled from them."""

import pytest

from fareline.recorded import OVERRIDES, RUNNER
from pipeline.settings.load import load_settings
from runners.replay.reading.document import SpecError
from runners.replay.run import read_request
from runners.submit.quietly import compile_quietly
from runners.workspace import Workspace


def test_other_settings_than_those_it_was_compiled_from_are_refused(tmp_path):
    path = tmp_path / "pipeline.json"
    settings = load_settings(overrides=["training.steps=77"])
    path.write_text(compile_quietly(settings, "vertex").text)
    bucket = f"gs://example-bucket={tmp_path}"
    request = read_request(path, Workspace(tmp_path / "workspace"), [bucket])
    assert request.settings is None
    known = request.compiled_from(None, ["training.steps=77"])
    assert known.settings.training.steps == 77
    assert known.provenance.properties[RUNNER] == "vertex spec"
    assert known.provenance.properties[OVERRIDES] == '["training.steps=77"]'
    with pytest.raises(SpecError) as raised:
        request.compiled_from(None, ["training.steps=78"])
    assert str(raised.value) == (
        f"{path}: the settings given are not those that it was compiled from; expected what "
        "`fareline compile vertex` makes of them. Hint: compile it again, or leave out --config "
        "and --set."
    )
