"""Decisions of people about a serving folder: withheld models and pinned versions.

Kept beside the versions, in `.decisions.json`, since every push there must obey it, from
any workspace. `serving.versions.publish` reads and writes it, under the lock of the folder.
"""

import dataclasses
import json
import os

from fareline.digests import sha256_of_folder
from fareline.files import sync_folder, written_beside
from serving.versions.files import PublishError
from serving.versions.notes import DECISIONS_FILE

# Requests for a server's start. The same model with others in it is still the same model.
_WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"


@dataclasses.dataclass(frozen=True)
class Withheld:
    """A model that was rolled back from: no push brings it back, only a person does.

    Attributes:
        digest: From `model_digest`.
        version: The version that was left.
        reason: Reason, as it was given.
        by: Login name.
        when: ISO 8601, UTC.
    """

    digest: str
    version: int
    reason: str
    by: str
    when: str


@dataclasses.dataclass(frozen=True)
class Decisions:
    """All that was decided about one folder.

    Attributes:
        withheld: Models that were rolled back from and not brought back since.
        pinned: Versions that were rolled back to; they are never removed.
    """

    withheld: tuple[Withheld, ...] = ()
    pinned: frozenset[int] = frozenset()

    def find_withheld(self, model_dir: str) -> Withheld | None:
        """Returns the decision against a model, if there is one."""
        if not self.withheld:
            return None
        digest = model_digest(model_dir)
        return next((each for each in self.withheld if each.digest == digest), None)


def model_digest(model_dir: str) -> str:
    """Returns the SHA-256 of a SavedModel, without the requests that warm a server up."""
    return sha256_of_folder(model_dir, leave_out=(_WARM_UP_FILE,))


def read_decisions(base: str) -> Decisions:
    """Reads the decisions; empty without a decision.

    Raises:
        PublishError: The file cannot be read, so that its decisions are unknown.
    """
    path = os.path.join(base, DECISIONS_FILE)
    try:
        with open(path, encoding="utf-8") as reader:
            content = json.load(reader)
        withheld = tuple(Withheld(**each) for each in content["withheld"])
        return Decisions(withheld, frozenset(map(int, content["pinned"])))
    except FileNotFoundError:
        return Decisions()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PublishError.explain(
            path,
            f"cannot be read ({error})",
            "expected what `fareline rollback` wrote",
            "restore it, or delete it if no version is to be withheld or kept",
        ) from error


def write_decisions(base: str, decisions: Decisions) -> None:
    """Writes what was decided, in one rename; the caller holds the folder."""
    path = os.path.join(base, DECISIONS_FILE)
    content = {
        "withheld": [dataclasses.asdict(each) for each in decisions.withheld],
        "pinned": sorted(decisions.pinned),
    }
    with written_beside(path) as part:
        part.write_text(json.dumps(content, indent=1))
    sync_folder(base)
