"""Predictions of the model that is live on Vertex AI, by a job there.

Called by `cli.views.prediction_on_vertex`. The rows and the answers are in the bucket only while
the command works, or until it is repeated if it was killed.
"""

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from fareline.errors import FarelineError, Interrupted, UserMistake
from lineage.answers.models.versions import pushed_versions
from lineage.graph.graph import Graph
from runners.platforms.jobs import PlatformError, RefusedRequestError
from runners.platforms.vertex.batch.job import BatchJobs, BatchRequest
from runners.platforms.vertex.batch.rows import Answers, FailedJob, Instances
from runners.platforms.vertex.bucket import Upload, download, files_below, remove_below, upload
from runners.platforms.vertex.changes import find_target, require_known
from runners.platforms.vertex.registry import DONE, LIVE, Registry
from runners.platforms.vertex.target import Target


@dataclasses.dataclass(frozen=True)
class LiveOnVertex:
    """The model to ask.

    Attributes:
        target: Place on Vertex.
        version: Version in the registry.
        folder: Folder of this machine with the same files.
    """

    target: Target
    version: int
    folder: str

    @property
    def address(self) -> str:
        """`vertex://PROJECT/REGION/MODEL/VERSION`."""
        return f"{self.target.base}/{self.version}"


@dataclasses.dataclass(frozen=True)
class Ask:
    """How the model is asked.

    Attributes:
        file: File with the instances; answers are fetched to its folder.
        batch_size: Rows that the model gets at once.
        tell: Called with a line on the job.
    """

    file: Path
    batch_size: int
    tell: Callable[[str], None]


def live_on_vertex(graph: Graph, destination: str) -> LiveOnVertex:
    """Finds the version with the alias `live`; without one, the newest that was pushed.

    Raises:
        UserMistake: There is no such version, or this workspace did not push it.
        PlatformError, UnreachableError: Vertex refuses, or does not answer.
    """
    base, target = find_target(graph, destination)
    done = [each for each in Registry(target).versions() if each.state == DONE]
    version = next((each for each in done if LIVE in each.aliases), done[-1] if done else None)
    if version is None:
        raise UserMistake.explain(
            base,
            "the Model Registry has no version there that was pushed and not withheld",
            "expected one to ask",
            "`fareline run` pushes a model; `fareline models` lists the recorded versions",
        )
    known = {each.number: each for each in pushed_versions(graph)[base]}
    require_known(known, version.number, base)
    folder = Path(known[version.number].artifact.uri)
    if not (folder / "saved_model.pb").is_file():
        raise UserMistake.explain(
            str(folder),
            f"the copy of version {version.number} is not there",
            "expected the pushed files, which say what columns the model reads",
            "`fareline run` pushes a model",
        )
    return LiveOnVertex(target, version.number, str(folder))


@contextlib.contextmanager
def answers_of(
    model: LiveOnVertex, types: Mapping[str, np.dtype], instances: Instances, ask: Ask
) -> Iterator[tuple[str, Answers]]:
    """Has a job answer rows, for the block that writes them down.

    The files in the bucket go when the block has ended well, and with a job that failed. Otherwise
    they stay, so that the same command finds the job again.

    Args:
        model: Model to ask.
        types: Output of the signature to its type.
        instances: Rows that were written.
        ask: How.

    Yields:
        Name of the job, and the answers.

    Raises:
        Interrupted: By a signal; the job is cancelled, or named.
        FailedJob, PlatformError, UnreachableError, RefusedRequestError: One line.
    """
    work = _Work(model, instances, ask)
    with work.cleared_after(FailedJob):
        name = work.find_or_start()
        place = work.wait(name)
        answers = Answers(model.version, types, instances, name)
        for uri in files_below(place):
            _read(answers, uri, ask.file.with_name("answers.jsonl"))
        answers.require_all()
    yield name, answers
    try:
        remove_below(work.folder)
    except FarelineError as error:  # the predictions are written
        ask.tell(f"rows and answers stay in {work.folder}: {error}")


class _Work:
    """One job and its files in the bucket."""

    def __init__(self, model: LiveOnVertex, instances: Instances, ask: Ask):
        self._rows, self._tell, self._file = instances.count, ask.tell, ask.file
        self._jobs = BatchJobs(model.target)
        settings = model.target.settings
        digest = hashlib.sha256(f"{model.version}:{instances.sha256}".encode()).hexdigest()
        name = f"{model.version}-{digest[:16]}"
        self.folder = f"{settings.bucket}/vertex-predictions/{settings.model}/{name}"
        self.request = BatchRequest(model.version, digest, self.folder, ask.batch_size)

    @contextlib.contextmanager
    def cleared_after(self, *errors: type[BaseException]) -> Iterator[None]:
        """Removes the files after an error of one of these types."""
        try:
            yield
        except errors:
            self._clear()
            raise

    def find_or_start(self) -> str:
        """Name of the job for these rows."""
        try:
            name = self._jobs.find(self.request)
            if name is not None:
                self._tell(f"{name} of an earlier command has the same {self._rows:,} rows")
                return name
            with self.cleared_after(PlatformError, RefusedRequestError):
                upload([Upload(self._file, self.request.instances)])
                name = self._jobs.start(self.request)
        except KeyboardInterrupt:
            name = None
            with contextlib.suppress(FarelineError):
                name = self._jobs.find(self.request)  # whether it arrived is not known
            if name is None:
                self._clear()
                raise
            raise self._cancelled(name) from None
        self._tell(f"{name} predicts {self._rows:,} rows; Ctrl-C cancels it")
        return name

    def wait(self, name: str) -> str:
        """Waits until the job has ended; returns the folder with the answers."""
        try:
            return self._jobs.wait(name, lambda state: self._tell(f"the job is {state}"))
        except KeyboardInterrupt:
            raise self._cancelled(name) from None

    def _cancelled(self, name: str) -> Interrupted:
        try:
            self._jobs.cancel(name)
        except FarelineError as error:
            return Interrupted(
                f"{name}: was not cancelled and goes on; {error} It costs until it has ended: "
                "the console cancels it."
            )
        self._clear()
        return Interrupted(f"{name}: cancelled. Hint: the same command starts another job.")

    def _clear(self) -> None:
        with contextlib.suppress(FarelineError):
            remove_below(self.folder)


def _read(answers: Answers, uri: str, file: Path) -> None:
    """Takes the answers of one object; statistics of errors are none."""
    if "stats" not in uri.rpartition("/")[2]:
        download(uri, file)
        answers.read(file)
        file.unlink()
