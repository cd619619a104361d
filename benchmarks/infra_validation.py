"""How long infra validation of a good model takes, and where that goes.

    python -m benchmarks.infra_validation MODEL_DIR EXAMPLES_FILE [-n 3]

MODEL_DIR is a SavedModel (a pushed version, say), EXAMPLES_FILE a gzipped TFRecord file of raw
tf.Examples (of ExampleGen's eval split).
"""

import argparse
import resource
import statistics
import time

import tensorflow as tf

from serving.validation.check import Budgets, check_model

EXAMPLES = 32


def main(argv=None):
    """Checks the model some times, prints a line for each, and the median."""
    parser = argparse.ArgumentParser(prog="benchmarks.infra_validation")
    parser.add_argument("model_dir")
    parser.add_argument("examples_file")
    parser.add_argument("-n", type=int, default=3)
    arguments = parser.parse_args(argv)
    records = tf.data.TFRecordDataset(arguments.examples_file, "GZIP").take(EXAMPLES)
    requests = [record.numpy() for record in records]
    seconds = []
    for _ in range(arguments.n):
        before, started = _children_cpu(), time.perf_counter()
        result = check_model(arguments.model_dir, requests, Budgets())
        seconds.append(time.perf_counter() - started)
        told = result.to_json()
        print(
            f"{seconds[-1]:.1f} s ({told['reason']}): server loaded after {told['load_seconds']} s,"
            f" {_children_cpu() - before:.1f} s of CPU in its processes;"
            f" batch 1 {told['latency_ms']['batch_1']}, batch 32 {told['latency_ms']['batch_32']};"
            f" {told['peak_memory_mb']} MB"
        )
    print(f"median {statistics.median(seconds):.1f} s")


def _children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
