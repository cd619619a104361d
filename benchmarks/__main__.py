"""`python -m benchmarks [NAME] …` runs one benchmark; without a name, the first."""

import importlib
import sys

NAMES = (
    "local_run",
    "floor",
    "soak",
    "big_store",
    "lineage",
    "explorer",
    "serve",
    "infra_validation",
    "example_gen",
    "compile",
    "spec_run",
    "schema",
    "drift",
    "scale",
    "columns",
)


def main() -> None:
    """Runs what was named."""
    chosen = [name for name in sys.argv[1:2] if name in NAMES]
    arguments = sys.argv[1 + len(chosen) :]
    for name in chosen or NAMES[:1]:
        importlib.import_module(f"benchmarks.{name}").main(arguments)


if __name__ == "__main__":
    main()
