"""What a training job is told: the files below ``input/config`` of its container."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ..errors import DataError, FormatError
from ._channels import Channel
from .log_lines import JobLog

__all__ = ["Algorithm", "algorithm_of", "channels_of", "host_of", "read_object"]

Algorithm = Literal["fm", "knn"]

_MAX_CONFIGURATION = 1 << 20


def read_object(path: Path) -> dict[str, Any]:
    """A file of the configuration, which must hold an object."""
    try:
        if path.stat().st_size > _MAX_CONFIGURATION:
            raise FormatError(f"{path}: has more than {_MAX_CONFIGURATION} bytes, this is no configuration")
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise error if isinstance(error, FormatError) else FormatError(f"{path}: not JSON ({error})") from None
    except RecursionError:
        raise FormatError(f"{path}: not JSON (nested too deep)") from None
    if not isinstance(content, dict):
        raise FormatError(f"{path}: must hold an object, got {type(content).__name__}")
    return content


def algorithm_of(given: Mapping[str, Any]) -> Algorithm:
    """What hyperparameters are of."""
    if ("num_factors" in given) == ("k" in given):
        raise DataError(
            "which algorithm is it? give algorithm='fm' or 'knn', or the hyperparameter num_factors or k; given are "
            f"{', '.join(sorted(given)) or 'none'}"
        )
    return "fm" if "num_factors" in given else "knn"


def host_of(path: Path, default: str) -> str:
    """The name of the only host."""
    if not path.exists():
        return default
    resources = read_object(path)
    hosts = resources.get("hosts") or []
    if not isinstance(hosts, list) or len(hosts) > 1:
        raise DataError(f"{path}: the job has the hosts {hosts}; only one is supported, give it all rows")
    return str(resources.get("current_host") or default)


def channels_of(root: Path, path: Path, log: JobLog) -> dict[str, Channel]:
    """The channels that are read, by name.

    A guess: others than ``train`` and ``test`` are left alone, with a warning.
    """
    data = root / "input" / "data"
    if path.exists():
        described = read_object(path)
    else:
        described = {name: {} for name in ("train", "test") if (data / name).is_dir()}
    if "train" not in described:
        raise DataError(f"the job has no channel 'train': {path if path.exists() else data / 'train'}")
    channels = {}
    for name, about in described.items():
        if name not in ("train", "test"):
            log.info(f"Channel {name} is not read: only train and test are", "WARNING")
            continue
        about = about if isinstance(about, dict) else {}
        if about.get("TrainingInputMode") == "Pipe":
            raise DataError(f"channel {name!r}: TrainingInputMode Pipe is not supported, use File or FastFile")
        if about.get("RecordWrapperType") not in (None, "None", ""):
            raise DataError(f"channel {name!r}: RecordWrapperType must be None: records are in their frames already")
        if about.get("CompressionType") not in (None, "None", ""):
            raise DataError(f"channel {name!r}: CompressionType must be None, as the service has it for files")
        channels[name] = Channel(name, data / name, str(about.get("ContentType") or ""))
    return channels
