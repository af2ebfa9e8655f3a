"""Filters and joins around a model, and the paths that they are written in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from factorec.errors import DataError, FormatError
from factorec.sagemaker import KNN, transform
from factorec.sagemaker.batch_transform import TransformError
from factorec.sagemaker.batch_transform.json_path import JsonPath

JSON, JSON_LINES = "application/json", "application/jsonlines"
DOCUMENT = {"id": 7, "in": {"a b": [1, 2, 3], "list": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]}, "SageMakerOutput": 0.5}


@pytest.mark.parametrize(
    ("path", "selected"),
    [
        ("$", DOCUMENT),
        ("$.id", 7),
        ("$['id']", 7),
        ('$["in"]["a b"]', [1, 2, 3]),
        ("$.in['a b'][0]", 1),
        ("$.in['a b'][-1]", 3),
        ("$.in['a b'][ 2, 0 ]", [3, 1]),
        ("$.in['a b'][1:]", [2, 3]),
        ("$.in['a b'][:2]", [1, 2]),
        ("$.in['a b'][0:2]", [1, 2]),
        ("$.in['a b'][:-1]", [1, 2]),
        ("$.in['a b'][7:]", []),
        ("$.in['a b'][*]", [1, 2, 3]),
        ("$['id','SageMakerOutput']", {"id": 7, "SageMakerOutput": 0.5}),
        ("$.['id']", 7),
        ("$.in.list[*].x", [1, 3]),
        ("$.in.list[0:1].y", [2]),
        ("$.in.list[*].*", [1, 2, 3, 4]),
        ("$.in.list[1]['y','x']", {"y": 4, "x": 3}),
    ],
)
def test_paths(path, selected):
    assert JsonPath(path).select(DOCUMENT) == selected


@pytest.mark.parametrize("path", ["", "id", "$id", "$.", "$[", "$[]", "$[a]", "$['a]", "$..a", "$[1,'a']", "$[0,1:2]"])
def test_what_is_no_path(path):
    with pytest.raises(DataError, match="filter"):
        JsonPath(path)
    with pytest.raises(DataError, match="63 characters"):
        JsonPath("$." + "a" * 62)


@pytest.mark.parametrize(
    "path", ["$.nothing", "$.in['a b'][3]", "$.in['a b'][-4]", "$.id[0]", "$.id.x", "$['id','no']"]
)
def test_what_is_not_there(path):
    with pytest.raises(DataError, match="there is no"):
        JsonPath(path).select(DOCUMENT)


def rows(n: int) -> list[list[float]]:
    return np.random.default_rng(0).normal(size=(n, 7)).round(3).tolist()


def scores(model, instances) -> list[dict]:
    predicted = model.predict(np.float32(instances))
    return [
        dict(zip(predicted, row, strict=True)) for row in zip(*(v.tolist() for v in predicted.values()), strict=True)
    ]


def run(model, tmp_path: Path, body: str, **options) -> str:
    (tmp_path / "x").write_text(body)
    [out] = transform(model, tmp_path / "x", tmp_path, **options).outputs
    return Path(out).read_text()


@pytest.mark.parametrize("batch_strategy", ["MultiRecord", "SingleRecord"])
def test_records_are_joined_as_they_were_before_the_filter(classifier, tmp_path, batch_strategy):
    records = [{"id": f"é{i}", "row": {"features": row}} for i, row in enumerate(rows(5))]
    body = "\n".join(json.dumps(record) for record in records)
    options = {"content_type": JSON_LINES, "split_type": "Line", "assemble_with": "Line", "join_source": "Input"}
    options |= {"input_filter": "$.row", "batch_strategy": batch_strategy}
    lines = run(classifier, tmp_path, body, **options).splitlines()
    expected = [r | {"SageMakerOutput": s} for r, s in zip(records, scores(classifier, rows(5)), strict=True)]
    assert list(map(json.loads, lines)) == expected
    lines = run(classifier, tmp_path, body, output_filter="$['id','SageMakerOutput']", **options).splitlines()
    assert list(map(json.loads, lines)) == [{k: v for k, v in row.items() if k != "row"} for row in expected]


def test_a_document_is_one_record(regressor, tmp_path):
    document = {"name": "batch", "instances": [{"features": row} for row in rows(3)]}
    predictions = {"predictions": scores(regressor, rows(3))}
    body = json.dumps(document)
    assert json.loads(run(regressor, tmp_path, body, join_source="Input")) == document | {
        "SageMakerOutput": predictions
    }
    only = run(regressor, tmp_path, body, output_filter="$.predictions[*].score")
    assert json.loads(only) == [row["score"] for row in predictions["predictions"]]


def test_columns_of_csv_are_filtered(tmp_path):
    knn = KNN({"k": "1", "sample_size": "2", "predictor_type": "regressor"}).fit(np.float32([[0, 1], [5, 5]]), [1, 2])
    options = {"content_type": "text/csv", "accept": JSON_LINES, "split_type": "Line"}
    body = '"user, the first",0,1\n\nb,6,5\n'
    assert run(knn, tmp_path, body, input_filter="$[1:]", output_filter="$.predicted_label", **options) == "1.0\n2.0\n"
    assert run(knn, tmp_path, body, input_filter="$[-2,-1]", **options).count("predicted_label") == 2
    with pytest.raises(DataError, match="join_source Input needs content_type and accept to be the same"):
        run(knn, tmp_path, body, join_source="Input", assemble_with="Line", **options)


def test_a_record_without_what_a_filter_wants_fails_its_file(classifier, tmp_path):
    body = "\n".join([json.dumps({"row": {"features": row}}) for row in rows(5)] + ['{"features": [1]}'])
    options = {"content_type": JSON_LINES, "split_type": "Line", "input_filter": "$.row"}
    (tmp_path / "x").write_text(body)
    with pytest.raises(TransformError, match=r"record 6: .*filter '\$\.row': there is no 'row'"):
        transform(classifier, tmp_path / "x", tmp_path / "out", **options)
    (tmp_path / "x").write_text(body.splitlines()[0])
    with pytest.raises(TransformError, match=r"record 1: .*there is no 'nothing'"):
        transform(classifier, tmp_path / "x", tmp_path / "out", output_filter="$.nothing", **options)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"join_source": "input"}, "join_source must be"),
        ({"join_source": "Input", "split_type": "Line"}, "split_type and assemble_with to be the same"),
        ({"join_source": "Input", "assemble_with": "Line"}, "split_type and assemble_with to be the same"),
        ({"join_source": "Input", "accept": JSON_LINES}, "content_type and accept to be the same"),
        ({"output_filter": "x"}, "does not begin with"),
        ({"content_type": "application/x-recordio-protobuf", "input_filter": "$.a"}, "need content_type to be"),
        ({"accept": "application/x-recordio-protobuf", "output_filter": "$.a"}, "need accept to be"),
    ],
)
def test_wrong_options(classifier, tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        run(classifier, tmp_path, "{}", **options)


def test_manifest(classifier, tmp_path):
    (tmp_path / "data" / "deep").mkdir(parents=True)
    names = ["deep/b.jsonl", "a.jsonl"]
    for name in [*names, "not-listed.jsonl"]:
        (tmp_path / "data" / name).write_text(json.dumps({"features": rows(1)[0]}))
    manifest = tmp_path / "manifest"
    manifest.write_text(json.dumps([{"prefix": str(tmp_path / "data")}, *names]))
    options = {"content_type": JSON_LINES, "data_type": "ManifestFile"}
    outputs = transform(classifier, manifest, tmp_path / "out", **options).outputs
    assert outputs == [str(tmp_path / "out" / f"{name}.out") for name in names]
    for bad in ["[]", "{}", "x", '["a"]', '[{"prefix": 1}]', '[{"prefix": "/tmp"}, 1]', '[{"prefix": "/tmp"}, "../x"]']:
        manifest.write_text(bad)
        with pytest.raises(FormatError, match="manifest"):
            transform(classifier, manifest, tmp_path / "out", **options)
    manifest.write_text(json.dumps([{"prefix": str(tmp_path)}, "nothing"]))
    with pytest.raises(FileNotFoundError):
        transform(classifier, manifest, tmp_path / "out", **options)
