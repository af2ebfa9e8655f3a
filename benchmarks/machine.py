"""What a figure was measured on: the processor, the threads, the versions, how the peers were built."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import openblas
from factorec import _core

PEERS = ("faiss-cpu", "implicit", "libmf", "myfm", "modern-fm", "xlearn", "lightfm-next", "fastfm", "irspack")
PACKAGES = ("factorec", "numpy", "scipy", "scikit-learn", "joblib", "starlette", "uvicorn", *PEERS)


def threads() -> int:
    """Threads that ours and every peer may use, from FACTOREC_BENCH_THREADS."""
    return int(os.environ.get("FACTOREC_BENCH_THREADS", "1"))


def variables() -> str:
    """The variables of the environment that change what is measured, as the shell takes them."""
    given = [
        f"{name}={os.environ[name]}" for name in ("FACTOREC_SIMD", "FACTOREC_BENCH_OPENBLAS") if name in os.environ
    ]
    return " ".join([f"FACTOREC_BENCH_THREADS={threads()}", *given])


def describe() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads(),
        "simd": _core.simd_level(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "versions": {name: version for name in PACKAGES if (version := _version(name))}
        | {"OpenBLAS": openblas.kernels()},
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def wide_instructions(library: Path) -> int | None:
    """Instructions of a shared library that use 256- or 512-bit registers: whether compiler flags took."""
    if shutil.which("objdump") is None:
        return None
    listing = subprocess.run(["objdump", "-d", str(library)], check=True, capture_output=True, text=True).stdout
    return sum("%ymm" in line or "%zmm" in line for line in listing.splitlines())
