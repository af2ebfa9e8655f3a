"""Artifacts from hands that one need not trust: nothing leaves its folder, nothing grows beyond limits or crashes."""

import gzip
import io
import os
import random
import struct
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest

from factorec.errors import FormatError
from factorec.formats._archive import read_files
from factorec.formats._limits import default_limit
from factorec.formats.artifact import read_artifact
from factorec.formats.fm_artifact import read_fm_artifact, write_fm_artifact
from factorec.formats.knn_artifact import write_knn_artifact

CONTENT = {"model_algo-1": b"one", "model_algo-1.json": b"two" * 1000, "other": b"three"}


def wanted(name):
    return name.startswith("model")


def tar_of(members, form=tarfile.GNU_FORMAT, mode="w"):
    """Members: name and content, or name and a dict of attributes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=form) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            data = content if isinstance(content, bytes) else content.get("data", b"")
            for key, value in {} if isinstance(content, bytes) else content.items():
                if key != "data":
                    setattr(member, key, value)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def zip_of(members, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def read(tmp_path):
    def read(raw, max_size=None):
        path = tmp_path / "archive"
        path.write_bytes(raw)
        return read_files(path, wanted, max_size)[0]

    return read


@pytest.fixture
def model(tmp_path):
    """Bytes of a small artifact: gzip, tar, zip, params."""
    path = tmp_path / "original.tar.gz"
    factors = np.arange(6, dtype=np.float32).reshape(3, 2)
    write_fm_artifact(path, 0.5, factors[:, 0].copy(), factors, predictor_type="regressor", hyperparameters={})
    return path.read_bytes()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("folder", ["", "./", "job-1/", "d" * 70 + "/" + "e" * 70 + "/"])
def test_every_form_of_tar_is_read(read, form, mode, folder):
    members = [(folder + name, {"data": data, "mtime": 1.5}) for name, data in CONTENT.items()]
    if folder:
        members.insert(0, (folder, {"type": tarfile.DIRTYPE, "mode": 0o755}))
    files = read(tar_of(members, form, mode))
    assert files == {name: data for name, data in CONTENT.items() if wanted(name)}


def test_zips_and_gzip_in_parts_are_read(read):
    expected = {name: data for name, data in CONTENT.items() if wanted(name)}
    assert read(zip_of(CONTENT.items())) == expected
    assert read(zip_of([("a/", b""), *((f"a/{name}", data) for name, data in CONTENT.items())])) == expected
    raw = tar_of(CONTENT.items())
    assert read(gzip.compress(raw[:700]) + gzip.compress(raw[700:])) == expected


@pytest.mark.parametrize("name", ["../model", "/model", "a/../../model", "..", "..\\model"])
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_that_would_leave_the_folder(read, tmp_path, name, form):
    before = sorted(os.listdir(tmp_path.parent))
    for long in ("", "x" * 150 + "/"):  # in the header itself, and in an extended one
        with pytest.raises(FormatError, match=r"offset [0-9]+: .* would be unpacked outside its folder"):
            read(tar_of([("model", b"1"), (long + name if long == "" else f"../{long}{name}", b"2")], form))
    with pytest.raises(FormatError, match=r"offset [0-9]+: .* would be unpacked outside its folder"):
        read(zip_of([("model", b"1"), (name, b"2")]))
    assert sorted(os.listdir(tmp_path.parent)) == before


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.FIFOTYPE, "a pipe"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (b"V", "of an unknown kind"),
        (tarfile.GNUTYPE_SPARSE, "of an unknown kind"),
    ],
)
def test_links_and_devices(read, kind, what):
    raw = tar_of([("model", b"1"), ("link", {"type": kind, "linkname": "/etc/passwd"})])
    with pytest.raises(FormatError, match=f"offset 1024: 'link' is {what}"):
        read(raw)


def test_links_in_zips(read):
    entry = zipfile.ZipInfo("model")
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(FormatError, match="'model' is a link or a device"):
        read(buffer.getvalue())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_given_twice(read):
    with pytest.raises(FormatError, match="offset 1024: 'model' occurs twice"):
        read(tar_of([("model", b"1"), ("a/model", b"2")]))
    with pytest.raises(FormatError, match="'model' occurs twice"):
        read(zip_of([("model", b"1"), ("model", b"2")]))


def test_what_unpacks_to_more_than_the_limit(read):
    zeros = bytes(8 << 20)
    bomb = gzip.compress(tar_of([("unwanted", zeros)]))
    assert len(bomb) < 20_000
    with pytest.raises(FormatError, match=r"would unpack to more than 1048576 bytes; .* give max_size="):
        read(bomb, max_size=1 << 20)
    assert read(bomb, max_size=9 << 20) == {}
    assert read(bomb) == {}
    one_over = zip_of([("model", bytes(1000)), ("model_2", bytes(25))])
    assert len(read(one_over, max_size=1025)) == 2
    with pytest.raises(FormatError, match="'model_2' would unpack to more than"):
        read(one_over, max_size=1024)
    assert default_limit(100) == 256 << 20
    assert default_limit(1 << 30) == 100 << 30


def test_memory_stays_within_the_limit(read):
    raw = gzip.compress(tar_of([("model", bytes(64 << 20))]))
    tracemalloc.start()
    with pytest.raises(FormatError, match="would unpack"):
        read(raw, max_size=4 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20


def test_sizes_that_headers_only_claim(read):
    """Terabytes in a header, a few bytes behind it: refused, and never allocated."""
    member = tarfile.TarInfo("model")
    member.size = 1 << 42
    tar = member.tobuf(tarfile.GNU_FORMAT) + b"few bytes"
    extended = tarfile.TarInfo("././@PaxHeader")
    extended.type, extended.size = b"x", 1 << 42
    lying = bytearray(zip_of([("model", b"1234")], zipfile.ZIP_STORED))
    for at in (lying.index(b"PK\3\4") + 18, lying.index(b"PK\1\2") + 20):
        lying[at : at + 8] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)
    tracemalloc.start()
    with pytest.raises(FormatError, match="offset 521: the archive ends inside 'model'"):
        read(tar)
    with pytest.raises(FormatError, match="an extended header of 4398046511104 bytes"):
        read(extended.tobuf(tarfile.GNU_FORMAT) + b"few bytes")
    with pytest.raises(FormatError, match="'model': a damaged archive"):
        read(bytes(lying))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_a_zip_of_a_million_names(read):
    entry = b"PK\1\2" + bytes(42)
    raw = b"PK\3\4" + entry * 200_000
    raw += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(entry) * 200_000, 4, 0)
    with pytest.raises(FormatError, match="more than 1000 files"):
        read(raw)


def test_methods_that_are_not_read(read):
    with pytest.raises(FormatError, match="another method than deflate"):
        read(zip_of([("model", bytes(100))], zipfile.ZIP_LZMA))
    encrypted = bytearray(zip_of([("model", b"1")]))
    encrypted[encrypted.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(FormatError, match="encrypted"):
        read(bytes(encrypted))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: b"", "offset 0: neither a tar archive"),
        (lambda raw: b"hello world" * 100, "offset 0: neither a tar archive"),
        (lambda raw: raw[:148] + b"9" + raw[149:], "offset 0: .* is not a number"),
        (lambda raw: b"n" + raw[1:], "offset 0: not a tar header: its checksum is wrong"),
        (lambda raw: raw[:300], "offset 0: the archive ends inside a header"),
        (lambda raw: raw[:514], "offset 514: the archive ends inside 'model'"),
        (lambda raw: gzip.compress(raw)[:-9], "a damaged archive"),
        (lambda raw: gzip.compress(raw)[:-8] + bytes(8), r"a damaged archive \(CRC check failed"),
        (lambda raw: b"\x1f\x8b" + bytes(100), "a damaged archive"),
        (lambda raw: zip_of([("model", b"1")])[:-1], "a damaged archive"),
        (lambda raw: zip_of([("model", b"123")], zipfile.ZIP_STORED).replace(b"123", b"124", 1), "damaged.*CRC"),
    ],
)
def test_damage_is_named(read, damage, message):
    with pytest.raises(FormatError, match=message):
        read(damage(tar_of([("model", b"1")])))


def test_damaged_extended_headers(read):
    good = tar_of([("x" * 150, b"1")], tarfile.PAX_FORMAT)
    assert b"path=" in good
    for bad in (good.replace(b"160 path=", b"999 path="), good.replace(b"160 path=", b"009 path="), b"160 pathx"):
        bad = bad if len(bad) > 100 else good.replace(b"160 path=", bad)
        assert bad != good
        with pytest.raises(FormatError, match="offset 512: an extended header is damaged"):
            read(bad)


def test_what_is_no_plain_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "params")
    with pytest.raises(FormatError, match="params is not a plain file"):
        read_fm_artifact(tmp_path)
    with pytest.raises(FormatError, match="params is not a plain file"):
        read_fm_artifact(tmp_path / "params")
    with pytest.raises(FormatError, match="null is not a plain file"):
        read_fm_artifact("/dev/null")
    with pytest.raises(FileNotFoundError):
        read_fm_artifact(tmp_path / "missing")


def test_zeros_between_stored_rows_count(tmp_path):
    """A row-sparse array of 10 billion rows with none stored: 66 bytes of file, terabytes of zeros."""
    shape = struct.pack("<i2q", 2, 10**10, 64)
    array = struct.pack("<Ii", 0xF993FAC9, 1) + struct.pack("<i2q", 2, 0, 64) + shape
    array += struct.pack("<iiiiiq", 1, 0, 0, 6, 1, 0)
    name = struct.pack("<QQ", 1, 5) + b"arg:v"
    (tmp_path / "params").write_bytes(struct.pack("<QQQ", 0x112, 0, 1) + array + name)
    with pytest.raises(
        FormatError, match=r"'v' of shape \(10000000000, 64\) would unpack to more than 268435456 bytes"
    ):
        read_fm_artifact(tmp_path)
    (tmp_path / "params").write_bytes(
        struct.pack("<QQQ", 0x112, 0, 1) + array.replace(shape, struct.pack("<i2q", 2, 9, 64)) + name
    )
    assert not read_fm_artifact(tmp_path).factors.any()
    with pytest.raises(FormatError, match="give max_size="):
        read_fm_artifact(tmp_path, max_size=1000)


def is_read(path, raw):
    """Whether the bytes are an artifact; any error but ours fails the test."""
    path.write_bytes(raw)
    try:
        read_artifact(path)
    except FormatError:
        return False
    return True


def test_every_truncation(model, tmp_path):
    assert not any(is_read(tmp_path / "x", model[:size]) for size in range(len(model)))


def mutate(raw, rng):
    data = bytearray(raw)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at : at + 4] = rng.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"PK\1\2"])
            case 2:
                del data[at : at + rng.randint(1, 600)]
            case _:
                data[at:at] = rng.randbytes(rng.randint(1, 9))
        if not data:
            break
    return bytes(data)


def with_checksums(raw):
    """Repair the sums of all tar headers that still look like one, so that mutations reach behind them."""
    data = bytearray(raw)
    for at in range(0, len(data) - 511, 512):
        if data[at + 257 : at + 262] == b"ustar":
            data[at + 148 : at + 156] = b" " * 8
            data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    return bytes(data)


@pytest.mark.parametrize("layer", ["gzip", "tar", "zip", "params", "knn"])
def test_thousands_of_mutations_of_every_layer(model, tmp_path, layer):
    rng = random.Random(layer)
    tar = gzip.decompress(model)
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        inner = archive.extractfile("model_algo-1").read()
    files = {name: zipfile.ZipFile(io.BytesIO(inner)).read(name) for name in ("symbol.json", "params", "meta.json")}
    knn = tmp_path / "knn"
    write_knn_artifact(knn, np.eye(3, dtype=np.float32), [1, 2, 3], k=2, predictor_type="classifier", metric="L2")
    knn = gzip.decompress(knn.read_bytes())
    counts = [0, 0]
    for _ in range(1500):
        match layer:
            case "gzip":
                raw = mutate(model, rng)
            case "tar":
                raw = with_checksums(mutate(tar, rng))
            case "zip":
                raw = mutate(inner, rng)
            case "knn":
                raw = with_checksums(mutate(knn, rng))
            case "params":
                name = rng.choice(list(files))
                raw = zip_of((files | {name: mutate(files[name], rng)}).items())
        counts[is_read(tmp_path / "x", raw)] += 1
    assert sum(counts) == 1500
    assert counts[0] > 300
