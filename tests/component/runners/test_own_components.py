"""Nodes of the user's own in the graph: as docs/own-code.md writes one, and what is refused."""

import re
import shutil
import sys

import pytest
from tfx.types import standard_artifacts

from fareline.errors import SettingsError
from fareline.packages import CHECKOUT
from fareline.start import offer_packages
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH
from runners.own_code import own_components, require_own_code
from runners.submit.compilation import compile_spec
from tests.component.compiled_graphs import compile_graph

DOCUMENT = (CHECKOUT / "docs" / "own-code.md").read_text(encoding="utf-8")
[WRITTEN] = [
    t for t in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL) if "@component" in t
]


@pytest.fixture
def settings(tmp_path):
    """Writes `taxi_code/graph.py`; returns settings that name it."""
    package = tmp_path / "taxi_code"
    package.mkdir()
    (package / "__init__.py").write_text("")

    def write(text=WRITTEN):
        for name in [name for name in sys.modules if name.partition(".")[0] == "taxi_code"]:
            del sys.modules[name]
        (package / "graph.py").write_text(text)
        shutil.rmtree(package / "__pycache__", ignore_errors=True)
        overrides = [f"code.folder={tmp_path}", "code.components=taxi_code.graph.components"]
        return load_settings(DEFAULT_PATH, overrides)

    yield write
    offer_packages((), "")


def compile_nodes(settings, tmp_path):
    require_own_code(settings)
    return compile_graph(settings, tmp_path, own_components=own_components(settings))[1]


def test_the_documented_component_stands_in_the_graph_and_works(settings, tmp_path):
    nodes = compile_nodes(settings(), tmp_path)
    assert set(nodes["ModelSize"].upstream_nodes) == {"Trainer"}
    assert "ModelSize" in nodes["Pusher"].upstream_nodes
    code = nodes["ModelSize"].parameters.parameters["code"].field_value.string_value
    edited = compile_nodes(settings(WRITTEN + "\n# an edit\n"), tmp_path)
    assert edited["ModelSize"].parameters.parameters["code"].field_value.string_value != code
    assert edited["Trainer"] == nodes["Trainer"]

    model, size = standard_artifacts.Model(), standard_artifacts.Integer()
    model.uri, size.uri = str(tmp_path / "model"), str(tmp_path / "bytes")
    (tmp_path / "model" / "variables").mkdir(parents=True)
    (tmp_path / "model" / "saved_model.pb").write_text("12345")
    (tmp_path / "model" / "variables" / "index").write_text("123")
    function = sys.modules["taxi_code.graph"].ModelSize.EXECUTOR_SPEC.executor_class
    function().Do({"model": [model]}, {"bytes": [size]}, {"code": code})
    assert size.read() == 8


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
def test_a_compiled_spec_has_it_too(settings, runner):
    text = compile_spec(settings(), runner).text
    assert "taxi_code.graph.ModelSize_Executor" in text


GOOD = "from tfx.components import SchemaGen\n\n\ndef components(nodes, fingerprint):\n"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("    return [1]\n", r"components returned a int; expected a list of TFX's nodes"),
        ("    return None\n", r"components returned a NoneType; expected a list of TFX's nodes"),
        (
            "    return [nodes['Trainer']]\n",
            r"returned a node Trainer, and there is one; .*with_id",
        ),
        (
            "    x = 1\n    return nodes['Trianer']\n",
            r"graph\.py:6: KeyError: 'Trianer'; expected a",
        ),
        ("    return SchemaGen()\n", r"graph\.py:5: TypeError: "),
    ],
)
def test_what_is_no_node_is_refused_in_one_line(settings, tmp_path, body, said):
    with pytest.raises(SettingsError, match=said) as refused:
        compile_nodes(settings(GOOD + body), tmp_path)
    assert "\n" not in str(refused.value)
    assert "code.components: " in str(refused.value)


def test_one_node_need_not_be_a_list_and_none_is_fine(settings, tmp_path):
    statistics = "nodes['StatisticsGen'].outputs['statistics']"
    one = f"    return SchemaGen(statistics={statistics}).with_id('Second')\n"
    assert "Second" in compile_nodes(settings(GOOD + one), tmp_path)
    assert "Second" not in compile_nodes(settings(GOOD + "    return []\n"), tmp_path)


def test_a_function_that_cannot_be_called_so_is_refused_before(settings, tmp_path):
    with pytest.raises(
        SettingsError, match=r"found components\(nodes\); expected components\(nodes, f"
    ):
        compile_nodes(settings("def components(nodes):\n    return []\n"), tmp_path)
