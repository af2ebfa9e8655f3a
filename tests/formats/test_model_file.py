"""The model file: what goes in comes out, and promise 8 (safe to load, written atomically)."""

import json
import mmap
import os

import numpy as np
import pytest
from safetensors import safe_open

from factorec.errors import DataError, FormatError
from factorec.formats import model_file
from factorec.formats.model_file import TensorSpec

CLASSES = {"FMClassifier", "FMRegressor"}
SCHEMA = {
    "bias": TensorSpec("float64", ()),
    "linear": TensorSpec("float32", ("n_features",)),
    "factors": TensorSpec("float32", ("n_features", "n_factors")),
    "penalties": TensorSpec("float64", ("n_features",), optional=True),
}
METADATA = {"class": "FMClassifier", "parameters": {"n_factors": 4, "l2": 0.05, "name": "é"}, "fields": ["a"]}


def make_tensors(n=11, k=4):
    rng = np.random.default_rng(0)
    return {
        "bias": np.array(0.25),
        "linear": rng.normal(size=n).astype(np.float32),
        "factors": rng.normal(size=(n, k)).astype(np.float32),
        "penalties": rng.random(n),
    }


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.factorec"


@pytest.fixture
def written(path):
    model_file.write(path, make_tensors(), METADATA)
    return path


def read(path, schema=SCHEMA, classes=CLASSES):
    return model_file.read(path, schema=schema, classes=classes)


def rewrite(path, change):
    """Change the header of a file, whose arrays stay as they are."""
    raw = path.read_bytes()
    end = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:end])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[end:])


def test_round_trip(written):
    tensors, metadata = read(written)
    for name, expected in make_tensors().items():
        assert tensors[name].dtype == expected.dtype
        np.testing.assert_array_equal(tensors[name], expected)
    assert metadata.pop("library_version")
    assert metadata == METADATA


def test_arrays_are_read_only_views_of_the_mapped_file(written):
    tensors, _ = read(written)
    for array in tensors.values():
        assert array.flags.aligned
        assert not array.flags.writeable
        assert not array.flags.owndata
    base = tensors["factors"]
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)


def test_views_outlive_a_replaced_file(written):
    tensors, _ = read(written)
    model_file.write(written, make_tensors(n=3), METADATA)
    np.testing.assert_array_equal(tensors["factors"], make_tensors()["factors"])
    assert read(written)[0]["factors"].shape == (3, 4)


def test_the_reference_reader_reads_it(written):
    with safe_open(written, framework="np") as handle:
        assert sorted(handle.keys()) == sorted(SCHEMA)
        assert handle.metadata()["format"] == "factorec"
        assert handle.metadata()["version"] == "1"
        np.testing.assert_array_equal(handle.get_tensor("factors"), make_tensors()["factors"])


def test_layouts_that_numpy_knows(path):
    """Transposed, strided, big-endian and empty arrays, and one without a dimension."""
    tensors = {
        "linear": np.arange(12, dtype=">f4")[::2],
        "factors": np.asfortranarray(np.arange(24, dtype=np.float32).reshape(6, 4)),
        "bias": np.float64(2.5),
    }
    model_file.write(path, tensors, METADATA)
    got, _ = read(path)
    for name, expected in tensors.items():
        np.testing.assert_array_equal(got[name], expected)
    model_file.write(path, {"bias": 0.0, "linear": np.zeros(0, "f4"), "factors": np.zeros((0, 4), "f4")}, METADATA)
    assert read(path)[0]["factors"].shape == (0, 4)


def test_same_content_same_bytes(written):
    first = written.read_bytes()
    model_file.write(written, dict(reversed(make_tensors().items())), METADATA)
    assert written.read_bytes() == first


def test_schema_from_metadata(written):
    def schema(metadata):
        return SCHEMA | {"factors": TensorSpec("float32", ("n_features", metadata["parameters"]["n_factors"]))}

    assert read(written, schema)[0]["factors"].shape == (11, 4)


def test_golden_file_of_version_1(tmp_path):
    """A file of version 1, byte by byte: what every later version must still read."""
    text = (
        b'{"__metadata__":{"format":"factorec","version":"1","library_version":"0.1.0",'
        b'"class":"\\"FMRegressor\\""},"linear":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    )
    path = tmp_path / "golden.factorec"
    path.write_bytes(len(text).to_bytes(8, "little") + text + np.array([1.5, -2], "<f4").tobytes())
    tensors, metadata = read(path, {"linear": TensorSpec("float32", (2,))})
    assert tensors["linear"].tolist() == [1.5, -2]
    assert metadata == {"class": "FMRegressor", "library_version": "0.1.0"}


def test_unaligned_array_of_another_writer_is_copied(path):
    text = (
        b'{"__metadata__":{"format":"factorec","version":"1","class":"\\"FMRegressor\\""},'
        b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"linear":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}'
    )
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\7" + np.array([1.5, -2], "<f4").tobytes())
    tensors, _ = read(path, {"a": TensorSpec("uint8", (1,)), "linear": TensorSpec("float32", (2,))})
    assert tensors["linear"].flags.aligned
    assert not tensors["linear"].flags.writeable
    assert tensors["linear"].tolist() == [1.5, -2]


# ---- what is refused ----


def set_metadata(key, value):
    def change(header):
        header["__metadata__"][key] = value

    return change


def replace_tensor(name, **parts):
    def change(header):
        header[name] |= parts

    return change


REFUSED = {
    "newer version": (set_metadata("version", "2"), "format version 2 is newer than 1"),
    "huge version": (set_metadata("version", "9" * 5000), "is not a positive integer"),
    "no version": (lambda h: h["__metadata__"].pop("version"), "'' is not a positive integer"),
    "negative version": (set_metadata("version", "-1"), "'-1' is not a positive integer"),
    "other format": (set_metadata("format", "pt"), "its format is 'pt'"),
    "no metadata": (lambda h: h.pop("__metadata__"), "its format is None"),
    "other class": (set_metadata("class", '"os.system"'), "holds 'os.system', expected FMClassifier or"),
    "class is a list": (set_metadata("class", "[]"), r"holds \[\], expected"),
    "class is missing": (lambda h: h["__metadata__"].pop("class"), "holds None"),
    "not JSON": (set_metadata("fields", "{"), "metadata 'fields' is not JSON"),
    "NaN in JSON": (set_metadata("fields", "NaN"), "metadata 'fields' is not JSON"),
    "overflow in JSON": (set_metadata("fields", "1e999"), "metadata 'fields' is not JSON"),
    "deep JSON": (set_metadata("fields", "[" * 100_000), "metadata 'fields' is not JSON"),
    "long number": (set_metadata("fields", "9" * 100_000), "metadata 'fields' is not JSON"),
    "half a surrogate": (set_metadata("fields", '"\\ud800"'), "metadata 'fields' is not JSON"),
    "renamed": (lambda h: h.update(other=h.pop("linear")), "unknown array 'other'"),
    "other type": (replace_tensor("linear", dtype="I32"), "'linear' has the dtype int32, expected float32"),
    "unknown type": (replace_tensor("factors", dtype="BF16", shape=[22, 4]), "'factors' has the type BF16"),
    "wrong shape": (replace_tensor("factors", shape=[4, 11]), r"n_factors\) with n_features = 11"),
    "wrong dimensions": (replace_tensor("factors", shape=[44]), r"has the shape \(44,\), expected"),
    "too large": (replace_tensor("factors", shape=[11, 400]), "not a whole safetensors file"),
    "overflowing shape": (replace_tensor("factors", shape=[2**62, 4]), "not a whole safetensors file"),
    "zero times huge": (
        lambda h: h.update(penalties={"dtype": "F64", "shape": [0, 2**60], "data_offsets": [316, 316]}),
        "not a whole safetensors file|larger than the file",
    ),
    "overlap": (replace_tensor("linear", data_offsets=[0, 44]), "not a whole safetensors file"),
    "negative offset": (replace_tensor("linear", data_offsets=[-44, 0]), "not a whole safetensors file"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(written, case):
    change, message = REFUSED[case]
    rewrite(written, change)
    with pytest.raises(FormatError, match=message) as caught:
        read(written)
    assert str(written) in str(caught.value)
    assert len(str(caught.value)) < 600


def test_huge_dimension_beside_a_zero(path):
    model_file.write(path, {"linear": np.zeros(0, np.float32).reshape(0)}, METADATA)
    rewrite(path, replace_tensor("linear", shape=[0, 2**60]))
    with pytest.raises(FormatError, match="larger than the file"):
        read(path, {"linear": TensorSpec("float32", ("a", "b"))})


def test_missing_array(path):
    tensors = make_tensors()
    del tensors["factors"]
    model_file.write(path, tensors, METADATA)
    with pytest.raises(FormatError, match="array 'factors' is missing"):
        read(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(path, value):
    tensors = make_tensors()
    tensors["factors"][7, 2] = value
    model_file.write(path, tensors, METADATA)
    with pytest.raises(FormatError, match=r"array 'factors' is not finite at \[7, 2\]"):
        read(path)
    loose = SCHEMA | {"factors": TensorSpec("float32", ("n_features", "n_factors"), finite=False)}
    assert np.isnan(read(path, loose)[0]["factors"][7, 2]) == np.isnan(value)


def test_truncated_at_every_length(written):
    raw = written.read_bytes()
    for length in range(len(raw)):
        written.write_bytes(raw[:length])
        with pytest.raises(FormatError, match=r"model\.factorec"):
            read(written)
    written.write_bytes(raw + b"\0")
    with pytest.raises(FormatError):
        read(written)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**40, model_file.MAX_HEADER_BYTES + 1])
def test_header_bomb_takes_no_memory(path, length):
    """A sparse file of 200 MB whose header claims to be as long: refused before it is read."""
    with open(path, "wb") as file:
        file.write(length.to_bytes(8, "little"))
        file.truncate(200_000_000)
    with pytest.raises(FormatError, match=f"a header of {length} bytes"):
        read(path)


def test_no_file_and_no_regular_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none")
    with pytest.raises(OSError):
        read(tmp_path)


# ---- what cannot be written ----


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({"a": np.array(["x"])}, {"class": "A"}, "array 'a' has dtype <U1"),
        ({"a": np.array([None])}, {"class": "A"}, "array 'a' has dtype object"),
        ({"a": np.zeros(1, complex)}, {"class": "A"}, "array 'a' has dtype complex128"),
        ({}, {}, "metadata need an entry 'class'"),
        ({}, {"class": "A", "version": "9"}, "metadata cannot have the key 'version'"),
        ({}, {"class": "A", "x": float("nan")}, "metadata 'x' cannot be written as JSON"),
        ({}, {"class": "A", "x": {1, 2}}, "metadata 'x' cannot be written as JSON"),
        ({}, {"class": "A", "x": "\ud800"}, "metadata 'x' cannot be written as JSON"),
        ({}, {"class": "A", "x": "y" * 2_000_000}, "at most 1048576 can be read back"),
    ],
)
def test_unwritable(path, tensors, metadata, message):
    with pytest.raises(DataError, match=message):
        model_file.write(path, tensors, metadata)
    assert os.listdir(path.parent) == []
