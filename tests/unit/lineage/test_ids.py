"""Printable ids: what they mean, unique prefixes, and what is near a wrong one."""

import pytest

from fareline.errors import UserMistake
from lineage import ids
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from tests.stores.writer import CACHED, StoreWriter, artifact

RUN_1, RUN_2 = "run-20260101-120000", "2026-01-02T12:00:00.000000"  # ours, and one of stock TFX


@pytest.fixture
def graph(tmp_path):
    path = tmp_path / "metadata.db"
    writer = StoreWriter(path)
    writer.add_execution("taxi", RUN_1, "Trainer", outputs={"model": [artifact("/m/1")]})
    writer.add_execution("taxi", RUN_1, "Trainer", outputs={"model": [artifact("/m/2")]})
    for number, run in ((7, RUN_1), (8, RUN_2)):
        pushed = artifact("/p", pushed=1, pushed_destination=f"/serving/{number}")
        writer.add_execution("taxi", run, "Pusher", inputs=[("model", number - 6)],
                             outputs={"pushed_model": [pushed]})  # fmt: skip
    writer.add_execution("taxi", RUN_2, "Trainer", CACHED, reused=[("model", 1)])
    writer.add_execution("bikes", RUN_2, "Evaluator", inputs=[("model", 1)])
    return Graph(open_store(path))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Model:1", "Model:1"),
        ("model:1", "Model:1"),
        ("Mod:1", "Model:1"),
        ("P:3", "PushedModel:3"),
        (f"Pusher@{RUN_1}", f"Pusher@{RUN_1}"),
        ("Pu@run", f"Pusher@{RUN_1}"),
        ("Pusher@2026", f"Pusher@{RUN_2}"),
        ("Trainer@latest", f"Trainer@{RUN_2}"),
        (f"Trainer@{RUN_1}#2", f"Trainer@{RUN_1}#2"),
        ("Trainer#2", f"Trainer@{RUN_1}#2"),
        (RUN_1, RUN_1),
        (RUN_2, RUN_2),
        ("2026-01-02T12:0", RUN_2),
        ("latest", RUN_2),
        ("live", "PushedModel:4"),
        ("taxi", "taxi"),
        ("bik", "bikes"),
        ("/m/2", "Model:2"),
        ("/m/2/", "Model:2"),
    ],
)
def test_what_an_id_means(graph, text, key):
    assert ids.find(graph, text).key == key


def test_every_printed_id_means_what_it_was_printed_for(graph):
    graph.read_all()
    for element in [*graph.all_artifacts(), *graph.all_executions()]:
        assert ids.find(graph, element.key) == element


def mistake(find, graph, text):
    with pytest.raises(UserMistake) as caught:
        find(graph, text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Model:3", "Model:3: is not in the store; .* Hint: did you mean Model:1 or Model:2."),
        ("Modle:2", "did you mean Model:1 or Model:2"),
        ("Trianer@run", f"did you mean Trainer@{RUN_1}"),
        ("Trainer@nun-20260101", f"did you mean Trainer@{RUN_1}"),
        ("texi", "did you mean taxi"),
        ("lates", "did you mean latest"),
        ("liv", "did you mean live"),
        ("Trainer", "did you mean Trainer@latest"),
        ("trainr@latest", "did you mean Trainer@"),
        ("models", "did you mean Model:2"),
        ("Trainer@run", f"is 2 things: Trainer@{RUN_1}#1, Trainer@{RUN_1}#2; expected one"),
        ("1", "is 2 things: Model:1, Trainer"),
        ("/p", "is 2 things: PushedModel:3, PushedModel:4"),
        ("nothing like it", "Hint: `fareline lineage runs` lists the runs"),
        ("", "is 4 things"),
    ],
)
def test_a_wrong_id_says_what_is_near(graph, text, said):
    with pytest.raises(UserMistake, match=said):
        ids.find(graph, text)


def test_only_the_kind_that_is_asked_for(graph):
    assert ids.find_artifact(graph, "Model:1").id == 1
    assert ids.find_execution(graph, "Pusher@run").place.node == "Pusher"
    assert ids.find_run(graph, "run") == RUN_1
    assert mistake(ids.find_artifact, graph, RUN_1).startswith(f"{RUN_1}: is a run ({RUN_1});")
    assert "is an artifact (Model:1); expected a run" in mistake(ids.find_run, graph, "Model:1")
    assert "is a pipeline (taxi); expected an exec" in mistake(ids.find_execution, graph, "taxi")


def test_a_pipeline_by_its_name(graph):
    assert ids.find_pipeline(graph, "taxi") == "taxi"
    assert ids.find_pipeline(graph, "b") == "bikes"
    said = mistake(ids.find_pipeline, graph, "taxis")
    assert said == ("taxis: is not a pipeline of the store; expected one. Hint: did you mean taxi.")


@pytest.mark.parametrize(
    ("text", "model"),
    [("Model:2", 2), ("PushedModel:3", 1), ("live", 2), (f"Trainer@{RUN_1}#2", 2)],
)
def test_the_model_of_something(graph, text, model):
    assert ids.find_model(graph, text).id == model


def test_a_run_of_several_models_or_none_is_refused(graph):
    assert "is 2 things: Model:1, Model:2" in mistake(ids.find_model, graph, RUN_1)


def test_an_empty_store(tmp_path):
    StoreWriter(tmp_path / "metadata.db")
    graph = Graph(open_store(tmp_path / "metadata.db"))
    assert "latest: the store has no run" in mistake(ids.find, graph, "latest")
    assert "live: no model is live" in mistake(ids.find, graph, "live")


def test_live_at_two_destinations_is_to_be_named(tmp_path):
    writer = StoreWriter(tmp_path / "metadata.db")
    for name in ("one", "two"):
        pushed = artifact(f"/{name}", pushed=1, pushed_destination=f"/serving/{name}/1")
        writer.add_execution(name, f"run-{name}", "Pusher", outputs={"pushed_model": [pushed]})
    graph = Graph(open_store(tmp_path / "metadata.db"))
    assert mistake(ids.find, graph, "live") == (
        "live: is 2 things: PushedModel:1 at /serving/one, PushedModel:2 at /serving/two; expected "
        "one. Hint: name one of them."
    )
    assert [each.key for each in ids.find_start(graph, "live").pushed] == [
        "PushedModel:1",
        "PushedModel:2",
    ]
    assert "Model:1: is not in the store" in mistake(ids.find, graph, "Model:1")
    assert "taxi: is not a pipeline of the store" in mistake(ids.find_pipeline, graph, "taxi")


def test_hostile_names_do_not_reach_the_terminal(tmp_path):
    writer = StoreWriter(tmp_path / "metadata.db")
    for index in range(2):
        writer.add_execution("t", f"run\x1b[31m\n{index}", "Trainer")
    said = mistake(ids.find, Graph(open_store(tmp_path / "metadata.db")), "run")
    assert said.startswith("run: is 2 things: run\\x1b[31m\\n0, run\\x1b[31m\\n1;")
