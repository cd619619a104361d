"""A program that `serving.validation.warm` can start: writes down its arguments and process id."""

import json
import os
import sys
import time


def main(argv):
    path, *rest = argv
    sys.stdout.write(f"told {rest}\n")
    sys.stdout.flush()
    with open(f"{path}.part", "w") as writer:
        json.dump({"pid": os.getpid(), "arguments": rest}, writer)
    os.replace(f"{path}.part", path)
    if rest == ["stay"]:
        time.sleep(600)
    return 7
