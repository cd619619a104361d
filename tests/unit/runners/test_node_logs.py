"""Each node's log has what its threads say, and no other's."""

import logging
import threading

from absl import logging as absl_logging

from runners.local.node_logs import NodeLogs


def in_threads(*targets):
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def said(folder):
    return {
        path.stem: [line.rpartition(": ")[2] for line in path.read_text().splitlines()]
        for path in folder.glob("*.log")
    }


def test_what_a_node_says_is_in_its_log_alone(tmp_path):
    logs, both = NodeLogs(tmp_path / "run"), threading.Barrier(2)

    def work(node):
        with logs.of(node):
            both.wait()
            logging.getLogger(node).warning("I am %s", node)
            absl_logging.warning("absl of %s", node)
            both.wait()

    with logs.attached():
        in_threads(lambda: work("Evaluator"), lambda: work("InfraValidator"))
        logging.getLogger("else").warning("nobody is at work")
    logging.getLogger("else").warning("nobody listens")
    assert said(tmp_path / "run") == {
        node: [f"I am {node}", f"absl of {node}"] for node in ("Evaluator", "InfraValidator")
    }


def test_a_thread_of_a_node_is_heard_by_all_that_run(tmp_path):
    logs = NodeLogs(tmp_path / "run")
    with logs.attached(), logs.of("Transform"):
        in_threads(lambda: logging.getLogger("beam").warning("from a worker"))
    assert said(tmp_path / "run") == {"Transform": ["from a worker"]}


def test_a_node_that_says_nothing_has_no_log(tmp_path):
    logs = NodeLogs(tmp_path / "run")
    with logs.attached(), logs.of("Pusher"):
        pass
    assert not (tmp_path / "run").exists()


def test_a_second_run_of_a_node_is_added(tmp_path):
    logs = NodeLogs(tmp_path / "run")
    for word in ("one", "two"):
        with logs.attached(), logs.of("Tuner"):
            logging.getLogger("x").warning(word)
    assert said(tmp_path / "run") == {"Tuner": ["one", "two"]}
