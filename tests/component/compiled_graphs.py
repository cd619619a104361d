"""The graph as TFX compiles it for this machine."""

from tfx.dsl.compiler import compiler

from lineage.store.open import sqlite_connection
from pipeline.dag import Placement, create_pipeline


def compile_graph(settings, folder, **more):
    """Name of the pipeline, and node id to compiled node.

    Args:
        settings: Settings of the pipeline.
        folder: Holds data, store, artifacts and serving folder, none of which has to be there.
        more: Of `Placement`, besides.
    """
    placement = Placement(
        pipeline_root=str(folder / "artifacts"),
        data_dir=str(folder),
        data_pattern="*.csv",
        push_dir=str(folder / "serving"),
        metadata=sqlite_connection(folder / "metadata.db"),
        **more,
    )
    ir = compiler.Compiler().compile(create_pipeline(settings, placement))
    return ir.pipeline_info.id, {n.pipeline_node.node_info.id: n.pipeline_node for n in ir.nodes}
