"""Commands that answer requests: ``serve`` and ``sagemaker serve``.

Each imports what it needs when it runs.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Optional

import typer

from ._app import command, sagemaker

Host = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine's.")]
AccessLog = Annotated[bool, typer.Option("--access-log", help="Log a line for each request, to standard error.")]


@command
def serve(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="model.tar.gz of the managed service or its folder, or .factorec")
    ],
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one, which is printed.")] = 8080,
    name: Annotated[str, typer.Option(help="Name of the endpoint, in /endpoints/NAME/invocations.")] = "factorec",
    max_body: Annotated[Optional[int], typer.Option(min=1, help="Bytes of a request or response.")] = None,  # noqa: UP045
    max_rows: Annotated[Optional[int], typer.Option(min=1, help="Rows of a request.")] = None,  # noqa: UP045
    timeout: Annotated[Optional[float], typer.Option(min=0.001, help="Seconds for a request.")] = None,  # noqa: UP045
    max_concurrency: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="Large requests that are scored at a time; others wait."),
    ] = None,
    max_waiting: Annotated[Optional[int], typer.Option(min=1, help="Requests that may wait.")] = None,  # noqa: UP045
    access_log: AccessLog = False,
) -> None:
    """Answer requests as the managed service's endpoint does, for its clients and for containers."""
    from . import serving

    serving.serve(
        model,
        host=host,
        port=port,
        name=name,
        access_log=access_log,
        limits={
            "max_body": max_body,
            "max_rows": max_rows,
            "timeout": timeout,
            "max_concurrency": max_concurrency,
            "max_waiting": max_waiting,
        },
    )


@partial(command, of=sagemaker, name="serve")
def sagemaker_serve(
    root: Annotated[Path, typer.Option(help="The container's folder: the model is in ROOT/model.")] = Path("/opt/ml"),
    host: Host = "0.0.0.0",
    access_log: AccessLog = False,
) -> None:
    """Answer requests as a container does; its settings are the variables SAGEMAKER_… of the environment."""
    from . import serving

    serving.serve_container(root, host=host, access_log=access_log)
