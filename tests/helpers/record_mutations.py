"""Messages and files of records that were tampered with, for fuzzing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from record_bytes import field, varint

__all__ = ["has_strange_entry", "message", "mutate", "mutate_payload"]

# Numbers that lie at an edge of something.
EDGES = (0, 1, 2, 127, 128, 2**14, 2**29 - 1, 2**29, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**60, 2**63 - 1, 2**63)
EDGES += (2**64 - 1,)


def number_of(rng: np.random.Generator) -> int:
    return int(rng.choice(EDGES)) if rng.random() < 0.2 else int(rng.integers(0, 300))


def scalars(rng: np.random.Generator, number: int, encode, wire: int) -> bytes:
    """A repeated field of numbers: packed or not, whole or in pieces."""
    numbers = [encode() for _ in range(rng.integers(0, 4))]
    if rng.random() < 0.7:
        return field(number, b"".join(numbers))
    return b"".join(varint(number << 3 | wire) + one for one in numbers)


def unknown(rng: np.random.Generator) -> bytes:
    """A field that the message does not have, or that has another wire type."""
    number = int(rng.integers(1, 20))
    match rng.integers(0, 5):
        case 0:
            return varint(number << 3) + varint(number_of(rng))
        case 1:
            return varint(number << 3 | 1) + rng.bytes(8)
        case 2:
            return field(number + 20, rng.bytes(int(rng.integers(0, 6))))
        case 3:
            return varint(number << 3 | 5) + rng.bytes(4)
        case _:
            inside = unknown(rng) if rng.random() < 0.5 else b""
            return varint((number + 20) << 3 | 3) + inside + varint((number + 20) << 3 | 4)


def shuffled(rng: np.random.Generator, parts: list[bytes], *, strange: bool = True) -> bytes:
    if strange and rng.random() < 0.3:
        parts = parts + [unknown(rng)]
    if rng.random() < 0.5:
        parts = [parts[i] for i in rng.permutation(len(parts))]
    return b"".join(parts)


def tensor(rng: np.random.Generator, kind: int) -> bytes:
    def value() -> bytes:
        if kind == 7:
            return varint(number_of(rng))
        return np.array(rng.normal(), dtype=np.float32 if kind == 2 else np.float64).tobytes()

    parts = [
        scalars(rng, 1, value, {2: 5, 3: 1, 7: 0}[kind]),
        scalars(rng, 2, lambda: varint(number_of(rng)), 0),
        scalars(rng, 3, lambda: varint(number_of(rng)), 0),
    ]
    return shuffled(rng, [part for part in parts if rng.random() < 0.9])


def value(rng: np.random.Generator) -> bytes:
    parts = []
    for _ in range(rng.choice([0, 1, 1, 1, 1, 2])):
        kind = int(rng.choice([2, 2, 3, 7, 9]))
        if kind == 9:
            content = shuffled(rng, [field(1, b"jpeg"), field(2, b"image/jpeg")])
        else:
            content = tensor(rng, kind)
        parts.append(field(kind, content))
    return shuffled(rng, parts)


def entry(rng: np.random.Generator) -> bytes:
    name = bytes(rng.choice([b"values", b"values", b"score", b"", "é".encode()]))
    return shuffled(rng, [field(1, name), field(2, value(rng))][: rng.choice([1, 2, 2, 2])], strange=False)


def has_strange_entry(raw: bytes) -> bool:
    """Whether an entry of a map has another field than its two, which Python's protobuf drops with all it holds."""
    entries = [content for number, content in fields(raw) if number in (1 << 3 | 2, 2 << 3 | 2)]
    return any(number not in (1 << 3 | 2, 2 << 3 | 2) for entry in entries for number, _ in fields(entry))


def fields(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each field of a sound message, from the wire format's description alone."""
    at = 0

    def number() -> int:
        nonlocal at
        shift = value = 0
        while True:
            byte = raw[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(raw):
        tag = number()
        start = at
        match tag & 7:
            case 0:
                number()
            case 1 | 5:
                at += 8 if tag & 7 == 1 else 4
            case 2:
                n = number()
                start, at = at, at + n
            case 3:
                depth = 1
                while depth:  # a group: its fields up to the end
                    inner = number()
                    depth += {3: 1, 4: -1}.get(inner & 7, 0)
                    at += {1: 8, 5: 4}.get(inner & 7, 0)
                    if inner & 7 == 0:
                        number()
                    elif inner & 7 == 2:
                        n = number()
                        at += n
        yield tag, raw[start:at]


def message(rng: np.random.Generator) -> bytes:
    """A message Record that protobuf reads, not always one that a writer would write."""
    parts = [field(int(rng.choice([1, 1, 2])), entry(rng)) for _ in range(rng.integers(0, 4))]
    parts += [field(number, b"text") for number in (3, 4, 5) if rng.random() < 0.1]
    return shuffled(rng, parts)


def mutate(raw: bytes, rng: np.random.Generator) -> bytes:
    """Flips, cuts, splices and numbers at an edge."""
    out = bytearray(raw)
    for _ in range(rng.integers(0, 4)):
        at = int(rng.integers(0, max(1, len(out))))
        match rng.integers(0, 7):
            case 0:
                out[at : at + 1] = bytes([int(rng.integers(0, 256))])
            case 1 if out:
                out[at] ^= 1 << int(rng.integers(0, 8))
            case 2:
                del out[at : at + int(rng.integers(1, 9))]
            case 3:
                out[at:at] = rng.bytes(int(rng.integers(1, 9)))
            case 4:
                out[at : at + int(rng.integers(1, 4))] = varint(int(rng.choice(EDGES)))
            case 5:
                start = int(rng.integers(0, max(1, len(out))))
                out[at:at] = out[start : start + int(rng.integers(1, 40))]
            case _:
                if rng.random() < 0.3:
                    del out[at:]
    return bytes(out)


def mutate_payload(rng: np.random.Generator) -> bytes:
    """A message, tampered with half of the time."""
    raw = message(rng)
    return mutate(raw, rng) if rng.random() < 0.5 else raw
