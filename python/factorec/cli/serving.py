"""What the commands ``serve`` and ``sagemaker serve`` do."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["serve", "serve_container"]


def serve(
    model: Path, *, host: str, port: int, name: str, limits: dict[str, Any], access_log: bool, **options: Any
) -> None:
    """Load a model and answer requests until a signal."""
    from ..sagemaker.model import load_model
    from ..service import Limits
    from ..service import serve as serve_model

    given = Limits(**{key: value for key, value in limits.items() if value is not None})
    loaded = load_model(model)
    if access_log:
        logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stderr)

    def ready(url: str) -> None:
        # To standard output, for programs that start the server and wait for it.
        print(f"serving {model} ({loaded.kind}, {loaded.n_features:,} features) at {url}", flush=True)

    done = serve_model(
        loaded, host=host, port=port, name=name, limits=given, access_log=access_log, on_ready=ready, **options
    )
    if not done:
        print("factorec: stopped with requests unanswered: they took too long", file=sys.stderr, flush=True)
        os._exit(1)  # the interpreter would wait for the threads that still score


def serve_container(root: Path, *, host: str, access_log: bool) -> None:
    """Answer requests as a container, set up by the environment."""
    from ..service.container import read_environment

    settings = read_environment(os.environ)
    serve(
        root / "model",
        host=host,
        port=settings.port,
        name="factorec",
        limits=settings.limits,
        access_log=access_log,
        batch_strategy=settings.batch_strategy,
    )
