"""serving.validation.graph_io and saved_files: what is told from the files of a model."""

import os
import re
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.client import pywrap_tf_session

from serving.validation import graph_io
from serving.validation.saved_files import check_files, read_graph
from serving.validation.verdict import Reason, RefusedModelError
from tests.component.serving import models_for_tests, planted_files


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    path = tmp_path_factory.mktemp("outside") / "words"
    path.write_text("word\n")
    return path


def _refusal(model_dir):
    with pytest.raises(RefusedModelError) as error:
        check_files(model_dir, read_graph(model_dir))
    assert "Hint:" in str(error.value)
    return error.value


@pytest.mark.parametrize("name", list(planted_files.PLANTS))
def test_a_model_that_goes_out_of_its_folder_is_refused(words, tmp_path, name):
    change, reason = planted_files.PLANTS[name]
    model = planted_files.save_planted(tmp_path / "model", change, words)
    assert _refusal(model).reason.value == reason


@pytest.mark.parametrize("name", list(planted_files.KEPT))
def test_a_model_that_keeps_to_its_assets_passes(words, tmp_path, name):
    change = planted_files.KEPT[name]
    model = planted_files.save_planted(tmp_path / "model", change, words, as_asset=True)
    check_files(model, read_graph(model))


@pytest.mark.parametrize("name", list(planted_files.FIRST_AN_ASSET))
def test_a_name_that_is_an_assets_only_at_first_is_refused(words, tmp_path, name):
    change = planted_files.FIRST_AN_ASSET[name]
    model = planted_files.save_planted(tmp_path / "model", change, words, as_asset=True)
    assert _refusal(model).reason is Reason.READS_FILE


def test_the_graph_that_is_looked_at_is_the_one_that_a_server_loads(words, tmp_path):
    models = [
        planted_files.save_planted(tmp_path / name, change, words)
        for name, change in {"good": planted_files.KEPT["nothing"], "bad": tf.io.read_file}.items()
    ]
    good, bad = (saved_model_pb2.SavedModel.FromString(_pb(each).read_bytes()) for each in models)
    good.meta_graphs[0].meta_info_def.tags.append("gpu")
    with pytest.raises(RefusedModelError, match="holds no graph with the tag 'serve' alone"):
        _pb(models[0]).write_bytes(good.SerializeToString())
        read_graph(models[0])
    good.meta_graphs.append(bad.meta_graphs[0])
    _pb(models[0]).write_bytes(good.SerializeToString())
    assert _refusal(models[0]).reason is Reason.READS_FILE


def _pb(model):
    return Path(model, "saved_model.pb")


def test_the_refusal_says_which_operation_reads_which_file(words, tmp_path):
    model = planted_files.save_planted(tmp_path / "model", tf.io.read_file, words)
    wanted = (
        rf"^the graph, ReadFile 'ReadFile' in '__inference_serve_\d+': reads {str(words)!r}, which "
        "is not one of its assets; expected a model that uses its own folder only"
    )
    assert re.search(wanted, str(_refusal(model)))


@pytest.fixture
def with_vocabulary(words, tmp_path):
    return models_for_tests.save_model(tmp_path / "model", vocabulary=str(words))


@pytest.mark.parametrize("name", ["/etc/hostname", "../assets/words", "a/../../words", "gs://a/b"])
def test_the_name_of_an_asset_that_leads_out_is_refused(with_vocabulary, name):
    graph = read_graph(with_vocabulary)
    graph.asset_file_def[0].filename = name
    with pytest.raises(RefusedModelError, match="its asset '.*' leads out of its folder") as error:
        check_files(with_vocabulary, graph)
    assert error.value.reason is Reason.FILE_OUTSIDE


def test_a_vocabulary_that_is_not_listed_as_an_asset_is_refused(with_vocabulary):
    graph = read_graph(with_vocabulary)
    del graph.asset_file_def[:]
    with pytest.raises(RefusedModelError) as error:
        check_files(with_vocabulary, graph)
    assert error.value.reason is Reason.READS_FILE


def test_links_inside_pass_and_links_that_lead_out_are_refused(with_vocabulary, words):
    asset = os.path.join(with_vocabulary, "assets", "words")
    shutil.move(asset, asset + "-real")
    os.symlink("words-real", asset)
    check_files(with_vocabulary, read_graph(with_vocabulary))

    os.remove(asset)
    os.symlink(words, asset)
    refusal = _refusal(with_vocabulary)
    assert refusal.reason is Reason.FILE_OUTSIDE
    assert f"assets/words is a link to {os.path.realpath(words)}; expected plain" in str(refusal)


@pytest.mark.parametrize("kind", ["dangling", "folder", "circle", "pipe"])
def test_what_cannot_be_copied_is_refused(with_vocabulary, tmp_path, kind):
    path = os.path.join(with_vocabulary, "assets.extra")
    if kind == "pipe":
        os.mkfifo(path)
    else:
        target = {"dangling": "nowhere", "folder": str(tmp_path.parent), "circle": "."}[kind]
        os.symlink(target, path)
    assert _refusal(with_vocabulary).reason is Reason.FILE_OUTSIDE


def test_a_model_behind_a_link_is_no_model_with_a_link(with_vocabulary, tmp_path):
    os.symlink(with_vocabulary, tmp_path / "link")
    check_files(str(tmp_path / "link"), read_graph(with_vocabulary))


# What sounds so and names no file: a switch, and a prefix of names.
_NO_FILES = {"SetStatsAggregatorDataset", "TensorSliceDataset"}
_FILE_WORDS = re.compile(
    r"file(name)?s?$|(^|_)(path|dir|directory|address|logdir|prefix(es)?|urls|data_source_name)$"
    r"|descriptor_source|file_pattern|output_stream"
)


def test_every_operation_that_names_a_file_or_an_address_is_known():
    known = {
        name
        for table in (graph_io.READS, graph_io.READS_ANY, graph_io.READS_ATTRIBUTE, graph_io.WRITES,
                      graph_io.WRITES_ATTRIBUTE, graph_io.WRITES_UNLESS_EMPTY, graph_io.SAVER,
                      graph_io.CONNECTS, graph_io.HIDES)
        for name in table
    }  # fmt: skip
    operations = op_def_pb2.OpList.FromString(
        pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    ).op
    assert len(operations) > 1000
    unknown = {
        operation.name: names
        for operation in operations
        if (names := [each.name for each in (*operation.input_arg, *operation.attr)
                      if _FILE_WORDS.search(each.name)])
        and graph_io.base_name(operation.name) not in known | _NO_FILES
    }  # fmt: skip
    assert unknown == {}
    # And each name of ours is an operation's, up to its version.
    bases = {graph_io.base_name(operation.name) for operation in operations}
    assert known - bases == set()
