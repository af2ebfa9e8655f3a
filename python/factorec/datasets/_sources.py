"""Where MovieLens 100K can be had: the user's path, the cache, GroupLens, a Python package that contains it.

Every source yields the same thing, an `Archive`: the three files of the data set under their role, in one of
the two layouts in which they circulate. What they mean is the business of `movielens`.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Archive", "Source", "Unavailable", "read_archive", "sources", "store"]

URL = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
URL_MD5 = "0e33842e24a9c977be4e0107933c0723"
URL_SIZE = 4_924_029
CONNECT_SECONDS, READ_SECONDS = 5, 60

WHEEL = "recbole==1.2.1"
WHEEL_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
WHEEL_SECONDS = 600

CACHE_FILE = "ml-100k.zip"
EXTRA = "pip install 'factorec[cli]'"

# layout -> file names of (ratings, films, users), and the folders in which they may lie
LAYOUTS = {
    "original": ("u.data", "u.item", "u.user"),
    "recbole": ("ml-100k.inter", "ml-100k.item", "ml-100k.user"),
}
FOLDERS = ("ml-100k/", "", "recbole/dataset_example/ml-100k/")
MEMBER_LIMIT = 32 << 20  # bytes; the largest file has 2 MB, a bomb has more


class Unavailable(Exception):
    """One source cannot deliver; the message is the reason."""


@dataclass(frozen=True)
class Archive:
    """The files of the data set as they were found: `layout` is ``"original"`` or ``"recbole"``."""

    layout: str
    ratings: bytes
    films: bytes
    users: bytes


def offline() -> bool:
    """Whether ``FACTOREC_OFFLINE`` forbids the network."""
    return os.environ.get("FACTOREC_OFFLINE", "0") not in ("", "0")


def cache_folder() -> Path:
    """``FACTOREC_DATA``, or the platform's folder for user caches as pooch has it."""
    if folder := os.environ.get("FACTOREC_DATA"):
        return Path(folder).expanduser()
    try:
        import pooch
    except ImportError:
        raise Unavailable(f"its place is known to pooch only: {EXTRA}, or set FACTOREC_DATA") from None
    return Path(pooch.os_cache("factorec"))


def read_archive(path: Path) -> Archive:
    """Read the files from a zip or a folder, by name, nothing extracted."""
    try:
        if path.is_dir():
            return _pick(lambda name: _read_file(path / name), str(path))
        with zipfile.ZipFile(path) as file:
            return _pick(lambda name: _read_member(file, name), str(path))
    except FileNotFoundError:
        raise Unavailable(f"{path}: no such file or folder") from None
    except zipfile.BadZipFile as error:
        raise Unavailable(f"{path}: not a readable zip file ({error})") from None
    except (OSError, EOFError, RuntimeError, zlib.error) as error:  # RuntimeError: encrypted or exotic
        raise Unavailable(f"{path}: {error}") from None


def _pick(read: Callable[[str], bytes | None], where: str) -> Archive:
    for folder in FOLDERS:
        for layout, names in LAYOUTS.items():
            contents = [content for name in names if (content := read(folder + name)) is not None]
            if len(contents) == len(names):
                return Archive(layout, *contents)
    wanted = " or ".join(", ".join(names) for names in LAYOUTS.values())
    raise Unavailable(f"{where}: does not hold {wanted}")


def _read_file(path: Path) -> bytes | None:
    if not path.is_file():
        return None
    if path.stat().st_size > MEMBER_LIMIT:
        raise Unavailable(f"{path}: {path.stat().st_size} bytes, more than this data set can have")
    return path.read_bytes()


def _read_member(file: zipfile.ZipFile, name: str) -> bytes | None:
    try:
        info = file.getinfo(name)
    except KeyError:
        return None
    if info.file_size > MEMBER_LIMIT:
        raise Unavailable(f"{name} has {info.file_size} bytes, more than this data set can have")
    return file.read(info)


class _Capped(io.BytesIO):
    """A buffer that stops a download which is larger than the file can be."""

    def write(self, data: object) -> int:
        written = super().write(data)  # type: ignore[arg-type]
        if self.tell() > URL_SIZE:
            raise Unavailable(f"more than the {URL_SIZE} bytes that the file has")
        return written


def from_grouplens() -> Archive:
    """Download the original zip, one attempt."""
    try:
        import pooch
    except ImportError:
        raise Unavailable(f"needs pooch: {EXTRA}") from None
    buffer = _Capped()
    try:
        pooch.HTTPDownloader(timeout=(CONNECT_SECONDS, READ_SECONDS))(URL, buffer, None)
    except OSError as error:
        raise Unavailable(_shorten(error)) from None
    content = buffer.getvalue()
    if len(content) != URL_SIZE or hashlib.md5(content, usedforsecurity=False).hexdigest() != URL_MD5:
        raise Unavailable(f"got {len(content)} bytes that are not the published file (MD5 {URL_MD5})")
    return _unzip(content, URL)


def from_wheel() -> Archive:
    """Fetch the wheel that contains the data set with pip; read it as a zip, never import it."""
    with tempfile.TemporaryDirectory(prefix="factorec-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
        try:
            # run inside the empty folder: `-m` would take a pip.py from the current one
            done = subprocess.run(
                [*command, "--dest", ".", WHEEL],
                cwd=folder,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=WHEEL_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(_shorten(error)) from None
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            lines = [line for line in done.stderr.splitlines() if line.strip() and "[notice]" not in line]
            raise Unavailable(_shorten(lines[-1] if lines else f"pip ended with code {done.returncode}"))
        content = wheels[0].read_bytes()
    if hashlib.sha256(content).hexdigest() != WHEEL_SHA256:
        raise Unavailable(f"{wheels[0].name} is not the expected file (SHA-256 {WHEEL_SHA256})")
    return _unzip(content, wheels[0].name)


def _unzip(content: bytes, where: str) -> Archive:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return _pick(lambda name: _read_member(file, name), where)


def _shorten(reason: object) -> str:
    text = " ".join(str(reason).split())
    return text if len(text) <= 240 else text[:237] + "..."


@dataclass(frozen=True)
class Source:
    """One place to try."""

    name: str
    read: Callable[[], Archive]
    remote: bool = True


def sources(*, download: bool) -> list[Source]:
    """List the sources after ``path=``, in the order in which to try them."""
    reason = "FACTOREC_OFFLINE is set" if offline() else "" if download else "download=False"

    def skip() -> Archive:
        raise Unavailable(f"skipped, {reason}")

    return [
        Source("cache", lambda: read_archive(cache_folder() / CACHE_FILE), remote=False),
        Source(f"GroupLens ({URL})", skip if reason else from_grouplens),
        Source(f"Python package {WHEEL}, which contains the data", skip if reason else from_wheel),
    ]


def zip_archive(archive: Archive) -> bytes:
    """Pack the files as a zip that `read_archive` reads, the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        contents = (archive.ratings, archive.films, archive.users)
        for name, content in zip(LAYOUTS[archive.layout], contents, strict=True):
            file.writestr(zipfile.ZipInfo(f"ml-100k/{name}"), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def store(archive: Archive) -> Path | None:
    """Put the files into the cache, whole or not at all. A cache that cannot be written costs a warning."""
    temporary = None
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{CACHE_FILE}-", delete=False) as file:
            temporary = Path(file.name)
            file.write(zip_archive(archive))
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # the folder may be shared; temporary files are private
        temporary.replace(folder / CACHE_FILE)
    except (OSError, Unavailable) as error:
        message = "MovieLens 100K could not be cached and will be fetched again next time"
        warnings.warn(f"{message}: {error}", stacklevel=4)
        return None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return folder / CACHE_FILE
