"""Finds the files of a source with spans, before the run starts. Must not import TFX."""

import dataclasses
import glob
import os
from collections.abc import Sequence
from pathlib import Path

from data.sources.span_patterns import Span, choose, describe, find_spans, gaps, split_pattern
from data.sources.visible import visible, with_content


@dataclasses.dataclass(frozen=True)
class SpanSource:
    """The spans that a run reads.

    Attributes:
        base: The folder that holds all spans.
        pattern: With `{SPAN}` and so on, relative to `base`.
        spans: Those to read, ascending.
        files: Files of the spans, sorted within each span.
        notes: Sentences: gaps, and a window that is not full.
    """

    base: str
    pattern: str
    spans: tuple[Span, ...]
    files: tuple[Path, ...]
    notes: tuple[str, ...]

    @property
    def span_range(self) -> tuple[int, int]:
        """The first and the last span."""
        return self.spans[0].number, self.spans[-1].number


def find_gaps(path: str) -> tuple[list[Path], list[str]]:
    """Looks at all spans of a pattern.

    Args:
        path: An absolute path with the pattern.

    Returns:
        Their files; and a sentence about numbers that are missing between them, if any are.

    Raises:
        DataError: The pattern is no pattern, or a file is named against it.
    """
    base, pattern = split_pattern(path)
    there = find_spans(base, pattern, glob.glob)
    files = _files_of(base, there)
    missing = gaps(there, pattern)
    if not missing:
        return files, []
    numbers = describe([span.number for span in there], pattern)
    return files, [f"{path}: there is no span {describe(missing)} among {numbers}"]


def _files_of(base: str, spans: Sequence[Span]) -> list[Path]:
    """The files of spans that are data, sorted within each."""
    paths = [f for s in spans for f in visible(sorted(glob.glob(f"{base}/{s.pattern}")), s.pattern)]
    return list(map(Path, with_content(paths, os.path.getsize)))


def resolve_spans(path: str, number: int | None, window: int) -> SpanSource:
    """Finds what a pattern of spans means today.

    Args:
        path: An absolute path with the pattern.
        number: The newest span to read; None for the latest.
        window: Number of spans to read: that one and those before it.

    Raises:
        DataError: The pattern is no pattern, matches nothing, or the span is not there.
    """
    base, pattern = split_pattern(path)
    there = find_spans(base, pattern, glob.glob)
    chosen = choose(there, pattern, number, window, path)
    files = _files_of(base, chosen)
    notes = []
    numbers = describe([span.number for span in chosen], pattern)
    if missing := gaps(chosen, pattern):
        notes.append(f"spans {numbers} are read; there is no span {describe(missing)} among them")
    if len(chosen) < window:
        notes.append(f"a window of {window} spans was asked for; there is no more than {numbers}")
    return SpanSource(base, pattern, tuple(chosen), tuple(files), tuple(notes))
