"""Promise 8: a file that was tampered with, or is anything at all, is refused or read, and nothing else."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from factorec.errors import FormatError
from factorec.formats import model_file
from factorec.formats.model_file import TensorSpec

SCHEMA = {
    "bias": TensorSpec("float64", ()),
    "linear": TensorSpec("float32", ("n_features",)),
    "factors": TensorSpec("float32", ("n_features", "n_factors")),
    **model_file.csr_schema("rows", "n_rows"),
    **model_file.ids_schema("users", "n_rows"),
}


def read_all(path):
    """Read and use every byte, as a model would."""
    tensors, metadata = model_file.read(path, schema=SCHEMA, classes={"FMClassifier"})
    rows = model_file.unpack_csr(tensors, "rows", n_columns=len(tensors["linear"]))
    ids = model_file.unpack_ids(tensors, "users", rows.shape[0])
    assert all(isinstance(i, str) for i in ids) or ids.dtype == np.int64
    assert all(np.isfinite(tensors[name]).all() for name in ("bias", "linear", "factors"))
    return rows @ tensors["factors"], metadata


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("model") / "model.factorec"
    tensors = {
        "bias": np.array(0.5),
        "linear": rng.normal(size=6).astype(np.float32),
        "factors": rng.normal(size=(6, 3)).astype(np.float32),
        **model_file.pack_csr("rows", np.eye(4, 6)),
        **model_file.pack_ids("users", ["ann", "bob", "çelik", ""]),
    }
    model_file.write(path, tensors, {"class": "FMClassifier", "parameters": {"n_factors": 3}})
    read_all(path)
    return path.read_bytes()


def is_read(path, raw):
    """Whether the bytes are a model; any other error than the one for files fails the test."""
    path.write_bytes(raw)
    try:
        read_all(path)
    except FormatError:
        return False
    return True


def mutate(raw, rng):
    raw = bytearray(raw)
    header_end = 8 + int.from_bytes(raw[:8], "little")
    for _ in range(rng.integers(1, 4)):
        # The header is small and decides everything: most mutations go there.
        end = header_end if rng.random() < 0.8 else len(raw)
        at = int(rng.integers(0, max(1, min(end, len(raw)))))
        match rng.integers(0, 6):
            case 0:
                raw[at] ^= 1 << int(rng.integers(0, 8))
            case 1:
                raw[at] = int(rng.integers(0, 256))
            case 2:
                raw[at] = rng.choice(list(b'0123456789-[]{}",:.eE\\'))
            case 3:
                del raw[at : at + int(rng.integers(1, 9))]
            case 4:
                raw[at:at] = rng.bytes(int(rng.integers(1, 9)))
            case _:
                raw[at : at + 8] = int(rng.integers(-2, 2**20)).to_bytes(8, "little", signed=True)
        if not raw:
            break
    return bytes(raw)


def test_thousands_of_mutations(original, tmp_path):
    rng = np.random.default_rng(20240229)
    read = sum(is_read(tmp_path / "mutated", mutate(original, rng)) for _ in range(4000))
    assert 0 < read < 2000  # changed values and spare spaces are read; most changes are refused


def test_mutations_of_the_header_as_json(original, tmp_path):
    """Well-formed headers with wrong content, which reach further than broken bytes."""
    rng = np.random.default_rng(7)
    end = 8 + int.from_bytes(original[:8], "little")
    values = [0, -1, 1, 2**31, 2**63, 2**64, 1.5, None, [], {}, "", "F32", "I64", "U8", "BOOL"]
    values += [[0], [0, 0], [2**62, 2**62]]
    for _ in range(2000):
        header = json.loads(original[8:end])
        for _ in range(rng.integers(1, 3)):
            name = rng.choice(list(header))
            if name == "__metadata__" or not isinstance(header[name], dict) or rng.random() < 0.1:
                header[name] = values[rng.integers(len(values))]
                continue
            part = rng.choice(["dtype", "shape", "data_offsets"])
            old = header[name].get(part)
            if isinstance(old, list) and old and rng.random() < 0.7:
                old[rng.integers(len(old))] = values[rng.integers(len(values))]
            else:
                header[name][part] = values[rng.integers(len(values))]
        text = json.dumps(header).encode()
        is_read(tmp_path / "mutated", len(text).to_bytes(8, "little") + text + original[end:])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=300))
def test_any_bytes_are_refused(raw, tmp_path):
    assert not is_read(tmp_path / "bytes", raw)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
DTYPES = ["float32", "float64", "int32", "int64", "uint8"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    array=hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, min_side=0)),
    ids=st.lists(TEXT) | st.lists(st.integers(-(2**63), 2**63 - 1)),
    extra=st.recursive(
        st.none() | st.booleans() | NUMBERS | TEXT,
        lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
        max_leaves=10,
    ),
)
def test_what_is_written_is_read(array, ids, extra, tmp_path):
    path = tmp_path / "model"
    model_file.write(path, {"x": array, **model_file.pack_ids("i", ids)}, {"class": "A", "extra": extra})
    schema = {
        "x": TensorSpec(array.dtype.name, array.shape, finite=False),
        **model_file.ids_schema("i", len(ids)),
    }
    tensors, metadata = model_file.read(path, schema=schema, classes={"A"})
    np.testing.assert_array_equal(tensors["x"], array)
    assert model_file.unpack_ids(tensors, "i").tolist() == ids
    assert metadata["extra"] == extra
