"""Trainer's run_fn on a few transformed rows, for the tests of what it learns from them."""

import types

import tensorflow as tf
from tensorflow_transform.coders.example_proto_coder import ExampleProtoCoder

from models import trainer
from models.hyperparameters import search_space


def train_on(rows, schema, config, folder, search, steps):
    """Writes rows as Transform does, with its graph in `folder / "graph"`, and trains on them.

    Args:
        rows: Transformed.
        schema: Of them.
        config: `custom_config`.
        folder: Where everything goes.
        search: Space whose defaults are trained with.
        steps: Batches.

    Returns:
        What `run_fn` was called with.
    """
    coder, path = ExampleProtoCoder(schema), str(folder / "examples.gz")
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for row in rows:
            writer.write(coder.encode(row))
    args = types.SimpleNamespace(
        custom_config=config,
        transform_graph_path=str(folder / "graph"),
        train_files=[path],
        eval_files=[path],
        train_steps=steps,
        hyperparameters=search_space(search).get_config(),
        working_dir=str(folder / "work"),
        serving_model_dir=str(folder / "model"),
        model_run_dir=str(folder / "run"),
    )
    trainer.run_fn(args)
    return args
