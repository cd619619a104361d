"""What TFDV found is listed in words, merged over splits, and stops a run with one line each."""

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2

from schema.gate.anomalies import Anomaly, list_anomalies

UNKNOWN_COMPANY = """
anomaly_info {
  key: "company"
  value {
    description: "Examples contain values missing from the schema: Acme (<1%)."
    severity: ERROR
    short_description: "Unexpected string values"
    reason {
      type: ENUM_TYPE_UNEXPECTED_STRING_VALUES
      short_description: "Unexpected string values"
      description: "Examples contain values missing from the schema: Acme (<1%). "
    }
  }
}
"""
LOW_AND_ABSENT_FARE = """
anomaly_info {
  key: "fare"
  value {
    description: "Unexpectedly low value: -3. The feature was present in fewer examples."
    severity: ERROR
    short_description: "Multiple errors"
    reason {
      type: FEATURE_TYPE_LOW_FRACTION_PRESENT
      short_description: "Column dropped"
      description: "The feature was present in fewer examples."
    }
    reason {
      type: FLOAT_TYPE_SMALL_FLOAT
      short_description: "Out-of-range values"
      description: "Unexpectedly low value: -3."
    }
  }
}
"""
FEW_EXAMPLES = """
dataset_anomaly_info {
  description: "The dataset has 2 examples, which is fewer than expected."
  severity: ERROR
  short_description: "Low num examples in dataset."
  reason {
    type: DATASET_LOW_NUM_EXAMPLES
    short_description: "Low num examples in dataset."
    description: "The dataset has 2 examples, which is fewer than expected."
  }
}
"""
COMPANY = Anomaly(
    "company",
    "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
    "Examples contain values missing from the schema: Acme (<1%).",
    ("eval",),
)


def parse(text):
    return text_format.Parse(text, anomalies_pb2.Anomalies())


def test_sound_data_has_no_anomaly():
    anomalies = list_anomalies({"train": parse(""), "eval": parse("")})
    assert anomalies == []


def test_one_anomaly_in_tfdvs_words():
    assert list_anomalies({"train": parse(""), "eval": parse(UNKNOWN_COMPANY)}) == [COMPANY]


def test_several_reasons_of_one_column_are_listed_apart():
    assert list_anomalies({"eval": parse(LOW_AND_ABSENT_FARE)}) == [
        Anomaly(
            "fare",
            "FEATURE_TYPE_LOW_FRACTION_PRESENT",
            "The feature was present in fewer examples.",
            ("eval",),
        ),
        Anomaly("fare", "FLOAT_TYPE_SMALL_FLOAT", "Unexpectedly low value: -3.", ("eval",)),
    ]


def test_the_same_anomaly_of_several_splits_is_listed_once_with_the_words_of_the_first():
    other = UNKNOWN_COMPANY.replace("Acme", "Zoom")
    [merged] = list_anomalies({"validate": parse(other), "train": parse(UNKNOWN_COMPANY)})
    assert merged == Anomaly(COMPANY.column, COMPANY.kind, COMPANY.found, ("train", "validate"))


def test_anomalies_of_the_data_set_stand_beside_those_of_columns():
    both = parse(UNKNOWN_COMPANY + FEW_EXAMPLES)
    assert list_anomalies({"eval": both}) == [
        Anomaly(
            "(data set)",
            "DATASET_LOW_NUM_EXAMPLES",
            "The dataset has 2 examples, which is fewer than expected.",
            ("eval",),
        ),
        COMPANY,
    ]


def test_an_empty_split_is_an_anomaly():
    # TFDV says no more than this of statistics over no example.
    assert list_anomalies({"eval": parse("data_missing: true")}) == [
        Anomaly("(data set)", "DATA_MISSING", "There are no examples.", ("eval",))
    ]


def test_an_anomaly_without_reason_or_description_is_not_lost():
    bare = 'anomaly_info { key: "fare" value { short_description: "New column" } }'
    assert list_anomalies({"eval": parse(bare)}) == [
        Anomaly("fare", "UNKNOWN_TYPE", "New column", ("eval",))
    ]
    undescribed = LOW_AND_ABSENT_FARE.replace('"Unexpectedly low value: -3."', '"  "')
    assert list_anomalies({"eval": parse(undescribed)})[1].found == "Out-of-range values"
