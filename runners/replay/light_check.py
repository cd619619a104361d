"""Runs TFX's check before ExampleGen's cache without the libraries that it imports and never uses.

    python -m runners.replay.light_check MODULE ARGUMENT…

is `python -m MODULE ARGUMENT…` in a tenth of the time. The check lists files; what it imports are
packages that bring Beam, TensorFlow, Keras, TFMA and TFDV along for the sake of a few protos. Where
it uses more of them, they are loaded; where that fails, the process becomes the command as it is.
Started by `runners.replay.processes`.
"""

import os
import runpy
import sys

from fareline import collector
from fareline.stand_in import stand_in
from fareline.start import command_for

# What TFX's file systems call.
_FILES = {
    "errors.NotFoundError": "python.framework.errors_impl:NotFoundError",
    "io.gfile.GFile": "python.platform.gfile:GFile",
    "io.gfile.copy": "python.lib.io.file_io:copy_v2",
    "io.gfile.exists": "python.lib.io.file_io:file_exists_v2",
    "io.gfile.glob": "python.lib.io.file_io:get_matching_files_v2",
    "io.gfile.isdir": "python.lib.io.file_io:is_directory_v2",
    "io.gfile.listdir": "python.lib.io.file_io:list_directory_v2",
    "io.gfile.makedirs": "python.lib.io.file_io:recursive_create_dir_v2",
    "io.gfile.stat": "python.lib.io.file_io:stat_v2",
    "io.gfile.walk": "python.lib.io.file_io:walk_v2",
}
# Package to its parts (see `fareline.stand_in`).
PACKAGES = {
    "tensorflow": _FILES,
    "tensorflow_data_validation": {},
    "tensorflow_model_analysis": {"sdk": "sdk"},
    "apache_beam": {},
    "kfp": {},
    "tfx.components": {},
}


def main(words: list[str]) -> None:
    """Runs a module as a program."""
    for name, parts in PACKAGES.items():
        stand_in(name, parts)
    sys.argv = list(words)
    try:
        with collector.paused():  # all of a short program: it hardly does more than loading modules
            runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except ImportError:  # some packages can only be loaded in their own order
        os.execv(sys.executable, command_for(*words))


if __name__ == "__main__":
    main(sys.argv[1:])
