"""A finding of `verify`: how bad it is, what it is about, what to do."""

import dataclasses

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is not as recorded, or not as it should be.

    Attributes:
        severity: `error`, `warning` or `note`.
        check: Short name of the rule, such as `payload_missing`.
        id: Printable id of the artifact or execution, or the path of a file.
        what: The finding.
        do: Advice for the user.
    """

    severity: str
    check: str
    id: str
    what: str
    do: str
