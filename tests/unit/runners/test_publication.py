"""runners.local.publication: which nodes must run although they are cached."""

import pytest

from lineage.store.open import open_store
from runners.local.publication import needs_new_verdict, needs_push
from serving.versions.publish import publish
from tests.stores.writer import StoreWriter, artifact


def _model(folder, content):
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content)
    return str(folder)


@pytest.mark.parametrize(
    ("reasons", "again"),
    [
        ((), False),
        (("ok",), False),
        (("differs",), False),
        (("no_server",), True),
        (("port_taken",), True),
        (("no_server", "ok"), False),
        (("ok", "no_server"), True),
    ],
)
def test_a_verdict_that_was_the_machines_is_asked_for_again(tmp_path, reasons, again):
    writer = StoreWriter(tmp_path / "metadata.db")
    for number, reason in enumerate(reasons):
        blessing = artifact(f"/blessing/{number}", blessed=int(reason == "ok"), reason=reason)
        outputs = {"infra_blessing": [blessing]}
        writer.add_execution("taxi", f"run-{number}", "InfraValidator", outputs=outputs)
    assert needs_new_verdict(open_store(tmp_path / "metadata.db")) is again


@pytest.mark.parametrize("has_model", [0, 1])
def test_what_must_be_live_is_the_warm_copy_where_there_is_one(tmp_path, has_model):
    base = str(tmp_path / "serving")
    trained = _model(tmp_path / "model" / "Format-Serving", "trained")
    warm = _model(tmp_path / "infra" / "stamped_model", "warm")
    writer = StoreWriter(tmp_path / "metadata.db")
    produced = {
        "Trainer": {"model": [artifact(tmp_path / "model")]},
        "Evaluator": {"blessing": [artifact(tmp_path / "blessing", blessed=1)]},
        "InfraValidator": {
            "blessing": [artifact(tmp_path / "infra", blessed=1, has_model=has_model)]
        },
    }
    for node, outputs in produced.items():
        writer.add_execution("taxi", "run-1", node, outputs=outputs)
    store = open_store(tmp_path / "metadata.db")
    assert needs_push(store, "run-1", base)
    publish(trained, base)
    assert needs_push(store, "run-1", base) is bool(has_model)
    publish(warm, base)
    assert needs_push(store, "run-1", base) is not bool(has_model)
