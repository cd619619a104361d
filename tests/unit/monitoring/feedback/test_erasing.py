"""monitoring.feedback.erasing: nothing about an entity is left, also where it was killed."""

import os
import shutil
import sys

import pyarrow.parquet as pq
import pytest

from fareline.digests import sha256_of_folder
from fareline.errors import UserMistake
from fareline.recorded.feedback import Outcome
from monitoring.feedback.erasing import begin, end, erase, require_no_erasure
from monitoring.feedback.folders import FeedbackFolder
from monitoring.feedback.outcomes import write_outcomes
from monitoring.feedback.sealing import HOUR_MS
from tests.unit.monitoring.feedback.loop import (
    START,
    milliseconds,
    outcomes,
    predictions,
    workspace,
)
from tests.unit.monitoring.feedback.test_build import build_at

OF = list(predictions(300, step_ms=600_000))  # two days
WHO = "cab-7"
MINE = {p.id for p in OF if p.entity == WHO}


def erase_in(folder, entity=WHO):
    with folder.locked():
        erased = erase(folder, begin(folder, entity))
        end(folder, erased)
    return erased


def everything(root):
    """All that lies below a folder, as text; Parquet read."""
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        yield pq.read_table(path).to_pylist() if path.suffix == ".parquet" else path.read_text()


@pytest.fixture
def folder(tmp_path):
    folder = workspace(tmp_path, OF, outcomes(OF), files=2)
    by_cab = [Outcome(None, WHO, milliseconds(OF[-1]) + 9, START, "1.0", "process")]
    write_outcomes(folder.outcomes / "by-cab.parquet", by_cab)
    folder.set_apart.mkdir()
    other = next(p.id for p in OF if p.id not in MINE)
    apart = [f'{{"row": "{text}"}}\n' for text in (WHO, "cab-1", f"{{{min(MINE)}: ", other)]
    (folder.set_apart / "1.jsonl").write_text("".join(apart))
    [log, _] = sorted(folder.logs.iterdir())
    log.write_text(log.read_text() + '{"id": "1", "entity": "cab-7", "feat')
    build_at(folder, START + 40 * HOUR_MS)
    build_at(folder, START + 60 * HOUR_MS)
    return folder


def test_nothing_about_it_is_left_and_all_else_is(folder, tmp_path):
    before = {v.span: v for versions in folder.sealed().values() for v in versions}
    erased = erase_in(folder)
    assert erased.predictions == len(MINE) == erased.lines - 1 > 2
    assert erased.outcomes > 2
    text = str(list(everything(tmp_path)))
    assert WHO not in text and not any(i in text for i in MINE)
    left = (folder.set_apart / "1.jsonl").read_text()
    assert left.count("\n") == 2 and "cab-1" in left
    after = {v.span: v for versions in folder.sealed().values() for v in versions}
    assert {n: v.predictions for n, v in after.items()} == {
        n: v.predictions - sum(
            v.after_ms < milliseconds(p) <= v.until_ms for p in OF if p.id in MINE
        )
        for n, v in before.items()
    }  # fmt: skip
    assert [v.version for v in after.values()] == [v.version + 1 for v in before.values()]
    assert all(len(versions) == 1 for versions in folder.sealed().values())
    assert build_at(folder, START + 60 * HOUR_MS).sealed == ()


def test_a_refused_line_with_a_longer_name_stays(folder):
    apart = folder.set_apart / "1.jsonl"
    others = ["cab-71", "acab-7", "cab-7x", "7"]
    apart.write_text(
        "".join(f'{{"row": "{name}", ' + "\n" for name in (*others, WHO, f"a,{WHO},3"))
    )
    erase_in(folder)
    assert [line.split('"')[3] for line in apart.read_text().splitlines()] == others


def test_killed_anywhere_it_is_carried_on_by_the_next(folder, tmp_path):
    shutil.copytree(tmp_path, tmp_path.with_name("whole"))
    whole = FeedbackFolder(tmp_path.with_name("whole") / "feedback",
                           tmp_path.with_name("whole") / "serving_logs")  # fmt: skip
    erase_in(whole)
    for point in (20, 25, 30, 36, 42):
        root = tmp_path.with_name(f"killed-{point}")
        shutil.copytree(tmp_path, root)
        killed = FeedbackFolder(root / "feedback", root / "serving_logs")
        child = os.fork()
        if not child:
            left = [point]

            def count(event, arguments, left=left):
                if event in ("open", "os.rename", "os.remove", "os.rmdir"):
                    left[0] -= 1
                    if left[0] < 0:
                        os._exit(9)

            sys.addaudithook(count)
            try:
                erase_in(killed)
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9, point
        if (killed.root / "erasing.json").exists():
            with pytest.raises(UserMistake, match="was stopped before its end"):
                require_no_erasure(killed)
        erase_in(killed)
        for part in ("feedback/spans", "feedback/outcomes", "serving_logs"):
            a, b = (sha256_of_folder(r / part) for r in (root, tmp_path.with_name("whole")))
            assert a == b, (point, part)


def test_what_nothing_is_about_is_refused(folder):
    before = sha256_of_folder(folder.spans)
    with folder.locked(), pytest.raises(UserMistake, match="no outcome and no sealed span is ab"):
        begin(folder, "cab-99")
    require_no_erasure(folder)
    assert sha256_of_folder(folder.spans) == before
