"""Predictions of a file by a job on Vertex AI, for `fareline predict --vertex`.

The file is read twice: before the job, so that nothing is paid for a file that is refused, and
after it, with the answers. Google's clients are imported by what the functions import.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fareline.errors import UserMistake
from fareline.recorded.vertex import SHORT, vertex_base
from fareline.scratch import scratch_folder
from runners.stores import open_graph

if TYPE_CHECKING:
    from data.reading.rows import Rows
    from pipeline.settings.settings import Settings
    from runners.platforms.vertex.batch.prediction import LiveOnVertex
    from runners.publishing.batch_prediction import Job, Predictor
    from serving.model.batch import BatchPredictor


def find_live_on_vertex(workspace: Path, settings: "Settings") -> "LiveOnVertex":
    """The live version of the place that the settings name, or the store has.

    Raises:
        UserMistake: There is no such place, or no version to ask.
    """
    from runners.platforms.vertex.batch.prediction import live_on_vertex

    place = settings.push.vertex
    base = SHORT if place is None else vertex_base(place.named(settings.name).model_dump())
    return live_on_vertex(open_graph(workspace, None), base)


def refuse_with_vertex(**options: object) -> None:
    """Refuses options that say nothing to a job on Vertex AI.

    Raises:
        UserMistake: One of them was given.
    """
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if given:
        raise UserMistake.explain(
            "predict --vertex",
            f"found {given[0]} as well",
            "expected the live version of the Model Registry, and no log",
            f"leave {given[0]} out",
        )


@contextlib.contextmanager
def answered_on_vertex(
    model: "LiveOnVertex",
    loaded: "BatchPredictor",
    job: "Job",
    read: Callable[[], "Iterator[Rows]"],
    tell: Callable[[str], None],
) -> Iterator[tuple[str, "Predictor"]]:
    """Has a job answer all rows of a file, for the block that writes the predictions.

    Args:
        model: Model to ask.
        loaded: The same model, loaded here for its columns and outputs.
        job: Request for predictions.
        read: Opens the file.
        tell: Called with a line on the job.

    Yields:
        Name of the job, and its answers.
    """
    from runners.platforms.vertex.batch.prediction import Ask, answers_of
    from runners.platforms.vertex.batch.rows import Instances
    from runners.publishing.batch_prediction import read_file

    types = loaded.output_types
    with scratch_folder("fareline-predict-", str(job.output.absolute().parent)) as folder:
        file = Path(folder, "instances.jsonl")
        with file.open("w", encoding="utf-8") as lines:
            instances = Instances(lines, loaded.signature.examples_input)
            read_file(job, read(), types, instances.add)
        with answers_of(model, types, instances, Ask(file, job.batch_size, tell)) as answered:
            yield answered
