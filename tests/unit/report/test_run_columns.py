"""A column of TFDV's statistics, read as the page shows it."""

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from report.run.sections.columns import column_stats


@pytest.mark.parametrize("filled", [0, 4])
def test_without_a_value_there_is_no_figure(filled):
    feature = statistics_pb2.FeatureNameStatistics(name="fare")
    numbers = feature.num_stats  # all 0 where nothing is set, as TFDV leaves them
    numbers.common_stats.num_non_missing = numbers.common_stats.tot_num_values = filled
    numbers.common_stats.max_num_values = 1
    dataset = statistics_pb2.DatasetFeatureStatistics(num_examples=8)
    found = column_stats(feature, dataset)
    figures = {found.zeros, found.mean, found.deviation, found.low, found.median, found.high}
    assert found.missing == 1 - filled / 8
    assert figures == ({0.0} if filled else {None})
