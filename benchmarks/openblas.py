"""OpenBLAS, under numpy, scipy and faiss, at the kernels that are its best here. Imports nothing that would load it."""

from __future__ import annotations

import os
from pathlib import Path


def best_build() -> dict[str, str]:
    """Variables for this process: FACTOREC_BENCH_OPENBLAS, or AVX-512 kernels where the processor has them.

    What was left in the environment may hold it at AVX2, which is slower but for the thinnest products, and the old
    OpenBLAS inside faiss takes kernels without AVX on processors that it does not know.
    """
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)
    if chosen := os.environ.get("FACTOREC_BENCH_OPENBLAS"):
        return {"OPENBLAS_CORETYPE": chosen}
    return {"OPENBLAS_CORETYPE": "SkylakeX"} if " avx512bw" in Path("/proc/cpuinfo").read_text() else {}


def kernels() -> str:
    """Which version runs which kernels, of those that are loaded."""
    from threadpoolctl import threadpool_info

    loaded = {(i["version"], i["architecture"]) for i in threadpool_info() if i.get("internal_api") == "openblas"}
    return ", ".join(f"{version} ({kernels})" for version, kernels in sorted(loaded))
