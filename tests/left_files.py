"""What runs leave in a folder, for tests that look through every byte of it."""

import gzip


def everything_below(folder):
    """(path, bytes) of each file, packed ones unpacked as well."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            yield path, content
            if content[:2] == b"\x1f\x8b":
                yield path, gzip.decompress(content)
