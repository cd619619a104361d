"""Predictions and outcomes made up for tests and measurements, and what a loop in Python says."""

import datetime
import json
import random
from collections import Counter

from fareline.prediction_ids import IdMaker
from fareline.recorded.feedback import LoggedPrediction, Outcome
from monitoring.feedback.folders import FeedbackFolder
from monitoring.feedback.outcomes import write_outcomes
from monitoring.feedback.sealing import HOUR_MS, Rules

START = 1_767_268_800_000  # 2026-01-01T12:00:00Z
RULES = Rules("tips", {"tips": "float", "fare": "float", "hour": "int"}, wait_hours=24)


def predictions(count, seed=1, step_ms=60_000):
    """So many logged predictions, one a minute."""
    chance, clock = random.Random(seed), [START]
    maker = IdMaker(lambda: clock[0] * 1_000_000)
    for _ in range(count):
        when = datetime.datetime.fromtimestamp(clock[0] / 1000, datetime.timezone.utc)
        yield LoggedPrediction(
            id=maker.make(),
            time=when.isoformat("T", "milliseconds"),
            model="taxi",
            version=7,
            sha256="ab",
            protocol="rest",
            weight=1.0,
            score=round(chance.random(), 6),
            features={"fare": round(chance.uniform(3, 90), 2), "hour": chance.randrange(24)},
            entity=f"cab-{chance.randrange(50)}",
        )
        clock[0] += step_ms


def milliseconds(prediction):
    return round(datetime.datetime.fromisoformat(prediction.time).timestamp() * 1000)


def outcomes(of, rules=RULES, seed=2, per_prediction=0.8):
    """Outcomes of a share: some twice, late, corrected, by cab; conflicts and orphans."""
    chance, found = random.Random(seed), []
    for prediction in of:
        if chance.random() > per_prediction:
            continue
        ms = milliseconds(prediction)
        delay = chance.expovariate(1 / (4 * HOUR_MS))
        if chance.random() < 0.10:
            delay = rules.wait_ms + chance.randrange(1, 48 * HOUR_MS)
        value = json.dumps(float(chance.randrange(5)))
        event = ms + round(delay / 2)
        outcome = Outcome(prediction.id, None, event, ms + round(delay), value, "process")
        found.append(outcome)
        kind = chance.random()
        if kind < 0.01:
            found.append(outcome)  # twice
        elif kind < 0.02:
            found.append(Outcome(f"{prediction.id}x", None, event, ms, value, "process"))  # orphan
        elif kind < 0.025:
            again = event + chance.randrange(HOUR_MS)
            found.append(Outcome(prediction.id, None, event, again, "9.0", "human"))  # conflict
        elif kind < 0.035:
            again = event + chance.randrange(72 * HOUR_MS)
            found.append(Outcome(prediction.id, None, event, again, "8.0", "correction"))
        elif kind < 0.045:
            found.append(Outcome(None, prediction.entity, ms + 5, ms + 9, value, "process"))
    chance.shuffle(found)
    return found


def write_log(folder, of, files=1):
    """Writes predictions into closed files of a log."""
    of = list(of)
    folder.mkdir(parents=True, exist_ok=True)
    size = -(-len(of) // files)
    for i in range(files):
        lines = "".join(each.line() for each in of[i * size : (i + 1) * size])
        (folder / f"predictions-{i:03}.jsonl").write_text(lines)


def workspace(root, of, found, files=1):
    """A folder with a log and outcomes."""
    folder = FeedbackFolder(root / "feedback", root / "serving_logs")
    write_log(folder.logs, of, files)
    size = max(-(-len(found) // files), 1)
    for i in range(files):
        write_outcomes(folder.outcomes / f"{i}.parquet", found[i * size : (i + 1) * size])
    return folder


def oracle(of, found, as_of, rules=RULES):
    """Id to (state, value), by a loop over everything; and how many orphans there are."""
    of = [each for each in of if milliseconds(each) <= as_of]
    times = {each.id: milliseconds(each) for each in of}
    named = {}
    for outcome in found:
        if outcome.arrival_ms > as_of:
            continue
        key = outcome.prediction_id
        if key is None:
            before = [
                (times[p.id], p.id)
                for p in of
                if p.entity == outcome.entity and times[p.id] <= outcome.event_ms
            ]
            key = max(before)[1] if before else (outcome.entity, outcome.event_ms)
        named.setdefault(key, []).append(outcome)
    states = {}
    for prediction in of:
        deadline = times[prediction.id] + rules.wait_ms
        mine = named.pop(prediction.id, [])
        if not mine:
            states[prediction.id] = ("pending" if deadline > as_of else "expired", None)
            continue
        corrections = [each for each in mine if each.source == "correction"]
        if corrections:
            newest = max(each.arrival_ms for each in corrections)
            mine = [each for each in corrections if each.arrival_ms == newest]
        values = {each.value for each in mine}
        if len(values) > 1:
            states[prediction.id] = ("conflicting", None)
        else:
            late = min(each.arrival_ms for each in mine) > deadline
            states[prediction.id] = ("late" if late else "labelled", values.pop())
    return states, len(named)


def counted(states):
    return Counter(state for state, _ in states.values())
