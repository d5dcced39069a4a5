"""Prints what the official safetensors package reads from a file, as JSON,
and the content hash computed anew from its definition.

Usage: python read_with_python.py FILE   (needs: pip install numpy safetensors)
"""

import hashlib
import json
import struct
import sys

from safetensors import safe_open

DTYPES = {"float32": "F32", "float64": "F64", "int64": "I64", "int32": "I32", "uint8": "U8"}


def read(path):
    """Returns the metadata and, by name, (dtype, shape, little-endian bytes)."""
    tensors = {}
    with safe_open(path, framework="numpy") as f:
        for name in f.keys():
            a = f.get_tensor(name)
            little = a.astype(a.dtype.newbyteorder("<"), order="C", copy=False)
            tensors[name] = (DTYPES[a.dtype.name], list(a.shape), little.tobytes())
        return f.metadata(), tensors


def content_hash(metadata, tensors):
    """Follows the comment at contentHash in hash.go."""
    h = hashlib.sha256()

    def number(n):
        h.update(struct.pack("<q", n))

    def data(b):
        number(len(b))
        h.update(b)

    fields = {k.encode(): v.encode() for k, v in metadata.items() if k != "content_sha256"}
    number(len(fields))
    for k in sorted(fields):
        data(k)
        data(fields[k])
    number(len(tensors))
    for name in sorted(tensors, key=str.encode):
        dtype, shape, raw = tensors[name]
        data(name.encode())
        data(dtype.encode())
        number(len(shape))
        for n in shape:
            number(n)
        data(raw)
    return h.hexdigest()


def main(path):
    metadata, tensors = read(path)
    json.dump(
        {
            "metadata": metadata,
            "content_sha256": content_hash(metadata, tensors),
            "tensors": {
                name: {"dtype": dtype, "shape": shape, "sha256": hashlib.sha256(raw).hexdigest()}
                for name, (dtype, shape, raw) in tensors.items()
            },
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1])
