"""Progress of Tuner and Trainer for the live table, from Keras' and KerasTuner's lines in the log.

Read there and not counted here, so that a network of the user's own tells it as well, and nothing
is added to what trains. Called by `runners.local.run`. Imports no TensorFlow.
"""

import re
from pathlib import Path

_TAIL = 65_536  # bytes of the log; a training says its last lines within far fewer
_TRIAL = re.compile(r"Running Trial #(\d+)")
_BEST = re.compile(r"Best (\S+) So Far: (-?[\d.]+(?:e-?\d+)?)")
_EPOCH = re.compile(
    r"^Epoch (?P<epoch>\d+)/(?P<epochs>\d+)\s+(?P<step>\d+)/(?P<steps>\d+) - .*?"
    r"\bloss: (?P<loss>-?[\d.]+(?:e-?\d+)?)",
    re.MULTILINE,
)


def describe_search(log: Path, trials: int, seconds: float) -> str:
    """Such as `trial 2 of 4, best val_auc 0.9558`; empty before the first trial.

    Args:
        log: Log of the run.
        trials: Number of planned trials.
        seconds: Since the node began; not asked for.
    """
    said = _end_of(log)
    begun, best = _TRIAL.findall(said), _BEST.findall(said)
    if not begun:
        return ""
    so_far = f", best {best[-1][0]} {float(best[-1][1]):.4g}" if best else ""
    return f"trial {begun[-1]} of {trials}{so_far}"


def describe_training(log: Path, seconds: float) -> str:
    """Such as `step 96 of 640, loss 0.1962`; empty before the first evaluation.

    Args:
        log: Log of the run.
        seconds: Since the node began; not asked for.
    """
    evaluations = [*_EPOCH.finditer(_end_of(log))]
    if not evaluations:
        return ""
    found = evaluations[-1]
    steps = int(found["steps"])
    done, planned = int(found["epoch"]) * steps, int(found["epochs"]) * steps
    return f"step {done:,} of {planned:,}, loss {float(found['loss']):.4g}"


def _end_of(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL))
            return file.read().decode(errors="replace").replace("\r\n", "\n")
    except OSError:
        return ""
