"""Records put together by hand, independently of the codec."""

from __future__ import annotations

import struct

__all__ = ["MAGIC", "feature", "field", "framed", "label", "part", "tensor", "varint"]

MAGIC = (0xCED7230A).to_bytes(4, "little")


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def framed(*payloads):
    """Each payload, in hexadecimal or bytes, as a record."""
    raw = [bytes.fromhex(p.replace(" ", "")) if isinstance(p, str) else p for p in payloads]
    return b"".join(part(p, 0) for p in raw)


def part(payload, flag):
    return MAGIC + (len(payload) | flag << 29).to_bytes(4, "little") + payload + bytes(-len(payload) % 4)


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(kind, values=(), keys=(), shape=(), *, packed=True):
    """A message Value, put together by hand."""
    code = {2: "<f", 3: "<d"}.get(kind)
    numbers = [struct.pack(code, v) if code else varint(v % 2**64) for v in values]
    wire = {2: 5, 3: 1, 7: 0}[kind]
    parts = [(1, wire, numbers), (2, 0, list(map(varint, keys))), (3, 0, list(map(varint, shape)))]
    out = b""
    for number, wire, encoded in parts:
        if packed:
            out += field(number, b"".join(encoded)) if encoded else b""
        else:
            out += b"".join(varint(number << 3 | wire) + one for one in encoded)
    return field(kind, out)


def feature(value, name=b"values"):
    return field(1, field(1, name) + field(2, value))


def label(value, name=b"values"):
    return field(2, field(1, name) + field(2, value))
