"""Loads of TensorFlow what a model server needs, in a third of the time that the whole takes.

`import tensorflow` loads 3,000 modules: Keras, datasets, distribution, TensorFlow Lite. A server
needs a session on a graph, and some protos. `load_parts` puts a stand-in in its place that has the
parts below, the very objects that TensorFlow exports, and that loads the whole as soon as anything
else is asked for (see `fareline.stand_in`). Where a part is not found, TensorFlow is loaded whole,
at once. Called by `serving.model.start` and `fareline serve`, before anything else imports
TensorFlow.

Source: tensorflow/__init__.py, for what else loading the whole does: it chooses the behavior of
TensorFlow 2, and loads libraries of plugins. Where any are installed, it is loaded whole; one that
only the variable TF_PLUGGABLE_DEVICE_LIBRARY_PATH names is not loaded.
"""

import functools
import importlib
import os
import site
import sys

from fareline.stand_in import StandIn, load_whole, stand_in

_PACKAGE = "tensorflow"
PARTS = {
    "DType": "python.framework.dtypes:DType",
    "Graph": "python.framework.ops:Graph",
    "TensorShape": "python.framework.tensor_shape:TensorShape",
    "as_dtype": "python.framework.dtypes:as_dtype",
    "compat.v1.Session": "python.client.session:Session",
    "compat.v1.io.tf_record_iterator": "python.lib.io.tf_record:tf_record_iterator",
    "compat.v1.saved_model.load": "python.saved_model.loader_impl:load",
    "errors.InvalidArgumentError": "python.framework.errors_impl:InvalidArgumentError",
    "errors.OpError": "python.framework.errors_impl:OpError",
    "float32": "python.framework.dtypes:float32",
    "get_logger": "python.platform.tf_logging:get_logger",
    "int64": "python.framework.dtypes:int64",
    "make_ndarray": "python.framework.tensor_util:MakeNdarray",
    "make_tensor_proto": "python.framework.tensor_util:make_tensor_proto",
    "saved_model.SERVING": "python.saved_model.tag_constants:SERVING",
    "string": "python.framework.dtypes:string",
    "train.Example": "core.example.example_pb2:Example",
    "train.Feature": "core.example.feature_pb2:Feature",
}
# Loaded when first asked for, for a row in an odd form: they take as long as a third of the others.
LATE_PARTS = {
    "io.VarLenFeature": "python.ops.parsing_config:VarLenFeature",
    "io.parse_example": "python.ops.parsing_ops:parse_example_v2",
}


def load_parts() -> bool:
    """Loads the parts; the whole if there are others than expected, or if there are plugins.

    Returns:
        Whether `tensorflow` now is the parts; False also if it was loaded already.
    """
    package = None if _has_plugins() else stand_in(_PACKAGE, PARTS | LATE_PARTS)
    if package is None:
        return False
    try:
        importlib.import_module(f"{_PACKAGE}.python.pywrap_tensorflow")
        importlib.import_module(f"{_PACKAGE}.python.tf2").enable()
    except (ImportError, AttributeError):
        load_whole(_PACKAGE)
    for public in PARTS:
        functools.reduce(getattr, public.split("."), package)
    return isinstance(sys.modules[_PACKAGE], StandIn)


def _has_plugins() -> bool:
    """Whether there are libraries that loading the whole would load as well."""
    folders = [*sys.path, *site.getsitepackages(), site.getusersitepackages()]
    return any(os.path.isdir(os.path.join(each, "tensorflow-plugins")) for each in folders)
