"""Bad data: which models learned from it, and which of them are live."""

import hashlib
import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import app as cli
from fareline.errors import UserMistake
from lineage.answers.impact.impact import find_impact
from lineage.answers.impact.origin import find_origin
from lineage.answers.impact.view import draw_impact, impact_as_json, shown_models, verdict
from lineage.facts.models import facts_of_models
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from tests.stores.big import write_store
from tests.stores.writer import CACHED, FAILED, RUNNING, StoreWriter, artifact

DIGESTS = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("old", "new", "other")}


class Pipeline:
    """Writes runs in the layout of our pipelines; `made` has the artifact ids by name."""

    def __init__(self, path, name="taxi"):
        self.writer = StoreWriter(path)
        self.name = name
        self.made = {}

    def ingest(self, run, span, files=(), base="/data", parameters=None, **properties):
        """ExampleGen with source files, each a path and a digest."""
        listed = [{"path": path, "bytes": 1, "sha256": digest} for path, digest in files]
        if files:
            properties["source_files"] = json.dumps(listed)
        examples = artifact(f"/root/ExampleGen/examples/{run}", span=span, **properties)
        self._add(
            run, "ExampleGen", {"examples": [examples]}, input_base=base, **(parameters or {})
        )
        self.made[f"examples {run}"] = self.writer.artifact_ids[0]

    def train(self, run, examples=None, graph=None, schema=None, baseline=None, **trainer):
        """Transform, Trainer and Evaluator; each input another run's name, by default this one."""
        rows = self.made[f"examples {examples or run}"]
        inputs = [("examples", rows), *([("schema", schema)] if schema else [])]
        transformed = {"transformed_examples": [artifact(f"/root/Transform/xf/{run}")]}
        if graph is None:
            transformed["transform_graph"] = [artifact(f"/root/Transform/graph/{run}")]
        else:
            inputs.append(("transform_graph", self.made[f"graph {graph}"]))
        self._add(run, "Transform", transformed, inputs=inputs)
        xf, *own = self.writer.artifact_ids
        self.made[f"graph {run}"] = own[0] if graph is None else self.made[f"graph {graph}"]
        inputs = [("examples", xf), ("transform_graph", self.made[f"graph {run}"])]
        if "base" in trainer:
            inputs.append(("base_model", self.made[f"model {trainer['base']}"]))
        model = artifact(f"/root/Trainer/model/{run}", sha256=DIGESTS["new"][:-1] + run[-1])
        self._add(run, "Trainer", {"model": [model]}, inputs=inputs)
        self.made[f"model {run}"] = self.writer.artifact_ids[0]
        self.evaluate(run, run, examples or run, baseline)

    def evaluate(self, run, model, examples, baseline=None):
        """Evaluator of a model on the examples of a run."""
        ids = self.made
        key = "model+baseline_model" if baseline == model else "model"
        inputs = [("examples", ids[f"examples {examples}"]), (key, ids[f"model {model}"])]
        if baseline and baseline != model:
            inputs.append(("baseline_model", ids[f"model {baseline}"]))
        outputs = {"evaluation": [artifact("/e")], "blessing": [artifact("/b", blessed=1)]}
        self._add(run, "Evaluator", outputs, inputs=inputs)

    def push(self, run, model, version, destination="/serving/taxi"):
        """Pusher."""
        pushed = artifact(
            "/p", pushed=1, pushed_version=version, pushed_destination=f"{destination}/{version}"
        )
        inputs = [("model", self.made[f"model {model}"])]
        self._add(run, "Pusher", {"pushed_model": [pushed]}, inputs=inputs)

    def _add(self, run, node, outputs, **rest):
        self.writer.add_execution(self.name, run, node, outputs=outputs, **rest)


def impact_of(path, text=None, **options):
    graph = Graph(open_store(path))
    return find_impact(graph, find_origin(graph, text, **options))


def relations(impact):
    """Run of each model to its relations."""
    return {m.model.uri.rpartition("/")[2]: list(m.relations) for m in impact.models}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metadata.db"


@pytest.fixture
def chain(path):
    """Runs compared with the one before; r4 has the graph of r1, r5 began with its weights."""
    p = Pipeline(path)
    p.ingest("r1", 1, [("/data/span-1/old.csv", DIGESTS["old"])])
    p.train("r1", baseline=None)
    p.push("r1", "r1", "100")
    p.ingest("r2", 2, [("/data/span-2/new.csv", DIGESTS["new"])])
    p.train("r2", baseline="r1")
    p.push("r2", "r2", "200")
    p.ingest("r3", 3, [("/data/span-3/other.csv", DIGESTS["other"])])
    p.train("r3", baseline="r2")
    p.train("r4", examples="r3", graph="r1", baseline="r3")
    p.train("r5", examples="r3", base="r1")
    return path


def test_models_of_a_span_are_found_with_every_way_they_hang_on_it(chain):
    impact = impact_of(chain, "span:1")
    assert relations(impact) == {
        "r1": ["trained", "transform", "evaluated"],
        "r5": ["warm start", "transform"],
        "r4": ["transform"],
        "r2": ["baseline"],
        "r3": ["baseline"],
    }
    assert {m.model.uri[-2:]: m.distance for m in impact.models if m.distance} == {
        "r2": 1,
        "r3": 2,
    }
    assert verdict(impact) == (
        "3 models learned from span:1; none of them is live; 2 only compared with such models"
    )
    assert impact.reached == {
        "Examples": 2,
        "ModelBlessing": 3,
        "ModelEvaluation": 3,
        "PushedModel": 1,
        "TransformGraph": 1,
    }


def test_what_is_live_is_said_first(chain):
    impact = impact_of(chain, "span-2")
    assert verdict(impact) == (
        "1 model learned from span-2; 1 is live at /serving/taxi/200; "
        "2 only compared with such models"
    )
    assert relations(impact)["r2"] == ["trained", "transform", "evaluated"]


def test_a_model_that_was_only_judged_on_rows_did_not_learn_from_them(path):
    p = Pipeline(path)
    p.ingest("r1", 1)
    p.train("r1")
    p.ingest("r2", 2)
    p.evaluate("r2", "r1", "r2")
    impact = impact_of(path, "span:2")
    assert relations(impact) == {"r1": ["evaluated"]}
    assert verdict(impact) == (
        "no model learned from span:2; none is live; 1 only evaluated on this data"
    )


def test_a_model_that_is_its_own_baseline_is_no_baseline_of_itself(path):
    p = Pipeline(path)
    p.ingest("r1", 1)
    p.train("r1")
    p.evaluate("r2", "r1", "r1", baseline="r1")
    impact = impact_of(path, "span:1")
    assert relations(impact) == {"r1": ["trained", "transform", "evaluated"]}
    assert impact.models[0].distance is None


def test_a_schema_and_hyperparameters_have_relations_of_their_own(path):
    p = Pipeline(path)
    p.ingest("r1", 1)
    p.writer.add_execution("taxi", "r1", "CuratedSchema", outputs={"schema": [artifact("/s")]})
    schema = p.writer.artifact_ids[0]
    p.train("r1", schema=schema)
    assert relations(impact_of(path, f"Schema:{schema}")) == {"r1": ["schema"]}
    p.writer.add_execution(
        "taxi", "r1", "Tuner", outputs={"best_hyperparameters": [artifact("/h")]}
    )
    found = p.writer.artifact_ids[0]
    p.writer.add_execution(
        "taxi",
        "r2",
        "Trainer",
        outputs={"model": [artifact("/root/Trainer/model/r2")]},
        inputs=[("hyperparameters", found)],
    )
    assert relations(impact_of(path, f"HyperParameters:{found}")) == {"r2": ["tuned"]}


def test_a_cached_run_has_the_same_model_and_its_push_counts(path):
    p = Pipeline(path)
    p.ingest("r1", 1)
    p.train("r1")
    # Reused in a partial run: outputs, and no inputs.
    p.writer.add_execution(
        "taxi", "r2", "ExampleGen", CACHED, reused=[("examples", p.made["examples r1"])]
    )
    p.writer.add_execution("taxi", "r2", "Trainer", CACHED, reused=[("model", p.made["model r1"])])
    p.push("r2", "r1", "100")
    impact = impact_of(path, "span:1")
    [model] = impact.models
    assert model.live_at == ("/serving/taxi/100",)
    graph = Graph(open_store(path))
    [facts] = facts_of_models(graph, [model.model])
    assert facts.runs == ["r1", "r2"]
    assert [(push.execution.place.run_id, push.version, push.live) for push in facts.pushes] == [
        ("r2", "100", True)
    ]


def test_the_same_version_pushed_again_is_still_live(chain):
    Pipeline(chain)  # opens it for writing
    p = Pipeline(chain)
    p.made["model r2"] = impact_of(chain, "span-2").models[0].model.id
    p.push("r6", "r2", "200")
    graph = Graph(open_store(chain))
    [facts] = facts_of_models(graph, graph.artifacts([p.made["model r2"]]))
    assert [push.live for push in facts.pushes] == [True, True]


def test_what_crashed_is_named_and_is_no_model(path):
    p = Pipeline(path)
    p.ingest("r1", 1)
    rows = [("examples", p.made["examples r1"])]
    p.writer.add_execution("taxi", "r1", "Transform", FAILED, inputs=rows)
    p.writer.add_execution("taxi", "r2", "Trainer", RUNNING, inputs=rows)
    p.writer.add_execution("taxi", "r2", "DataGate", inputs=rows)
    impact = impact_of(path, "span:1")
    assert impact.models == ()
    assert [e.key for e in impact.unfinished] == ["Transform@r1", "Trainer@r2"]


def test_two_pipelines_share_a_span_unless_one_is_named(path):
    for name in ("bikes", "taxi"):
        p = Pipeline(path, name)
        p.ingest(f"{name}-1", 1)
        p.train(f"{name}-1")
    assert len(impact_of(path, "span:1").models) == 2
    [only] = impact_of(path, "span:1", pipeline="bikes").models
    assert only.model.uri.endswith("bikes-1")
    with pytest.raises(UserMistake, match=r"boats: is not a pipeline.*one of: bikes, taxi"):
        impact_of(path, "span:1", pipeline="boats")


class TestOrigin:
    def test_a_file_is_found_by_path_name_folder_and_content(self, chain, tmp_path, monkeypatch):
        graph = Graph(open_store(chain))
        by_path = find_origin(graph, "/data/span-1/old.csv")
        assert (by_path.matched_by, [a.properties["span"] for a in by_path.starts]) == ("path", [1])
        assert find_origin(graph, "old.csv").matched_by == "file name"
        folder = find_origin(graph, "/data")
        assert (folder.matched_by, len(folder.starts)) == ("folder", 3)
        moved = tmp_path / "moved.csv"
        moved.write_text("old")
        by_content = find_origin(graph, str(moved))
        assert by_content.matched_by == "content"
        assert by_content.starts == by_path.starts
        assert by_content.notes == ("recorded as /data/span-1/old.csv: the same SHA-256",)

    def test_a_file_that_was_replaced_since_is_said(self, path, tmp_path):
        source = tmp_path / "trips.csv"
        source.write_text("not what it was")
        p = Pipeline(path)
        p.ingest("r1", 1, [(str(source), DIGESTS["old"])])
        origin = find_origin(Graph(open_store(path)), str(source))
        assert origin.matched_by == "path"
        assert "its SHA-256 is another now" in origin.notes[0]

    def test_a_digest_and_the_start_of_one(self, chain):
        graph = Graph(open_store(chain))
        for text in (DIGESTS["old"], DIGESTS["old"][:8], DIGESTS["old"][:20].upper()):
            origin = find_origin(graph, text)
            assert (origin.matched_by, origin.starts[0].properties["span"]) == ("sha256", 1)
            assert find_origin(graph, None, sha256=text).starts == origin.starts
        with pytest.raises(UserMistake, match="is the start of 6"):
            find_origin(graph, DIGESTS["new"][:20])
        with pytest.raises(UserMistake, match="is not a SHA-256; expected at least 8"):
            find_origin(graph, None, sha256="abc")

    def test_a_name_of_two_files_is_refused(self, path):
        p = Pipeline(path)
        p.ingest("r1", 1, [("/a/x.csv", DIGESTS["old"]), ("/b/x.csv", DIGESTS["new"])])
        with pytest.raises(UserMistake, match=r"x.csv: is 2 files: /a/x.csv, /b/x.csv; expected"):
            find_origin(Graph(open_store(path)), "x.csv")

    def test_a_version_of_a_span(self, path):
        p = Pipeline(path)
        p.ingest("r1", 3, version=1)
        p.ingest("r2", 3, version=2)
        graph = Graph(open_store(path))
        assert len(find_origin(graph, "span-3").starts) == 2
        [only] = find_origin(graph, "span-3/version-2").starts
        assert only.uri.endswith("r2")
        with pytest.raises(UserMistake, match="there is span:3, version 1 or 2"):
            find_origin(graph, "span-3/version-9")

    def test_a_stock_store_goes_by_the_path_and_says_so(self, path):
        p = Pipeline(path)
        p.ingest("r1", 1)
        origin = find_origin(Graph(open_store(path)), "/data/trips.csv")
        assert (origin.matched_by, len(origin.starts)) == ("pattern", 1)
        assert "by path, not by content" in origin.notes[0]
        with pytest.raises(UserMistake, match=r"/dta/x: is not in the store.*mean /data/\*;"):
            find_origin(Graph(open_store(path)), "/dta/x")

    def test_a_bare_name_in_a_stock_store_is_of_a_file_that_is_there(self, path):
        p = Pipeline(path)
        p.ingest("r1", 1, base=str(path.parent))
        (path.parent / "trips.csv").write_text("fare\n")
        graph = Graph(open_store(path))
        assert len(find_origin(graph, "trips.csv").starts) == 1
        with pytest.raises(UserMistake, match=r"others.csv: is not in the store"):
            find_origin(graph, "others.csv")

    @pytest.mark.parametrize("files", [[], [("/data/eval/trips.csv", DIGESTS["old"])]])
    def test_a_file_that_went_into_one_split_alone_is_said_to(self, path, files):
        p = Pipeline(path)
        splits = [{"name": name, "pattern": f"{name}/*"} for name in ("train", "eval")]
        p.ingest("r1", 1, files, parameters={"input_config": json.dumps({"splits": splits})})
        graph = Graph(open_store(path))
        assert find_origin(graph, "/data/eval/trips.csv").notes[-1] == (
            "was read into eval alone, of the splits eval, train: what a model did with each is "
            "not recorded, so that all count that read any"
        )
        assert "alone" not in " ".join(find_origin(graph, "/data").notes)

    def test_a_file_whose_rows_were_shared_out_went_into_all_splits(self, path):
        p = Pipeline(path)
        splits = [{"name": name, "pattern": f"{name}/*"} for name in ("train", "eval")]
        shares = {"split_config": {"splits": [{"name": "a"}, {"name": "b"}]}}
        config = {"input_config": {"splits": splits}, "output_config": shares}
        p.ingest("r1", 1, parameters={n: json.dumps(value) for n, value in config.items()})
        found = find_origin(Graph(open_store(path)), "/data/eval/trips.csv")
        assert [note for note in found.notes if "alone" in note] == []

    def test_runs_of_before_and_of_after_the_recording_are_both_found(self, path):
        p = Pipeline(path)
        p.ingest("r1", 1)
        p.ingest("r2", 2, [("/data/trips.csv", DIGESTS["old"])])
        origin = find_origin(Graph(open_store(path)), "/data/trips.csv")
        assert {a.properties["span"] for a in origin.starts} == {1, 2}
        assert "1 of the Examples are matched by path" in origin.notes[0]

    def test_a_run_means_what_it_made_itself(self, chain):
        origin = find_origin(Graph(open_store(chain)), "r1")
        assert "Model" in {a.type for a in origin.starts}
        assert {a.uri.rpartition("/")[2] for a in origin.starts if a.type == "Model"} == {"r1"}

    def test_a_pushed_copy_means_its_model(self, chain):
        origin = find_origin(Graph(open_store(chain)), "live")
        assert [a.type for a in origin.starts] == ["Model"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("/data/span-1/odl.csv", "did you mean /data/span-1/old.csv"),
            ("nwe.csv", "did you mean /data/span-2/new.csv"),
            ("span:9", "no Examples have this span; .*there is span:1, span:2, span:3"),
            ("taxi", "is a pipeline"),
            ("Model:999", "did you mean Model:"),
        ],
    )
    def test_what_is_not_there_says_what_is_near(self, chain, text, message):
        with pytest.raises(UserMistake, match=message):
            find_origin(Graph(open_store(chain)), text)


def test_a_thousand_in_small_all_models_of_shared_data(path):
    write_store(path, 30, shared_data=True)
    assert len(impact_of(path, "span:0").learned) == 30
    assert [m.relation for m in impact_of(path, "Schema:1").models] == ["schema"] * 30


def test_json_has_stable_keys_and_the_table_shows_markup_as_text(path):
    p = Pipeline(path)
    p.ingest("[red]r1[/red]", 1)
    p.train("[red]r1[/red]")
    impact = impact_of(path, "span:1")
    graph = Graph(open_store(path))
    facts = {f.model.id: f for f in facts_of_models(graph, [m.model for m in impact.models])}
    content = json.loads(json.dumps(impact_as_json(impact, facts)))
    assert list(content) == [
        *("asked", "matched_by", "notes", "starts", "verdict", "live", "counts", "models"),
        *("reached", "unfinished"),
    ]
    assert content["counts"] == {"learned": 1, "live": 0, "evaluated": 0, "baseline": 0}
    assert content["models"][0]["blessings"][0]["blessed"] is True
    console = Console(file=io.StringIO(), width=200)
    draw_impact(console, impact, facts)
    assert "[red]r1[/red]" in console.file.getvalue()


def test_far_baselines_are_counted(chain):
    impact = impact_of(chain, "span:1")
    console = Console(file=io.StringIO(), width=200)
    graph = Graph(open_store(chain))
    facts = facts_of_models(graph, [m.model for m in shown_models(impact)][:3])
    draw_impact(console, impact, {f.model.id: f for f in facts})
    shown = console.file.getvalue()
    assert "1 model further along the chain of baselines" in shown
    assert "and 1 model more: --all shows them" in shown


def test_the_command_fails_if_a_live_model_learned_from_it(chain):
    words = ["lineage", "impact", "span:2", "--store", str(chain), "--json"]
    ran = CliRunner().invoke(cli.app, [*words, "--fail-if-live"])
    assert ran.exit_code == 3
    assert json.loads(ran.stdout)["live"] is True
    assert CliRunner().invoke(cli.app, words).exit_code == 0
    words[2] = "span:1"
    assert CliRunner().invoke(cli.app, [*words, "--fail-if-live"]).exit_code == 0
