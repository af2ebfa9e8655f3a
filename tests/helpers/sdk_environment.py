"""The real SageMaker SDK, in a virtual environment of its own: its pins conflict with the packages tested here."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["build_sdk", "run_sdk"]

# 3.x drops the names that the notebooks use; scipy is what the SDK's writer of sparse matrices asks for.
REQUIREMENTS = ("sagemaker<3", "scipy")
FOLDER = "sagemaker-v2-scipy-python{}.{}".format(*sys.version_info[:2])


def build_sdk(cache: Path) -> Path:
    """The interpreter of an environment with the SDK: $FACTOREC_SDK_PYTHON, the one in `cache`, or built there."""
    if given := os.environ.get("FACTOREC_SDK_PYTHON"):
        return Path(given)
    environment = cache / FOLDER
    if not environment.exists():
        cache.mkdir(parents=True, exist_ok=True)
        # Renamed when it is complete: an interrupted build is never taken for an environment. An environment that
        # has moved still runs by its interpreter, which is all that is used.
        building = Path(tempfile.mkdtemp(prefix="building-", dir=cache))
        try:
            _call(sys.executable, "-m", "venv", building)
            _call(building / "bin" / "python", "-m", "pip", "install", "--quiet", *REQUIREMENTS)
            with contextlib.suppress(OSError):  # another process was faster
                building.rename(environment)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return environment / "bin" / "python"


def run_sdk(python: Path, script: str, *arguments: object, timeout: float = 120) -> str:
    """Run `script` by the SDK's interpreter; what it prints. Its errors are ours, with what it wrote to stderr."""
    environment = {
        # Neither this package nor this machine's account: the SDK's own code against the arguments, nothing else.
        **{k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "AWS_", "SAGEMAKER_"))},
        "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }
    return _call(python, "-c", script, *arguments, env=environment, timeout=timeout)


def _call(*command: object, env: dict[str, str] | None = None, timeout: float = 900) -> str:
    done = subprocess.run([str(part) for part in command], env=env, timeout=timeout, capture_output=True, text=True)
    if done.returncode:
        shown = " ".join(str(part) for part in command)[:200]
        raise RuntimeError(f"exit code {done.returncode} of {shown}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}")
    return done.stdout
