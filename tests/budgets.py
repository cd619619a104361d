"""How long each folder's tests took beside its budget in pyproject.toml: a report, never a failure.

Seconds are summed over all workers. Loaded by tests/conftest.py.
"""

import collections

import pytest

BUDGETS = "time_budgets"


def pytest_addoption(parser):
    parser.addini(BUDGETS, "folder and seconds that its tests may take", type="linelist")


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around pytest's own, to have the last word
def pytest_terminal_summary(terminalreporter, config):
    yield
    budgets = parse_budgets(config.getini(BUDGETS))
    reports = [report for some in terminalreporter.stats.values() for report in some]
    took = sum_by_folder(
        ((r.nodeid, r.duration) for r in reports if hasattr(r, "duration")), budgets
    )
    for line in describe_excess(took, budgets):
        terminalreporter.write_line(line, yellow=True, bold=True)


def parse_budgets(lines) -> dict[str, float]:
    """Reads `folder seconds` lines."""
    return {folder: float(seconds) for folder, seconds in (line.split() for line in lines)}


def sum_by_folder(durations, folders) -> dict[str, float]:
    """Adds up (test id, seconds) pairs for those folders that they are in."""
    took = collections.Counter()
    for nodeid, seconds in durations:
        for folder in folders:
            if nodeid.startswith(folder + "/"):
                took[folder] += seconds
    return took


def describe_excess(took, budgets) -> list[str]:
    """Says which folders took longer than they may, the worst first."""
    over = [folder for folder in took if took[folder] > budgets[folder]]
    return [
        f"{folder} took {took[folder]:.0f} s of its {budgets[folder]:.0f} s"
        for folder in sorted(over, key=lambda folder: budgets[folder] - took[folder])
    ]
