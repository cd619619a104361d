"""Machine types of Google Compute Engine: their form, and the sizes of families that are known.

Called by pipeline.settings.runners. Source: https://cloud.google.com/compute/docs/machine-resource;
custom-CPUS-MB is for Dataflow alone. A family that is not in the table passes with its form only,
since Google adds families every year.
"""

import re

_FORM = re.compile(
    r"[a-z]+\d+[a-z]*-[a-z]+(-\d+[a-z]*){1,2}(-[a-z]+)*|(e2|f1|g1)-(micro|small|medium)"
    r"|custom-\d+-\d+|cloud-tpu"
)
_C2D = "2 4 8 16 32 56 112"
_C3 = "4 8 22 44 88 176"
_GPUS = "1g 2g 4g 8g"
_N1 = "2 4 8 16 32 64 96"
_N2 = "2 4 8 16 32 48 64 80 96"
# Family -> kind -> sizes; n1-megamem and n1-ultramem are older names of m1's.
_SIZES = {
    "a2": {"highgpu": _GPUS, "megagpu": "16g", "ultragpu": _GPUS},
    "a3": {"highgpu": _GPUS, "megagpu": "8g", "ultragpu": "8g", "edgegpu": "8g"},
    "c2": {"standard": "4 8 16 30 60"},
    "c2d": {"standard": _C2D, "highmem": _C2D, "highcpu": _C2D},
    "c3": {"standard": _C3, "highmem": _C3, "highcpu": _C3},
    "e2": {"standard": "2 4 8 16 32", "highmem": "2 4 8 16", "highcpu": "2 4 8 16 32"},
    "g2": {"standard": "4 8 12 16 24 32 48 96"},
    "m1": {"megamem": "96", "ultramem": "40 80 160"},
    "n1": {
        "standard": f"1 {_N1}",
        "highmem": _N1,
        "highcpu": _N1,
        "megamem": "96",
        "ultramem": "40 80 160",
    },
    "n2": {"standard": f"{_N2} 128", "highmem": f"{_N2} 128", "highcpu": _N2},
    "n2d": {"standard": f"{_N2} 128 224", "highmem": _N2, "highcpu": f"{_N2} 128 224"},
    "t2d": {"standard": "1 2 4 8 16 32 48 60"},
}


def require_machine_type(name: str) -> str:
    """Returns a machine type as it is.

    Raises:
        ValueError: The name is not a machine type; the message is the expectation.
    """
    if not _FORM.fullmatch(name):
        raise ValueError("expected a machine type, such as n1-standard-4")
    family, *rest = name.split("-")
    kinds = _SIZES.get(family)
    if kinds is None or len(rest) != 2 or rest[0] == "custom":  # as is what has a suffix
        return name
    kind, size = rest
    if kind not in kinds:
        raise ValueError(f"expected a machine type: {family} has {', '.join(kinds)}")
    sizes = kinds[kind].split()
    if size not in sizes:
        raise ValueError(f"expected a machine type: {family}-{kind} has {', '.join(sizes)}")
    return name
