"""Passes personal columns to ExampleGen, and the key to its workers.

The key itself travels nowhere: not in the properties of the execution, not in Beam's graph. Each
worker asks for it, by the dotted path of a function that runners have. Called by
`pipeline.components.columnar_example_gen` and `pipeline.ingest.beam_files`.
"""

import dataclasses
import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from data.privacy import Privacy, key_id, protect
from data.reading.batches import Batch
from data.reading.pieces import CSV
from fareline.errors import DataError
from fareline.kinds import STRING


@dataclasses.dataclass(frozen=True)
class Protection:
    """The personal columns, and the source of the key.

    Attributes:
        privacy: The columns.
        key_fn: Dotted path of the function that gives the key.
        key_id: Key id of the key that it must give; None: any.
    """

    privacy: Privacy = dataclasses.field(default_factory=Privacy)
    key_fn: str = ""
    key_id: str | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any] | None) -> "Protection":
        """Reads what `pipeline.nodes.example_gen.reading_options` wrote."""
        if not options:
            return cls()
        privacy = Privacy(tuple(options["dropped"]), tuple(options["pseudonymized"]))
        return cls(privacy, options["key_fn"], options["key_id"])

    def kinds(self, found: Mapping[str, str], file_format: str) -> dict[str, str]:
        """Types of columns; personal columns of CSV are text, whatever their values.

        A card number that begins with 0 stays what it is.
        """
        personal = self.privacy.columns if file_format == CSV else ()
        return {name: STRING if name in personal else kind for name, kind in found.items()}

    def protector(self) -> Callable[[Batch], Batch]:
        """Returns what takes personal values out of a batch; asks for the key if it needs one.

        Raises:
            DataError: There is no key, or it is another one than when the run began.
        """
        key = None
        if self.privacy.pseudonymized:
            module, _, name = self.key_fn.rpartition(".")
            key = getattr(importlib.import_module(module), name)()
            if self.key_id is not None and key_id(key) != self.key_id:
                raise DataError.explain(
                    "ExampleGen",
                    f"the key of pseudonyms is {key_id(key)}",
                    f"expected {self.key_id}, as where the run was started",
                    "give both the same key",
                )
        return functools.partial(protect, privacy=self.privacy, key=key)
