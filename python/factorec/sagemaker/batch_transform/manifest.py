"""Files that a manifest lists instead of a prefix."""

from __future__ import annotations

import json
import posixpath

from ...errors import FormatError
from ..payload import MIB
from .stores import Source, Store, is_s3, open_store

__all__ = ["read_manifest"]

# A manifest of a million names has some 50 MB.
_MOST_BYTES = 64 * MIB


def read_manifest(store: Store, path: str) -> tuple[Store, list[Source]]:
    """Read ``[{"prefix": "s3://bucket/prefix/"}, "name", ...]``, as the service's SDK writes it.

    Parameters
    ----------
    store : Store
        Of the manifest.
    path : str

    Returns
    -------
    store : Store
        Of the prefix: S3, or, of a manifest on this machine, a folder, too.
    sources : list of Source
        In the order of the manifest, named as there.

    Raises
    ------
    FormatError
        If it is no such list, a name leads out of the prefix, or a manifest in S3 lists files of this machine: whoever
        fills a bucket must not choose what is read here.
    OSError
        If it, or a file that it lists, cannot be read.
    """
    with store.read(path) as file:
        body = file.read(_MOST_BYTES + 1)
    try:
        entries = json.loads(body) if len(body) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list) or not entries or not isinstance(entries[0], dict):
        raise FormatError(f'{path}: not a manifest: expected a list [{{"prefix": "..."}}, "name", ...]')
    prefix, names = entries[0].get("prefix"), entries[1:]
    if not isinstance(prefix, str) or not all(isinstance(name, str) for name in names):
        raise FormatError(f"{path}: the manifest needs a prefix, and names that are strings")
    if is_s3(path) and not is_s3(prefix):
        raise FormatError(f"{path}: the manifest is in S3, and its prefix {prefix!r:.200} is not")
    listed = open_store(prefix)
    sources = []
    for name in names:
        if posixpath.isabs(name) or ".." in name.split("/") or not name:
            raise FormatError(f"{path}: the manifest names {name!r}, which is not below its prefix")
        separator = "" if prefix.endswith("/") else "/"
        sources.append(Source(f"{prefix}{separator}{name}", name, listed.size(f"{prefix}{separator}{name}")))
    return listed, sources
