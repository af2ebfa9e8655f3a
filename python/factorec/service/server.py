"""The application behind a socket, until a signal ends it."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from os import PathLike

import uvicorn

from ..errors import DataError
from ..sagemaker.model import Model, load_model
from ._protocol import ImpatientProtocol
from .app import BatchStrategy, create_app
from .limits import Limits

__all__ = ["serve"]

# The managed service kills a container 30 s after it has asked it to end.
_TO_FINISH = 25
_BACKLOG = 2048  # connections that the system holds until they are accepted
# Accepted at a turn of the event loop. Where the process has no files left, asyncio tries as many times, with a line in
# the log each; it is some turns from there to the connection that makes room by closing another.
_ACCEPTED = 16
_TURNS = 8
# Longer than the pauses of most clients, which otherwise meet a connection that closes as they send.
_KEEP_ALIVE = 75


def serve(
    model: Model | str | PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    name: str = "factorec",
    limits: Limits | None = None,
    batch_strategy: BatchStrategy = "MULTI_RECORD",
    access_log: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> bool:
    """Answer requests until SIGTERM or SIGINT; requests that have begun by then are answered, for 25 s at most.

    Parameters
    ----------
    model : Model or path
        As in `create_app`.
    host : str, default="127.0.0.1"
        The address to listen on.
    port : int, default=8080
        0: one that is free.
    name : str, default="factorec"
        The endpoint's.
    limits : Limits, optional
    batch_strategy : {"MULTI_RECORD", "SINGLE_RECORD"}, default="MULTI_RECORD"
        What ``/execution-parameters`` says.
    access_log : bool, default=False
        Log a line for each request, by the logger ``uvicorn.access``.
    on_ready : callable, optional
        Called with the server's URL once it listens.

    Returns
    -------
    bool
        Whether everything was answered that had begun.

    Raises
    ------
    FormatError, OSError
        If the model cannot be loaded, or the address not be had.

    Examples
    --------
    A server that ends as soon as it listens:

    >>> import signal
    >>> import numpy as np
    >>> from factorec import FMParameters
    >>> from factorec.sagemaker.model import FMModel
    >>> model = FMModel(FMParameters(0.0, np.float32([0, 1]), np.zeros((2, 1), np.float32)), "regressor")
    >>> serve(model, port=0, on_ready=lambda url: signal.raise_signal(signal.SIGTERM))
    True
    """
    if isinstance(model, (str, PathLike)):
        model = load_model(model)
    limits = Limits() if limits is None else limits
    app = create_app(model, name=name, limits=limits, batch_strategy=batch_strategy)
    with _listen(host, port) as listener:
        address = listener.getsockname()
        shown = f"[{address[0]}]" if listener.family == socket.AF_INET6 else address[0]
        config = uvicorn.Config(
            app,
            http=type(
                "Protocol",
                (ImpatientProtocol,),
                {"for_response": limits.timeout, "max_connections": _max_connections()},
            ),
            backlog=_ACCEPTED,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            log_level=logging.ERROR,
            access_log=access_log,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_TO_FINISH,
        )
        if access_log:
            logging.getLogger("uvicorn.access").setLevel(logging.INFO)
        # What is there by now stays: the collector need not look at it again, which takes it tens of milliseconds.
        gc.collect()
        gc.freeze()
        try:
            _Server(config, lambda: on_ready and on_ready(f"http://{shown}:{address[1]}")).run(sockets=[listener])
        finally:
            gc.unfreeze()
    return not app.state.scorer.busy


def _max_connections() -> int:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return 2**16
    return max(16, files - _TURNS * _ACCEPTED - 64)  # 64: the model's, the interpreter's


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port < 2**16:
        raise DataError(f"port must be 0 to 65535, got {port}")
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        # Not socket.create_server: its sockets do not say that they are TCP, so that asyncio does not turn Nagle's
        # algorithm off, and every response waits 40 ms for the client's delayed acknowledgement.
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
        return listener
    except OSError as error:
        # Python's own text for it names the address again.
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise OSError(error.errno, f"cannot listen: {reason}", f"{host}:{port}") from None


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it listens, and for which a signal is a reason to return, not to die."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(_BACKLOG)  # asyncio has set it to what it accepts at a time
        self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # where signals cannot be had
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
