"""serving.model.tensorflow_parts: TensorFlow's own, and a server answers the same."""

import ast
import subprocess
import sys

import numpy as np
import pytest

from fareline.packages import CHECKOUT
from serving.model import tensorflow_parts
from serving.model.servable import Servable
from serving.model.warm_up import write_warm_up
from tests.component.serving import models_for_tests

_ROOT = str(CHECKOUT)
_SEED = 20261129


def _run(script, *arguments):
    """Runs a script in a fresh process, where TensorFlow is not loaded yet."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_parts_are_the_objects_that_tensorflow_exports():
    said = _run("""
import functools, sys
from serving.model import tensorflow_parts

def find(package, name):
    return functools.reduce(getattr, name.split("."), package)

assert tensorflow_parts.load_parts()
import tensorflow as parts
held = {name: find(parts, name) for name in tensorflow_parts.PARTS | tensorflow_parts.LATE_PARTS}
assert not any(name.startswith("keras") for name in sys.modules)
whole = parts.math.__name__ and sys.modules["tensorflow"]  # asks for what is no part
assert whole is not parts and whole.keras.layers
for name, part in held.items():
    assert find(whole, name) is part, name
print(parts.constant([1.5]).numpy() * 2, len(held))
""")
    assert said == f"[3.] {len(tensorflow_parts.PARTS | tensorflow_parts.LATE_PARTS)}\n"


def _names_of_tensorflow(path):
    """What a module asks `tf` for: the longest dotted names, and the function that each is in."""
    tree = ast.parse(path.read_text())
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for function in ast.walk(tree):
        for node in ast.walk(function) if isinstance(function, ast.FunctionDef) else ():
            if isinstance(node, ast.Attribute) and id(node) not in inner:
                name, _, _ = ast.unparse(node).partition("(")
                if name.startswith("tf."):
                    yield function.name, name.removeprefix("tf.")


def test_a_server_asks_for_nothing_but_the_parts():
    """Anything else would load the whole of TensorFlow at the first request, for seconds."""
    known = tensorflow_parts.PARTS | tensorflow_parts.LATE_PARTS
    asked = {
        (function, name)
        for folder in ("model", "server")
        for path in (CHECKOUT / "serving" / folder).glob("*.py")
        for function, name in _names_of_tensorflow(path)
        if not any(f"{name}.".startswith(f"{part}.") for part in known)
    }
    # InfraValidator writes that file.
    assert {name for function, name in asked if function != "write_warm_up"} == set()
    assert ("write_warm_up", "io.TFRecordWriter") in asked


@pytest.mark.parametrize(
    "part", ["python.framework.ops:no_such_name", "python.no_such_module:Graph"]
)
def test_tensorflow_is_loaded_whole_where_a_part_is_not_as_expected(part):
    said = _run(f"""
from serving.model import tensorflow_parts
tensorflow_parts.PARTS["Graph"] = {part!r}
assert not tensorflow_parts.load_parts()
import tensorflow as tf
import serving.server.server
print(tf.constant([1.5]).numpy() * 2, tf.keras.__name__ != "", tf.__version__ != "")
""")
    assert said == "[3.] True True\n"


@pytest.mark.parametrize("how", ["loaded", "plugins"])
def test_parts_are_not_loaded_over_the_whole_or_beside_plugins(tmp_path, monkeypatch, how):
    if how != "loaded":
        monkeypatch.delitem(sys.modules, "tensorflow")
        (tmp_path / "tensorflow-plugins").mkdir()
    if how == "plugins":
        monkeypatch.syspath_prepend(str(tmp_path))
    assert tensorflow_parts.load_parts() is False
    assert ("tensorflow" in sys.modules) == (how == "loaded")


_ANSWER = """
import sys
import numpy as np
from serving.model import tensorflow_parts
assert tensorflow_parts.load_parts()
from serving.model.servable import Servable
import tensorflow as tf
servable = Servable("taxi", 1, sys.argv[1])
signature = servable.find_signature("")
lengths, joined = np.load(sys.argv[2]).values()
ends = np.cumsum(lengths)
rows = [joined.tobytes()[end - n : end] for n, end in zip(lengths, ends)]
outputs = signature.run({signature.examples_input: np.array(rows, dtype=object)})
np.savez(sys.argv[3], **outputs)
assert type(tf).__name__ == "StandIn" and not any(name.startswith("keras") for name in sys.modules)
print({name: (column.kind, column.required) for name, column in signature.columns.items()})
print(sorted(servable.signature_defs), signature.outputs)
"""


def test_a_server_of_parts_answers_bit_by_bit_as_one_of_the_whole(tmp_path):
    vocabulary = tmp_path / "words"
    vocabulary.write_text("some\nword\n")
    model = models_for_tests.save_model(tmp_path / "model", vocabulary=str(vocabulary), factor=0.7)
    values = np.random.default_rng(_SEED).lognormal(0, 8, 200)
    examples = [models_for_tests.make_example(float(x)) for x in values]
    write_warm_up(model, "taxi", "", "examples", examples[:3])
    np.savez(tmp_path / "asked", [*map(len, examples)], np.frombuffer(b"".join(examples), np.uint8))

    said = _run(_ANSWER, model, tmp_path / "asked.npz", tmp_path / "answered.npz")

    servable = Servable("taxi", 1, model)
    signature = servable.find_signature("")
    expected = signature.run({signature.examples_input: np.array(examples, dtype=object)})
    answered = dict(np.load(tmp_path / "answered.npz"))
    assert answered.keys() == expected.keys() and len(expected["y"]) == 200
    for name in expected:
        assert answered[name].tobytes() == expected[name].tobytes()
    np.testing.assert_allclose(expected["y"][:, 0], (values + 1) * 0.7, rtol=1e-6)
    columns = {name: (column.kind, column.required) for name, column in signature.columns.items()}
    assert said == f"{columns}\n{sorted(servable.signature_defs)} {signature.outputs}\n"
    servable.close()
