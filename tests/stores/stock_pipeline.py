"""A pipeline of stock TFX alone: its own components, its own LocalDagRunner, nothing of Fareline.

Run by `test_stock_store`, twice in one process: `python -m stock_pipeline FOLDER`. The second run
finds everything in the cache. The trainer only writes a file: this is about the store.
"""

import sys
from pathlib import Path


def run_fn(fn_args):
    """What TFX's Trainer calls: makes a model that nobody will load."""
    folder = Path(fn_args.serving_model_dir)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"no model")


def main(folder: Path) -> None:
    """Runs the pipeline on FOLDER/data twice; leaves FOLDER/metadata.db."""
    from tfx.components.example_gen.csv_example_gen.component import CsvExampleGen
    from tfx.components.pusher.component import Pusher
    from tfx.components.schema_gen.component import SchemaGen
    from tfx.components.statistics_gen.component import StatisticsGen
    from tfx.components.trainer.component import Trainer
    from tfx.orchestration import metadata, pipeline
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner
    from tfx.proto import pusher_pb2, trainer_pb2

    generated = CsvExampleGen(input_base=str(folder / "data"))
    statistics = StatisticsGen(examples=generated.outputs["examples"])
    schema = SchemaGen(statistics=statistics.outputs["statistics"])
    trainer = Trainer(
        run_fn="stock_pipeline.run_fn",
        examples=generated.outputs["examples"],
        schema=schema.outputs["schema"],
        train_args=trainer_pb2.TrainArgs(num_steps=1),
        eval_args=trainer_pb2.EvalArgs(num_steps=1),
    )
    destination = pusher_pb2.PushDestination.Filesystem(base_directory=str(folder / "serving"))
    pusher = Pusher(
        model=trainer.outputs["model"],
        push_destination=pusher_pb2.PushDestination(filesystem=destination),
    )
    for _ in range(2):
        LocalDagRunner().run(
            pipeline.Pipeline(
                pipeline_name="stock",
                pipeline_root=str(folder / "root"),
                components=[generated, statistics, schema, trainer, pusher],
                enable_cache=True,
                metadata_connection_config=metadata.sqlite_metadata_connection_config(
                    str(folder / "metadata.db")
                ),
            )
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
