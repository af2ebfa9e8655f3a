"""The command ``transform``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from ._app import command


class SplitType(StrEnum):
    """What a record is."""

    none = "None"
    line = "Line"
    recordio = "RecordIO"


class BatchStrategy(StrEnum):
    """How many records a request has."""

    multi = "MultiRecord"
    single = "SingleRecord"


class AssembleWith(StrEnum):
    """What stands between responses."""

    none = "None"
    line = "Line"


class CompressionType(StrEnum):
    """How the input is compressed."""

    none = "None"
    gzip = "Gzip"


class DataType(StrEnum):
    """What the input is."""

    prefix = "S3Prefix"
    manifest = "ManifestFile"


class JoinSource(StrEnum):
    """What a result is joined to."""

    none = "None"
    input = "Input"


@command
def transform(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="model.tar.gz of the managed service or its folder, or .factorec")
    ],
    input: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="A file, a folder or s3://bucket/prefix (credentials: AWS_… variables)."),
    ],
    output: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="A folder or s3://bucket/prefix, for one .out per input file.")
    ],
    content_type: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Of the input: application/json (default), application/jsonlines, …"),
    ] = None,
    accept: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help='Type of the output, such as "application/jsonlines; verbose=true".'),
    ] = None,
    split_type: Annotated[
        SplitType, typer.Option(help="What a record is; None: a file is one request.")
    ] = SplitType.none,
    batch_strategy: Annotated[
        BatchStrategy, typer.Option(help="Requests of many records or of one.")
    ] = BatchStrategy.multi,
    assemble_with: Annotated[
        AssembleWith, typer.Option(help="Line: a newline after a response that has none.")
    ] = AssembleWith.none,
    max_payload: Annotated[int, typer.Option(min=0, max=100, help="MiB of a request; 0: whole files of any size.")] = 6,
    max_concurrent_transforms: Annotated[
        int, typer.Option(min=1, max=100, help="Requests that are answered at a time.")
    ] = 1,
    compression_type: Annotated[CompressionType, typer.Option(help="Of the input.")] = CompressionType.none,
    data_type: Annotated[DataType, typer.Option(help="What INPUT is: files, or a list of files.")] = DataType.prefix,
    input_filter: Annotated[str, typer.Option(help="JSONPath of what the model gets of a record.")] = "$",
    output_filter: Annotated[str, typer.Option(help="JSONPath of what is written of a result.")] = "$",
    join_source: Annotated[
        JoinSource, typer.Option(help="Input: write records with the answer as SageMakerOutput.")
    ] = JoinSource.none,
) -> None:
    """Send files through a model, as the managed service's batch transform does."""
    from . import transforming

    transforming.transform(
        model,
        input,
        output,
        content_type=content_type,
        accept=accept,
        split_type=split_type.value,
        batch_strategy=batch_strategy.value,
        assemble_with=assemble_with.value,
        max_payload=max_payload,
        max_concurrent_transforms=max_concurrent_transforms,
        compression_type=compression_type.value,
        data_type=data_type.value,
        input_filter=input_filter,
        output_filter=output_filter,
        join_source=join_source.value,
    )
