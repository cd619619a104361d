"""The garbage collector while modules load (fareline.collector)."""

import gc
import subprocess
import sys
import textwrap

from fareline.collector import THRESHOLDS


def run_python(code):
    """Runs code in a process of its own, since the collector belongs to the whole process."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_nothing_is_collected_while_modules_load():
    assert run_python(
        """
        import gc
        from fareline import collector
        with collector.paused():
            before = sum(each["collections"] for each in gc.get_stats())
            kept = [[i] for i in range(200_000)]
            print(gc.isenabled(), sum(each["collections"] for each in gc.get_stats()) - before)
        print(gc.isenabled(), gc.get_freeze_count() > 200_000, *gc.get_threshold())
        """
    ) == ["False", "0", "True", "True", *map(str, THRESHOLDS)]


def test_what_was_loaded_is_not_looked_at_again():
    assert run_python(
        """
        import gc
        from fareline import collector
        with collector.paused():
            loaded = [[i] for i in range(1000)]
        fresh = [[1], [2]]
        print(any(each is loaded[500] for each in gc.get_objects()))
        print(any(each is fresh for each in gc.get_objects()))
        """
    ) == ["False", "True"]


def test_garbage_made_later_is_collected():
    assert run_python(
        """
        import gc, weakref
        from fareline import collector
        class Node: pass
        with collector.paused():
            pass
        node = Node()
        node.itself = node
        gone = weakref.ref(node)
        del node
        gc.collect()
        print(gone() is None)
        """
    ) == ["True"]


def test_collecting_resumes_after_an_import_that_fails():
    assert run_python(
        """
        import gc
        from fareline import collector
        try:
            with collector.paused():
                import there_is_no_such_module
        except ImportError:
            print(gc.isenabled())
        """
    ) == ["True"]


def test_the_thresholds_are_higher_than_pythons():
    assert THRESHOLDS[0] > 700
    assert gc.isenabled()
