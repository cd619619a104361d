"""CuratedSchema: brings the reviewed schema into the run as a Schema artifact of its own.

TFX's Importer would record the folder of the checkout, where a later edit changes the schema of
older runs. TFX's ImportSchemaGen has only the path in its cache key. Here the content's SHA-256 is
part of the key, and the artifact holds a copy. No `from __future__ import annotations`: TFX reads
the raw annotations.
"""

from pathlib import Path

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Schema

from fareline.digests import sha256_of_file
from fareline.errors import UserMistake
from schema.curated import schema_path

SCHEMA_FILE = "schema.pbtxt"


def copy_schema(source: str, sha256: str, target_dir: Path) -> None:
    """Copies the schema into `target_dir`, if it is still the requested one.

    Args:
        source: Name of a packaged schema, or a path, as `schema.curated.schema_path` takes it.
        sha256: SHA-256 of the file when the pipeline was built, in hexadecimal digits.
        target_dir: Folder of the artifact.

    Raises:
        UserMistake: The file has other content, as in an image that was built from other sources
            than the pipeline.
    """
    path = schema_path(source, Path.cwd())
    found = sha256_of_file(path)
    if found != sha256:
        raise UserMistake.explain(
            str(path),
            f"found SHA-256 {found[:12]}…",
            f"expected {sha256[:12]}…, as when the pipeline was built",
            "build the image and the pipeline from the same sources",
        )
    target_dir.mkdir(parents=True, exist_ok=True)
    (target_dir / SCHEMA_FILE).write_bytes(path.read_bytes())


@component
def CuratedSchema(  # noqa: N802 - TFX names the component after the function
    schema: OutputArtifact[Schema],
    source: Parameter[str],
    sha256: Parameter[str],
) -> None:
    """The TFX component of `copy_schema`."""
    copy_schema(source, sha256, Path(schema.uri))
    schema.set_string_custom_property("sha256", sha256)
    schema.set_string_custom_property("source", source)
