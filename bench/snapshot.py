"""Reads safetensors files: an 8-byte little-endian header length, a JSON
header, raw tensors. Needs PyTorch alone."""

import json
import mmap
import struct

import torch

DTYPES = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64}


def read(path):
    """Returns the metadata and the tensors by name. Tensors are views of a
    private map of the file: copy them before keeping them."""
    with open(path, "rb") as f:
        data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY)
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        dtype = DTYPES[t["dtype"]]
        if begin == end:
            tensors[name] = torch.empty(t["shape"], dtype=dtype)
            continue
        count = (end - begin) // torch.empty(0, dtype=dtype).element_size()
        flat = torch.frombuffer(data, dtype=dtype, count=count, offset=8 + size + begin)
        tensors[name] = flat.reshape(t["shape"])
    return metadata, tensors
