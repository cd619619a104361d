"""Selects the Beam runner for the components of a local run."""

from apache_beam.options.pipeline_options import StandardOptions

from runners.beam.cache_sizes import measure_without_modules
from runners.beam.memory import remember_what_stays_the_same
from runners.beam.quick_histograms import make_histograms_in_numpy
from runners.beam.record_batches import read_and_write_batches
from runners.beam.returned_features import check_returned_features
from runners.beam.shared_graphs import share_graphs
from runners.beam.transform_sources import share_sources


def run_beam_in_process() -> None:
    """Makes Beam's in-process runner the default one of this process.

    Left alone, Beam's DirectRunner first tries Prism, whose binary it downloads at run time, and
    falls back where that fails: three seconds in Transform, and a result that depends on the
    network. Set here and not through `beam_pipeline_args`: with any argument in there, and no
    package named, TFX builds an sdist of itself for every component.
    """
    StandardOptions.DEFAULT_RUNNER = "FnApiRunner"
    remember_what_stays_the_same()
    read_and_write_batches()
    share_sources()
    share_graphs()
    make_histograms_in_numpy()
    measure_without_modules()
    check_returned_features()
