"""Changes to generated rows that real rows do not have: drift, missing values, new categories.

Each option has its own random numbers, so it changes only its own cells. Must not import TFX.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.generate.rows import MISSING, NEW_CATEGORIES, Randomness

NEW_PAYMENT_TYPES = ("Mobile", "Prepaid")
NEW_COMPANIES = ("Lakefront Cab", "Loop Cab", "Prairie Cab")
NEVER_EMPTIED = ("fare", "tips", "trip_start_timestamp")


def empty_cells(rows: Mapping[str, pa.Array], seed: int, block: int, share: float) -> dict:
    """Empties a share of the cells of each column that may have missing values."""
    random = Randomness(seed, block, MISSING)
    emptied = {}
    for name, values in rows.items():
        if name not in NEVER_EMPTIED:
            lost = pa.array(random.uniform() < share)
            values = pc.if_else(lost, pa.scalar(None, values.type), values)
        emptied[name] = values
    return emptied


def add_categories(rows: Mapping[str, pa.Array], seed: int, block: int, share: float) -> dict:
    """Gives a share of the rows a new payment type, and as many a new company."""
    random = Randomness(seed, block, NEW_CATEGORIES)
    changed = dict(rows)
    for name, values in (("payment_type", NEW_PAYMENT_TYPES), ("company", NEW_COMPANIES)):
        chosen = pa.array(random.uniform() < share)
        which = (random.uniform() * len(values)).astype(np.int64)
        changed[name] = pc.if_else(chosen, pa.array(values).take(pa.array(which)), rows[name])
    return changed
