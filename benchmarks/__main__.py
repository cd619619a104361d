"""`python -m benchmarks [NAME] …` runs one benchmark; without a name, the first."""

import importlib
import sys

# Name to module; the first runs where none is named.
MODULES = {
    **{
        name: f"benchmarks.runs.{name}"
        for name in (
            "local_run",
            "floor",
            "scale",
            "estimate",
            "columns",
            "soak",
            "spec_run",
            "cached_steps",
        )
    },
    **{
        name: f"benchmarks.{name}"
        for name in (
            "big_store",
            "compile",
            "drift",
            "example_gen",
            "explorer",
            "feedback",
            "infra_validation",
            "kinds",
            "lineage",
            "monitor",
            "own_data",
            "schema",
            "serve",
            "ui",
        )
    },
}


def main() -> None:
    """Runs what was named."""
    chosen = [name for name in sys.argv[1:2] if name in MODULES]
    arguments = sys.argv[1 + len(chosen) :]
    for name in chosen or list(MODULES)[:1]:
        importlib.import_module(MODULES[name]).main(arguments)


if __name__ == "__main__":
    main()
