"""Model artifacts as sets of small files: ``model.tar.gz``, the zip inside, or a folder.

Nothing is unpacked to disk: the files that are wanted are read into memory, and the sizes that count are those of the
bytes that come out, not those that a header states. Archives with names that would leave their folder, with links or
with devices are refused, whatever else they hold.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from .._atomic import atomic_file
from ..errors import FormatError
from ._limits import LimitedStream, default_limit, read_limited
from ._tar import tar_files

__all__ = ["ARCHIVE", "INNER", "parse_json", "parse_object", "read_files", "unzip", "write_files", "write_zip"]

ARCHIVE = "model.tar.gz"
INNER = "model_algo-1"

# A central directory of a zip takes ten times its size in memory; artifacts have three files.
_MAX_ENTRIES = 1000
_ENTRY_SIGNATURE = b"PK\1\2"
# JSON text may take some 30 times its size in memory; what artifacts hold takes kilobytes.
_MAX_JSON = 4 << 20
# A time that zip can say; tar gets 0.
_EPOCH = (1980, 1, 1, 0, 0, 0)

Wanted = Callable[[str], bool]


def read_files(path: str | os.PathLike[str], wanted: Wanted, max_size: int | None) -> tuple[dict[str, bytes], str, int]:
    """Read the wanted files of an artifact.

    Parameters
    ----------
    path : path-like
        A folder, a tar archive (compressed by gzip or not) or a zip: told apart by content, not by name. A folder
        that holds none of the wanted files, but ``model.tar.gz``, stands for that.
    wanted : callable
        Takes a file's name without folders.
    max_size : int, optional
        The most bytes that one layer of compression may unpack to. None: `default_limit` of the file's size.

    Returns
    -------
    files : dict of str to bytes
        By name without folders.
    name : str
        For errors.
    limit : int
        What `max_size` came to.

    Raises
    ------
    FormatError
        If the archive is damaged, too large unpacked, has a file twice, or one that is no plain file.
    OSError
        If the path cannot be read.
    """
    folder = Path(path)
    if folder.is_dir():
        found = sorted(entry.name for entry in folder.iterdir() if wanted(entry.name))
        if not found and (folder / ARCHIVE).is_file():
            return read_files(folder / ARCHIVE, wanted, max_size)
        files = {name: _read_whole(folder / name) for name in found}
        return files, str(folder), _limit(max_size, sum(map(len, files.values())))
    name = str(folder)
    with _open_regular(folder) as file:
        limit = _limit(max_size, os.fstat(file.fileno()).st_size)
        head = file.read(512)
        file.seek(0)
        if head[:2] == b"\x1f\x8b":
            return _gunzip(file, wanted, limit, name), name, limit
        if head[257:262] == b"ustar":
            return _untar(LimitedStream(file, limit, name), wanted), name, limit
        if head[:4] == b"PK\3\4":
            return unzip(file.read(), wanted, limit, name), name, limit
    raise FormatError(f"{name}, offset 0: neither a tar archive (gzip or plain) nor a zip; or give the unpacked folder")


def unzip(data: bytes, wanted: Wanted, limit: int, name: str) -> dict[str, bytes]:
    """Read the wanted files of a zip; the limit holds for all of them together."""
    if data.count(_ENTRY_SIGNATURE) > _MAX_ENTRIES:
        raise FormatError(f"{name}: a zip of more than {_MAX_ENTRIES} files is not an artifact")
    files: dict[str, bytes] = {}
    with _damage_is_named(name), zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            where = f"{name}, offset {entry.header_offset}: {entry.filename!r:.200}"
            _check_zip_entry(entry, where)
            short = entry.filename.rpartition("/")[2]
            if not wanted(short):  # a folder has no short name
                continue
            if short in files:
                raise FormatError(f"{where} occurs twice")
            # Other methods could ask for memory by their own headers.
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
                raise FormatError(f"{where} is encrypted or compressed by another method than deflate")
            with _damage_is_named(where), archive.open(entry) as member:
                files[short] = read_limited(member, limit - sum(map(len, files.values())), where)
    return files


def parse_json(data: bytes, name: str) -> Any:
    """Parse a small JSON file of an artifact."""
    if len(data) > _MAX_JSON:
        raise FormatError(f"{name} has {len(data)} bytes, at most {_MAX_JSON} are read")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name}: not JSON ({str(error)[:200]})") from None


def parse_object(data: bytes, name: str) -> dict[str, Any]:
    """Parse a small JSON file that must hold an object."""
    content = parse_json(data, name)
    if not isinstance(content, dict):
        raise FormatError(f"{name} must be an object")
    return content


def write_files(path: str | os.PathLike[str], files: Mapping[str, bytes]) -> None:
    """Write ``model.tar.gz``, or the files into a folder that is there: atomically, all or none."""
    if not Path(path).is_dir():
        _write_tar(path, files)
        return
    with contextlib.ExitStack() as ready:  # all are there before the first takes its place
        for name, data in files.items():
            ready.enter_context(atomic_file(Path(path) / name)).write(data)


def _write_tar(path: str | os.PathLike[str], files: Mapping[str, bytes]) -> None:
    """The same files give the same bytes."""
    with (
        atomic_file(path) as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as packed,
        # GNU's form: the only one that has sizes beyond 8 GiB without extended headers
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(data), 0o644, 0
            archive.addfile(member, io.BytesIO(data))


def write_zip(files: Mapping[str, Callable[[BinaryIO], object]]) -> bytes:
    """Make a zip of what the functions write; the same content gives the same bytes.

    The content is not compressed: the archive around it is.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, write in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            with archive.open(entry, "w", force_zip64=True) as member:
                write(cast(BinaryIO, member))
    return buffer.getvalue()


def _limit(max_size: int | None, file_size: int) -> int:
    return default_limit(file_size) if max_size is None else max_size


def _open_regular(path: Path) -> BinaryIO:
    # Without O_NONBLOCK a named pipe would be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FormatError(f"{path} is not a plain file")
    return os.fdopen(descriptor, "rb")


def _read_whole(path: Path) -> bytes:
    with _open_regular(path) as file:
        return file.read()


def _gunzip(file: BinaryIO, wanted: Wanted, limit: int, name: str) -> dict[str, bytes]:
    with _damage_is_named(name), gzip.GzipFile(fileobj=file, mode="rb") as packed:
        stream = LimitedStream(packed, limit, name)
        files = _untar(stream, wanted)
        stream.drain()
        return files


def _untar(stream: LimitedStream, wanted: Wanted) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for member in tar_files(stream):
        short = member.name.rpartition("/")[2]
        if not wanted(short):
            continue
        if short in files:
            raise stream.error(f"{short!r} occurs twice", member.offset)
        files[short] = member.read()
    return files


def _check_zip_entry(entry: zipfile.ZipInfo, where: str) -> None:
    name = entry.filename
    if name.startswith("/") or "\\" in name or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
        raise FormatError(f"{where} would be unpacked outside its folder")
    kind = stat.S_IFMT(entry.external_attr >> 16) if entry.create_system == 3 else 0
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise FormatError(f"{where} is a link or a device; an artifact holds plain files only")


@contextlib.contextmanager
def _damage_is_named(where: str) -> Iterator[None]:
    """Turn what the standard library's readers raise for damaged archives into our error."""
    try:
        yield
    except FormatError:
        raise
    except (
        EOFError,
        NotImplementedError,
        OverflowError,
        RuntimeError,
        ValueError,
        gzip.BadGzipFile,
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise FormatError(f"{where}: a damaged archive ({error or type(error).__name__})") from error
