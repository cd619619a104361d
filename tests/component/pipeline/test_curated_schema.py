"""The contract as an artifact of its own."""

import pytest
from tfx.types import standard_artifacts

from fareline.digests import sha256_of_file
from fareline.errors import UserMistake
from pipeline.components.curated_schema import CuratedSchema, copy_schema
from schema.curated import schema_path


def execute(component, inputs, outputs, parameters):
    component.EXECUTOR_SPEC.executor_class().Do(inputs, outputs, parameters)


def test_schema_is_copied_and_its_hash_recorded(tmp_path):
    source = schema_path("taxi", tmp_path)
    artifact = standard_artifacts.Schema()
    artifact.uri = str(tmp_path / "schema")
    parameters = {"source": "taxi", "sha256": sha256_of_file(source)}
    execute(CuratedSchema, {}, {"schema": [artifact]}, parameters)
    assert (tmp_path / "schema" / "schema.pbtxt").read_bytes() == source.read_bytes()
    assert artifact.get_string_custom_property("sha256") == sha256_of_file(source)
    assert artifact.get_string_custom_property("source") == "taxi"


def test_another_schema_than_the_pipeline_was_built_with_is_refused(tmp_path):
    source = tmp_path / "mine.pbtxt"
    source.write_text('feature { name: "fare" type: FLOAT }')
    with pytest.raises(UserMistake) as caught:
        copy_schema(str(source), "0" * 64, tmp_path / "target")
    assert str(caught.value) == (
        f"{source}: found SHA-256 {sha256_of_file(source)[:12]}…; expected 000000000000…, as when "
        "the pipeline was built. Hint: build the image and the pipeline from the same sources."
    )
    assert not (tmp_path / "target").exists()
