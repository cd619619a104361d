"""Shared content of all exported files, and the layout of the Python ones."""

import dataclasses
import json
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Plan:
    """One pipeline, as an orchestrator is to run it.

    Attributes:
        pipeline: Its name.
        upstream: By node, in DAG order, the nodes that it waits for.
        script: Absolute path of the `fareline` script.
        folder: Where commands start, for relative paths in settings.
        workspace: Absolute path.
        begin_options: Options of `step begin`, for the settings.
        settings_text: The settings file itself, where it has to travel; None: the taxi pipeline's.
        cron: The schedule, five fields, with `TZ=ZONE` before them or not; None: none.
        image: Image of containers; None where there are none.
    """

    pipeline: str
    upstream: Mapping[str, Sequence[str]]
    script: str
    folder: str
    workspace: str
    begin_options: Sequence[str] = ()
    settings_text: str | None = None
    cron: str | None = None
    image: str | None = None

    @property
    def zone_and_fields(self) -> tuple[str, str | None]:
        """Time zone and fields of the schedule; UTC if it names none."""
        if self.cron is None or not self.cron.startswith("TZ="):
            return "UTC", self.cron
        zone, _, fields = self.cron.removeprefix("TZ=").partition(" ")
        return zone, fields


# For files that cron starts.
CRONTAB = '''
def crontab(*words):
    """Prints the schedule as lines for `crontab -e`."""
    if SCHEDULE is None:
        print(f"{PIPELINE}: exported without a schedule; export it with --cron", file=sys.stderr)
        return 2
    file = str(pathlib.Path(__file__).resolve())
    command = " ".join(map(shlex.quote, [sys.executable, file, *words]))
    print(f"CRON_TZ={ZONE}")
    # A percent sign would end the command.
    print(f"{SCHEDULE} cd {shlex.quote(FOLDER)} && {command}".replace("%", r"\\%"))
    return 0
'''


def python_file(said: str, imports: str, constants: Mapping[str, object], body: str) -> str:
    """A Python file: what it is, its imports, what differs between pipelines, the rest."""
    lines = [f"{name} = {_literal(value)}" for name, value in constants.items()]
    return f'"""{said.strip()}\n"""\n\n{imports.strip()}\n\n' + "\n".join(lines) + f"\n\n{body}"


def _literal(value: object) -> str:
    """A constant as black would write it: a line for each entry of a mapping."""
    if isinstance(value, Mapping):
        entries = "".join(f"    {_literal(k)}: {_literal(v)},\n" for k, v in value.items())
        return f"{{\n{entries}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    return "None" if value is None else json.dumps(value, ensure_ascii=False)
