"""Batch transform: every file of a folder or prefix through a model, into one file of responses each."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import BinaryIO

from ...errors import DataError, FactorecError, FormatError
from ..invocation import invoke
from ..messages import RequestError
from ..model import Model, load_model
from ..payload import MIB, PAYLOAD
from .data_processing import DataProcessing, JoinSource
from .errors import TransformError
from .manifest import read_manifest
from .options import AssembleWith, CompressionType, DataType, TransformOptions
from .records import BatchStrategy, Request, SplitType, read_requests
from .stores import Source, Store, is_s3, open_store

__all__ = ["TransformResult", "transform"]

# What may be wrong with a file; anything else is an error of the program and ends the job.
_FILE_ERRORS = (FactorecError, OSError)


@dataclass(frozen=True)
class TransformResult:
    """What a batch transform wrote.

    Attributes
    ----------
    outputs : list of str
        The files, in the order of the input.
    n_requests : int
    """

    outputs: list[str]
    n_requests: int


def transform(
    model: Model | str | PathLike[str],
    input: str | PathLike[str],
    output: str | PathLike[str],
    *,
    content_type: str | None = None,
    accept: str | None = None,
    split_type: SplitType | None = None,
    batch_strategy: BatchStrategy | None = None,
    assemble_with: AssembleWith | None = None,
    max_payload: int = PAYLOAD,
    max_concurrent_transforms: int = 1,
    compression_type: CompressionType | None = None,
    data_type: DataType | None = None,
    input_filter: str | None = None,
    output_filter: str | None = None,
    join_source: JoinSource | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TransformResult:
    r"""Send every file through a model and write the responses, as the managed service's batch transform does.

    Each input file gives one file ``<output>/<path below input>.out``, with the responses in the order of the
    records. A file with a record that cannot be used gets no output (one of an earlier run stays as it was); the
    others are still written, and the error comes at the end. Files of any size pass in bounded memory if they are
    split.

    Parameters
    ----------
    model : Model or path
        What `load_model` gives, or its argument.
    input : path or str
        A file, a folder, or ``s3://bucket/prefix``: every object whose key begins so.
    output : path or str
        A folder, which is made, or ``s3://bucket/prefix``.
    content_type : str, optional
        Type of the input; JSON by default.
    accept : str, optional
        Type of the output, by default that of the input; ``"application/jsonlines; verbose=true"`` asks a k-NN
        model for the neighbours.
    split_type : {"None", "Line", "RecordIO"}, optional
        What a record is. "None", the default: a file is one request, and must not be larger than `max_payload`.
    batch_strategy : {"MultiRecord", "SingleRecord"}, optional
        Requests of as many records as fit into `max_payload` (default), or of one. Nothing to a file that is not
        split.
    assemble_with : {"None", "Line"}, optional
        "Line": a newline after each response that has none.
    max_payload : int, default=6
        How large a request may be, in MiB, at most 100; 0: as large as the file.
    max_concurrent_transforms : int, default=1
        Threads that answer requests; times `max_payload` at most 100. The order of the output does not depend on it.
    compression_type : {"None", "Gzip"}, optional
        Of the input.
    data_type : {"S3Prefix", "ManifestFile"}, optional
        What `input` is; "ManifestFile": a JSON list ``[{"prefix": "s3://bucket/prefix/"}, "name", ...]`` of files.
    input_filter, output_filter : str, optional
        JSONPath of what the model gets of a record (JSON, JSON lines, CSV) and of what is written of a result (JSON,
        JSON lines); "$", the default, is all of it. See `JsonPath`.
    join_source : {"None", "Input"}, optional
        "Input": a result is the record as it was, with the model's answer as ``SageMakerOutput``; what is no object
        becomes ``SageMakerInput``. Needs `content_type` and `accept` to be the same, and `split_type` and
        `assemble_with`.
    progress : callable, optional
        Called with the bytes read and the bytes in all.

    Returns
    -------
    TransformResult

    Raises
    ------
    TransformError
        If files failed; those that did not have been written.
    DataError
        If an option is wrong or there is no input.
    OSError
        If the input cannot be listed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from factorec import FMParameters
    >>> from factorec.sagemaker.model import FMModel
    >>> model = FMModel(FMParameters(0.0, np.float32([0, 1]), np.zeros((2, 1), np.float32)), "regressor")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "rows.jsonl").write_text('{"features": [0, 2]}\n{"features": [5, 0]}\n')
    >>> done = transform(
    ...     model, folder / "rows.jsonl", folder, content_type="application/jsonlines", split_type="Line"
    ... )
    >>> print((folder / "rows.jsonl.out").read_text(), end="")
    {"score":2.0}
    {"score":0.0}
    """
    options = TransformOptions.of(
        content_type=content_type,
        accept=accept,
        split_type=split_type,
        batch_strategy=batch_strategy,
        assemble_with=assemble_with,
        max_payload=max_payload,
        max_concurrent_transforms=max_concurrent_transforms,
        compression_type=compression_type,
        data_type=data_type,
        input_filter=input_filter,
        output_filter=output_filter,
        join_source=join_source,
    )
    source, target = fspath(input), fspath(output)
    reader, writer = open_store(source), open_store(target)
    answering = load_model(model) if isinstance(model, (str, PathLike)) else model
    processing = options.processing(answering.content_types)
    if options.data_type == "ManifestFile":
        reader, sources = read_manifest(reader, source)
    else:
        sources = reader.find(source)
        _refuse_output_in_input(source, target, sources)
    if not sources:
        raise DataError(f"{source}: there are no files")
    job = _Job(
        answering, options, processing, reader, writer, target.rstrip("/"), progress, sum(s.size for s in sources)
    )
    job.run(sources)
    if job.failures:
        raise TransformError(job.failures, len(sources))
    return TransformResult(job.outputs, job.n_requests)


def _refuse_output_in_input(source: str, target: str, sources: list[Source]) -> None:
    """The next run would take the outputs for inputs. One file may have its output beside it."""
    if is_s3(source) != is_s3(target) or (len(sources) == 1 and sources[0].path.rstrip("/") == source.rstrip("/")):
        return
    inside = (
        target.startswith(source) if is_s3(source) else _is_below(os.path.realpath(target), os.path.realpath(source))
    )
    if inside:
        raise DataError(f"output {target} is in input {source}, so that the next run would read it; give another place")


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


class _Unzipped(gzip.GzipFile):
    """A gzip file whose damage is one kind of error."""

    def read(self, size: int | None = -1) -> bytes:
        try:
            return super().read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise FormatError(f"not a whole gzip file: {error}") from None


@dataclass
class _Job:
    model: Model
    options: TransformOptions
    processing: DataProcessing
    reader: Store
    writer: Store
    folder: str
    progress: Callable[[int, int], None] | None
    n_bytes: int
    n_done: int = 0
    n_requests: int = 0
    outputs: list[str] = field(default_factory=list)
    failures: dict[str, Exception] = field(default_factory=dict)

    def run(self, sources: list[Source]) -> None:
        """Transform file after file; what is wrong with one does not keep the next."""
        n_threads = self.options.max_concurrent_transforms
        pool = ThreadPoolExecutor(n_threads) if n_threads > 1 else None
        try:
            for source in sources:
                try:
                    target = self.writer.place(self.folder, f"{source.name}.out")
                    with self.writer.write(target) as out:
                        for answer in self._answers(source, pool):
                            out.write(answer)
                    self.outputs.append(target)
                except _FILE_ERRORS as error:
                    self.failures[source.path] = error
                self.n_done += source.size
                self._report(0)
        finally:
            if pool is not None:
                # Without waiting: after Ctrl-C requests may be under way that take seconds.
                pool.shutdown(wait=False, cancel_futures=True)

    def _answers(self, source: Source, pool: ThreadPoolExecutor | None) -> Iterator[bytes]:
        """The responses of a file, in order. With threads, as many requests as there are are read ahead."""
        if pool is None:
            yield from map(self._answer, self._requests(source))
            return
        waiting: deque[Future[bytes]] = deque()
        try:
            for request in self._requests(source):
                waiting.append(pool.submit(self._answer, request))
                if len(waiting) > self.options.max_concurrent_transforms:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _requests(self, source: Source) -> Iterator[Request]:
        options = self.options
        with self.reader.read(source.path) as raw, contextlib.ExitStack() as stack:
            file: BinaryIO = raw
            if options.compression_type == "Gzip":
                file = stack.enter_context(io.BufferedReader(_Unzipped(fileobj=raw), MIB))
            for request in read_requests(file, options.split_type, options.batch_strategy, options.max_bytes):
                yield request
                self.n_requests += 1
                self._report(raw.tell())

    def _answer(self, request: Request) -> bytes:
        try:
            body = self._invoke(b"".join(request.records))
        except RequestError as error:
            raise DataError(self._blame(request, error)) from None
        if self.options.assemble_with == "Line" and not body.endswith(b"\n"):
            body += b"\n"
        return body

    def _invoke(self, body: bytes) -> bytes:
        def answer(request: bytes) -> bytes:
            return invoke(self.model, request, content_type=self.options.content_type, accept=self.options.accept).body

        return self.processing.apply(body, answer)

    def _blame(self, request: Request, error: RequestError) -> str:
        """Name the record of a request that cannot be answered: half after half is tried again."""
        records, numbers = request.records, request.numbers
        while len(records) > 1:
            middle = len(records) // 2
            for part in (slice(middle), slice(middle, None)):
                try:
                    self._invoke(b"".join(records[part]))
                except RequestError as narrower:
                    records, numbers, error = records[part], numbers[part], narrower
                    break
            else:  # each half is good: they cannot be sent together
                return f"records {numbers[0]} to {numbers[-1]}: {error}"
        return str(error) if self.options.split_type == "None" else f"record {numbers[0]}: {error}"

    def _report(self, n_read: int) -> None:
        if self.progress is not None:
            self.progress(min(self.n_done + n_read, self.n_bytes), self.n_bytes)
