"""How long compiling for Kubeflow and Vertex takes, beside the imports, which each process pays.

python -m benchmarks.compile [-n 5]
"""

import argparse
import statistics
import time


def main(argv=None):
    """Imports, then compiles some times for each runner; prints a line for each."""
    parser = argparse.ArgumentParser(prog="benchmarks.compile")
    parser.add_argument("-n", type=int, default=5)
    arguments = parser.parse_args(argv)
    started = time.perf_counter()
    # All that compiling imports, here, so that it is not measured below.
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner  # noqa: F401

    import pipeline.dag  # noqa: F401
    from pipeline.settings.load import load_settings
    from pipeline.settings.runners import RUNNER_NAMES
    from runners.submit.compilation import compile_spec

    print(f"imports: {time.perf_counter() - started:.2f} s")
    for runner in RUNNER_NAMES:
        seconds = []
        for _ in range(arguments.n):
            started = time.perf_counter()
            compiled = compile_spec(load_settings(), runner)
            seconds.append(time.perf_counter() - started)
        print(
            f"{runner}: first {seconds[0]:.2f} s, median {statistics.median(seconds):.2f} s, "
            f"{len(compiled.text):,} bytes"
        )


if __name__ == "__main__":
    main()
