"""The model file: named arrays and a little metadata in one safetensors file.

The layout is that of safetensors [1]_: eight bytes with the length of a JSON header, the header, the arrays.
Nothing in a file is ever executed. A file is read through the reference reader, which checks that the arrays
fill the file without gaps or overlap; this module adds limits, the format's name and version, and a schema
that names every array that may be there. Arrays come back as read-only views of the mapped file.

References
----------
.. [1] https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from .._atomic import atomic_file
from ..errors import DataError, FormatError
from .arrays import csr_schema, ids_schema, pack_csr, pack_ids, unpack_csr, unpack_ids
from .schema import DTYPES, Schema, TensorSpec, check_tensors

__all__ = [
    "FORMAT",
    "VERSION",
    "Schema",
    "TensorSpec",
    "csr_schema",
    "ids_schema",
    "pack_csr",
    "pack_ids",
    "read",
    "unpack_csr",
    "unpack_ids",
    "write",
]

FORMAT = "factorec"
VERSION = 1

# Metadata are kilobytes and a model has tens of arrays: a larger header is not ours, and is not parsed.
MAX_HEADER_BYTES = 1 << 20
_ALIGNMENT = 64
_RESERVED = ("format", "version", "library_version")
_CODES = {dtype: code for code, dtype in DTYPES.items()}

SchemaOrRule = Schema | Callable[[dict[str, Any]], Schema]


def write(path: str | os.PathLike[str], tensors: Mapping[str, npt.ArrayLike], metadata: Mapping[str, Any]) -> None:
    """Write arrays and metadata to a model file, atomically.

    Parameters
    ----------
    path : path-like
        The file; an old one is replaced once the new one is complete and on disk.
    tensors : dict of str to ndarray
        Arrays of float32, float64, int32, int64 or uint8, of any shape.
    metadata : dict of str to object
        What JSON can say, kilobytes in all. Must have the entry ``"class"``: what the file holds. The name
        and version of the format and the version of this library are added.

    Raises
    ------
    DataError
        If an array has another dtype, or the metadata are too large or cannot be written as JSON.
    OSError
        If the file cannot be written. The old file is then still there.

    Examples
    --------
    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/model.factorec"
    >>> write(path, {"linear": np.zeros(3, np.float32)}, {"class": "FMParameters", "fields": ["user"]})
    >>> schema = {"linear": TensorSpec("float32", ("n_features",))}
    >>> tensors, metadata = read(path, schema=schema, classes={"FMParameters"})
    >>> tensors["linear"]
    array([0., 0., 0.], dtype=float32)
    >>> metadata["class"], metadata["fields"]
    ('FMParameters', ['user'])
    """
    arrays = {name: _as_tensor(name, value) for name, value in tensors.items()}
    # Widest items first, so that every array is aligned without gaps, which the reference reader refuses.
    arrays = dict(sorted(arrays.items(), key=lambda entry: (-entry[1].itemsize, entry[0])))
    header: dict[str, Any] = {"__metadata__": _encode_metadata(metadata)}
    end = 0
    for name, array in arrays.items():
        begin, end = end, end + array.nbytes
        header[name] = {
            "dtype": _CODES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % _ALIGNMENT)
    if len(text) > MAX_HEADER_BYTES:
        raise DataError(
            f"cannot write {os.fspath(path)}: metadata and array names take {len(text)} bytes, at most "
            f"{MAX_HEADER_BYTES} can be read back; put large things into arrays"
        )
    # The reference writer takes a path, not an open file, so it cannot write through `atomic_file`.
    with atomic_file(path) as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for array in arrays.values():
            file.write(array.reshape(-1).view(np.uint8).data)


def read(
    path: str | os.PathLike[str], *, schema: SchemaOrRule, classes: Collection[str]
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Read a model file, or say what is wrong with it.

    Parameters
    ----------
    path : path-like
        The file. It must not be changed in place while the arrays are in use (`write` never does).
    schema : dict of str to TensorSpec, or callable
        Every array that may be there; a callable makes it from the metadata.
    classes : collection of str
        The allowed values of the metadata's ``"class"``.

    Returns
    -------
    tensors : dict of str to ndarray
        Read-only views of the mapped file. No array is loaded before it is used, except where the schema asks
        for finite values, and except an array that is not aligned (no file of ours has one), which is copied.
    metadata : dict of str to object
        As given to `write`, and ``"library_version"``, the version that wrote the file.

    Raises
    ------
    FormatError
        For anything but a whole file of this format and a known version, whose class is allowed and whose
        arrays are exactly those of the schema. Nothing is allocated by the file's word: every size is checked
        against the length of the file first.
    OSError
        If the file cannot be opened.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            buffer = _map(file.fileno())
            data_start = _data_start(buffer)
            names, shapes, dtypes, texts = _reference_header(name, file.fileno())
        metadata = _decode_metadata(texts, classes)
        tensors = {}
        for tensor in names:  # in the order of the file, which the reader has found to be without gaps
            array = _view(buffer, data_start, tensor, shapes[tensor], dtypes[tensor])
            data_start += array.nbytes
            tensors[tensor] = array
        check_tensors(tensors, schema(metadata) if callable(schema) else schema)
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from error.__cause__
    return {t: a if a.flags.aligned else _read_only(a.copy()) for t, a in tensors.items()}, metadata


def _as_tensor(name: str, value: npt.ArrayLike) -> npt.NDArray[Any]:
    array = np.asarray(value)
    if array.dtype.newbyteorder("<") not in _CODES:
        known = ", ".join(dtype.name for dtype in _CODES)
        raise DataError(f"array {name!r} has dtype {array.dtype}, a model file holds {known}")
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)


def _encode_metadata(metadata: Mapping[str, Any]) -> dict[str, str]:
    if not isinstance(metadata.get("class"), str):
        raise DataError("metadata need an entry 'class', the name of what the file holds")
    from .. import __version__  # here, not above: the package may still be importing this module

    texts = {"format": FORMAT, "version": str(VERSION), "library_version": __version__}
    for key, value in metadata.items():
        if not isinstance(key, str) or key in _RESERVED:
            raise DataError(f"metadata cannot have the key {key!r}")
        try:
            texts[key] = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            texts[key].encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(f"metadata {key!r} cannot be written as JSON: {error}") from None
    return texts


def _map(descriptor: int) -> mmap.mmap:
    if os.fstat(descriptor).st_size < 8:
        raise FormatError("not a factorec model file: it is shorter than its first field")
    return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)


def _data_start(buffer: mmap.mmap) -> int:
    length = int.from_bytes(buffer[:8], "little")
    if length > MAX_HEADER_BYTES:
        raise FormatError(f"not a factorec model file: a header of {length} bytes, at most {MAX_HEADER_BYTES} expected")
    if 8 + length > len(buffer):
        raise FormatError(f"the file ends inside its header ({len(buffer)} bytes of at least {8 + length})")
    return 8 + length


def _reference_header(
    path: str, descriptor: int
) -> tuple[list[str], dict[str, tuple[int, ...]], dict[str, str], dict[str, str]]:
    """Let the reference reader check the file: names in file order, shapes, type codes and metadata."""
    try:
        with safe_open(path, framework="np") as handle:
            here, there = os.fstat(descriptor), os.stat(path)
            if (here.st_dev, here.st_ino, here.st_size) != (there.st_dev, there.st_ino, there.st_size):
                raise FormatError("the file was replaced while it was read; try again")
            names = list(handle.offset_keys())
            slices = {name: handle.get_slice(name) for name in names}
            shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
            dtypes = {name: str(part.get_dtype()) for name, part in slices.items()}
            return names, shapes, dtypes, dict(handle.metadata() or {})
    except SafetensorError as error:
        raise FormatError(f"not a whole safetensors file ({error})") from error


def _decode_metadata(texts: Mapping[str, str], classes: Collection[str]) -> dict[str, Any]:
    if texts.get("format") != FORMAT:
        raise FormatError(f"not a factorec model file: its format is {texts.get('format')!r}")
    version = texts.get("version", "")
    if not (version.isascii() and version.isdigit() and len(version) < 10 and int(version) > 0):
        raise FormatError(f"format version {version[:20]!r} is not a positive integer")
    if int(version) > VERSION:
        raise FormatError(f"format version {version} is newer than {VERSION}: it needs a newer factorec")
    metadata = {key: _decode_json(key, text) for key, text in sorted(texts.items()) if key not in _RESERVED}
    metadata["library_version"] = texts.get("library_version", "")[:80]
    kind = metadata.get("class")
    if not isinstance(kind, str) or kind not in classes:
        raise FormatError(f"the file holds {kind!r:.80}, expected {' or '.join(sorted(classes))}")
    return metadata


def _decode_json(key: str, text: str) -> Any:
    try:
        value = json.loads(text)
        # Catches what JSON text can smuggle in: NaN, numbers beyond float, half a surrogate pair.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise FormatError(f"metadata {key[:80]!r} is not JSON ({str(error)[:200]})") from None
    return value


def _view(buffer: mmap.mmap, start: int, name: str, shape: tuple[int, ...], code: str) -> npt.NDArray[Any]:
    if code not in DTYPES:
        raise FormatError(f"array {name[:80]!r} has the type {code}, expected one of {', '.join(DTYPES)}")
    # With a zero in the shape the others are not bounded by the bytes: such an array could claim any size.
    if len(shape) > 8 or any(size > len(buffer) for size in shape):
        raise FormatError(f"array {name[:80]!r} has the shape {str(shape)[:80]}, larger than the file")
    count = 1
    for size in shape:
        count *= size
    try:
        return np.frombuffer(buffer, DTYPES[code], count, start if count else 0).reshape(shape)
    except ValueError as error:
        raise FormatError(f"array {name[:80]!r} does not fit into the file ({error})") from error


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.flags.writeable = False
    return array
