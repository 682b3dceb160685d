"""The file format: what goes in comes out bit for bit, and whatever else is in a file is refused in one way."""
import io as memory
import json
import os
import pickle
import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastrnn import io
from fastrnn.io import ModelFileError

CONFIG = {"n_a": 3, "rate": 0.1, "names": ["a", "ü"], "deep": {"none": None, "yes": True}}
ARRAYS = {"weight_ih_l0": np.arange(12.0).reshape(3, 4), "layers.0/bias": np.float32([1, -0.0, np.nan])}


def npz(header, *members):
    """A file's bytes: a header (an object for JSON, or bytes) and members (name, content)."""
    file = memory.BytesIO()
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in [("fastrnn.json.npy", npy(np.frombuffer(header, np.uint8))), *members]:
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def npy(array, **kwargs):
    file = memory.BytesIO()
    np.lib.format.write_array(file, array, **kwargs)
    return file.getvalue()


def header(*names, **changes):
    return {"format": "fastrnn", "version": 1, "kind": "K", "config": {}, "arrays": list(names), **changes}


def refused(path, content, words):
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=words) as caught:
        io.load(path)
    assert str(caught.value).startswith(str(path))


# ---- what goes in comes out -------------------------------------------------------------------------

@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("code", "?bhilqBHILQefdgFDG")
def test_every_dtype_bit_for_bit(tmp_path, code, order):
    dtype = np.dtype(code).newbyteorder(order)
    rng = np.random.default_rng(0)
    # Any bytes are numbers, NaNs with payloads among them; but not any byte is a bool.
    whole = rng.integers(0, 2 if code == "?" else 256, 6 * dtype.itemsize, np.uint8).view(dtype).reshape(2, 3)
    arrays = {"whole": whole, "fortran": np.asfortranarray(whole), "strided": whole[:, ::-2],
              "scalar": whole[:1, :1].reshape(()), "empty": whole[:, :0], "unaligned": unaligned(whole)}
    io.save(tmp_path / "m", "K", {}, arrays)
    _, _, loaded = io.load(tmp_path / "m")
    assert list(loaded) == list(arrays)
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype and loaded[name].shape == array.shape
        assert loaded[name].tobytes() == array.tobytes(), name
        assert loaded[name].flags.writeable and loaded[name].flags.aligned and loaded[name].flags.owndata


def unaligned(array):
    bytes_ = np.zeros(array.nbytes + 1, np.uint8)
    bytes_[1:] = np.frombuffer(array.tobytes(), np.uint8)
    return bytes_[1:].view(array.dtype).reshape(array.shape)


def test_kind_and_config(tmp_path):
    io.save(tmp_path / "m.npz", "Kind é", CONFIG, ARRAYS)
    kind, config, arrays = io.load(tmp_path / "m.npz")
    assert (kind, config, list(arrays)) == ("Kind é", CONFIG, list(ARRAYS))
    io.save(tmp_path / "none.npz", "K", {}, {})
    assert io.load(str(tmp_path / "none.npz")) == ("K", {}, {})


def test_larger_than_a_chunk(tmp_path):
    array = np.random.default_rng(0).standard_normal(300_001)
    io.save(tmp_path / "m", "K", {}, {"w": array})
    assert np.array_equal(io.load(tmp_path / "m")[2]["w"], array)


def test_numpy_reads_it_too(tmp_path):
    io.save(tmp_path / "m.npz", "K", CONFIG, ARRAYS)
    with np.load(tmp_path / "m.npz", allow_pickle=False) as file:
        assert set(file.files) == {"fastrnn.json", *ARRAYS}
        assert json.loads(file["fastrnn.json"].tobytes())["config"] == CONFIG
        for name, array in ARRAYS.items():
            assert file[name].tobytes() == array.tobytes()


# ---- how it is written ------------------------------------------------------------------------------

def test_same_content_same_bytes(tmp_path):
    for name in "ab":
        io.save(tmp_path / name, "K", CONFIG, ARRAYS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("name", ["model", "model.npz", "model.bin", "модель"])
def test_the_exact_path_and_nothing_else(tmp_path, name):
    io.save(tmp_path / name, "K", CONFIG, ARRAYS)
    io.save(str(tmp_path / name), "K", {}, ARRAYS)
    io.save(os.fsencode(tmp_path / name), "K", {}, ARRAYS)
    assert os.listdir(tmp_path) == [name]
    assert io.load(tmp_path / name)[1] == {}


def test_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    io.save("m", "K", {}, ARRAYS)
    assert os.listdir() == ["m"] and io.load("m")[0] == "K"


@pytest.mark.skipif(os.name != "posix", reason="permissions and links as POSIX has them")
def test_permissions_and_links(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    (tmp_path / "link").symlink_to("target")
    io.save(tmp_path / "link", "K", {}, ARRAYS)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").is_file()
    assert (tmp_path / "target").stat().st_mode == (tmp_path / "plain").stat().st_mode, "as any new file"
    with pytest.raises(ValueError, match=f"path: expected a file or a new name, got '{os.devnull}'"):
        io.save(os.devnull, "K", {}, ARRAYS)


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o666, 0o640])
def test_a_replaced_file_leaves_its_permissions(tmp_path, monkeypatch, mode):
    path, before = tmp_path / "m", os.umask(0o022)
    try:
        io.save(path, "K", {}, ARRAYS)
        assert path.stat().st_mode & 0o777 == 0o644
        path.chmod(mode)
        seen, write = [], io._write

        def watched(file, *rest):
            seen.append(os.fstat(file.fileno()).st_mode & 0o777)
            write(file, *rest)
        monkeypatch.setattr(io, "_write", watched)
        io.save(path, "new", {}, ARRAYS)
    finally:
        os.umask(before)
    assert seen == [mode], "before there is anything to read"
    assert path.stat().st_mode & 0o777 == mode and os.listdir(tmp_path) == ["m"]
    assert io.load(path)[0] == "new"


@pytest.mark.parametrize("error", [OSError(28, "no space"), KeyboardInterrupt()])
def test_an_interrupted_save_leaves_what_was_there(tmp_path, monkeypatch, error):
    io.save(tmp_path / "m", "old", {}, ARRAYS)

    def fail(handle):
        raise error
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)):
        io.save(tmp_path / "m", "new", {}, ARRAYS)
    assert os.listdir(tmp_path) == ["m"] and io.load(tmp_path / "m")[0] == "old"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        io.save(tmp_path / "no" / "m", "K", {}, ARRAYS)
    assert caught.value.filename == str(tmp_path / "no" / "m")
    for call in (lambda: io.save(None, "K", {}, ARRAYS), lambda: io.load(None)):
        with pytest.raises(TypeError, match="^path: expected a str or another path, got NoneType$"):
            call()
    with pytest.raises(ValueError, match="path: "):
        io.save(tmp_path, "K", {}, ARRAYS)


@pytest.mark.parametrize("kind, config, arrays, error, words", [
    ("", {}, {}, TypeError, "kind: "),
    (7, {}, {}, TypeError, "kind: "),
    ("K", [], {}, TypeError, "config: expected a dict, got list"),
    ("K", {"a": (1, 2)}, {}, TypeError, "config: .*lists instead of tuples"),
    ("K", {1: 2}, {}, TypeError, "config: .*str keys"),
    ("K", {"a": np.float32(1)}, {}, TypeError, "config: .*float32"),
    ("K", {"a": float("nan")}, {}, ValueError, "config: "),
    ("K", {}, {"w": [1.0]}, TypeError, r"arrays\['w'\]: expected an array, got list"),
    ("K", {}, {"w": np.array([None])}, TypeError, r"arrays\['w'\]: expected booleans or numbers, got object"),
    ("K", {}, {"w": np.array(["a"])}, TypeError, r"arrays\['w'\]"),
    ("K", {}, {"w": np.zeros(1, "f4,f4")}, TypeError, r"arrays\['w'\]"),
    ("K", {}, {"w": np.zeros(1, "M8[s]")}, TypeError, r"arrays\['w'\]"),
    ("K", {}, {1: np.zeros(1)}, TypeError, "arrays: expected names that are str, got 1"),
    ("K", {}, {"": np.zeros(1)}, ValueError, "arrays: "),
    ("K", {}, {"a\\b": np.zeros(1)}, ValueError, "arrays: "),
    ("K", {}, {"a\0b": np.zeros(1)}, ValueError, "arrays: "),
    ("K", {}, {"fastrnn.json": np.zeros(1)}, ValueError, "arrays: "),
])
def test_what_cannot_be_saved(tmp_path, kind, config, arrays, error, words):
    with pytest.raises(error, match=words):
        io.save(tmp_path / "m", kind, config, arrays)
    assert os.listdir(tmp_path) == []


def test_a_config_too_deep_or_too_long(tmp_path):
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="config: "):
        io.save(tmp_path / "m", "K", {"deep": deep}, {})
    while deep:             # freed from the outside in, without recursion
        deep = deep[0]
    with pytest.raises(ValueError, match="config: expected at most"):
        io.save(tmp_path / "m", "K", {"long": "x" * (1 << 24)}, {})


# ---- what is refused --------------------------------------------------------------------------------

def test_a_missing_file_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        io.load(tmp_path / "none")


def test_truncated_anywhere(tmp_path):
    io.save(tmp_path / "m", "K", CONFIG, {f"w{i}": np.full((7, i), 0.5) for i in range(5)})
    content = (tmp_path / "m").read_bytes()
    for size in range(0, len(content), 97):
        refused(tmp_path / "cut", content[:size], "not a fastrnn file|truncated")
    refused(tmp_path / "cut", content[:-1], "not a fastrnn file|truncated")
    refused(tmp_path / "cut", content[1:], "damaged")


def test_one_byte_changed_is_seen_or_harmless(tmp_path):
    """The checksums of zip see a change of content; what they don't cover (dates, say) changes no result."""
    io.save(tmp_path / "m", "K", CONFIG, ARRAYS)
    content = bytearray((tmp_path / "m").read_bytes())
    wanted = [array.tobytes() for array in ARRAYS.values()]
    seen = 0
    for i in range(0, len(content), 5):
        content[i] ^= 0xFF
        (tmp_path / "m").write_bytes(content)
        content[i] ^= 0xFF
        try:
            kind, config, arrays = io.load(tmp_path / "m")
        except ModelFileError:
            seen += 1
        else:
            assert (kind, config, [array.tobytes() for array in arrays.values()]) == ("K", CONFIG, wanted)
    assert seen > len(content) // 10


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (self.mark, "w")


def test_pickles_are_refused_and_not_run(tmp_path):
    bomb = np.array([Bomb(str(tmp_path / "mark"))], object)
    np.savez(tmp_path / "theirs.npz", w=bomb)
    refused(tmp_path / "a", (tmp_path / "theirs.npz").read_bytes(), "not a fastrnn file")
    refused(tmp_path / "b", pickle.dumps(bomb), "not a fastrnn file")
    refused(tmp_path / "c", npz(header("w"), ("w.npy", npy(bomb, allow_pickle=True))), "w: expected booleans or numbers")
    assert not (tmp_path / "mark").exists()


def head(descr="'<f8'", shape="(2,)", fortran="False", version=b"\x01\x00"):
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize("content, words", [
    (head() + bytes(16), None),                                                     # the one that is right
    (head() + bytes(15), "w: shape"), (head() + bytes(17), "w: shape"),
    (head(shape="(4611686018427387904,)") + bytes(16), "w: shape"),                 # 2**62: nothing is allocated
    (head(shape="(99999999999, 99999999999)") + bytes(16), "w: shape"),
    (head(shape="(0, 9999999999999999999)"), "damaged"),
    (head(shape="(" + "0, " * 100 + ")"), "damaged"),                               # more axes than NumPy has
    (head(shape="(-1,)") + bytes(16), "w: expected"), (head(shape="(True,)") + bytes(16), "w: expected"),
    (head(shape="(1e1,)") + bytes(16), "w: expected"), (head(shape="2") + bytes(16), "w: expected"),
    (head(descr="'|O'") + bytes(16), "w: expected"), (head(descr="'<U2'") + bytes(16), "w: expected"),
    (head(descr="[('a', '<f8')]") + bytes(16), "w: expected"), (head(descr="'<f9'") + bytes(16), "w: expected"),
    (head(descr="'" + "(" * 9000 + "'") + bytes(16), "w: expected"),
    (head(fortran="True") + bytes(16), "w: expected"), (head(fortran="open('x')") + bytes(16), "w: expected"),
    (head(version=b"\x02\x00") + bytes(16), "w: not an array"), (b"\x80\x04N.", "w: not an array"), (b"", "w: not an array"),
])
def test_hostile_members(tmp_path, content, words):
    whole = npz(header("w"), ("w.npy", content))
    if words is None:
        (tmp_path / "m").write_bytes(whole)
        assert io.load(tmp_path / "m")[2]["w"].tolist() == [0, 0]
    else:
        refused(tmp_path / "m", whole, words)


@pytest.mark.parametrize("text, words", [
    (header(format="other"), "not a fastrnn file"), ([], "not a fastrnn file"), (b"\xff", "not a fastrnn file"),
    (b"{", "not a fastrnn file"), (b"[" * 200_000, "damaged"), (b"9" * 5000, "damaged"),
    (header(version=2), "version 2 of the format; this fastrnn reads up to 1"),
    (header(version=0), "version number"), (header(version=True), "version number"), (header(version="1"), "version number"),
    (header(kind=None), "kind"), (header(config=[]), "config"), (header(arrays={}), "arrays"),
    (header(1), "list of names"), (header("w", "w"), "none twice"), (header("w", "v"), "missing arrays: v"), (header(), "does not list"),
], ids=lambda value: str(value)[:40])
def test_hostile_headers(tmp_path, text, words):
    refused(tmp_path / "m", npz(text, ("w.npy", npy(np.zeros(2)))), words)


def test_a_header_too_long(tmp_path):
    refused(tmp_path / "m", npz(b" " * (1 << 25)), "header: expected at most")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_archives(tmp_path):
    array = npy(np.zeros(2))
    refused(tmp_path / "m", npz(header("w"), ("w.npy", array), ("w.npy", array)), "one of them twice")
    refused(tmp_path / "m", npz(header("w"), ("w.npy", array), ("evil.sh", b"")), "does not list")
    with zipfile.ZipFile(tmp_path / "m", "w", zipfile.ZIP_DEFLATED) as archive:         # a bomb of zeros, say
        archive.writestr("fastrnn.json.npy", npy(np.zeros(1 << 20, np.uint8)))
    refused(tmp_path / "m", (tmp_path / "m").read_bytes(), "compressed")
    # Many names for the same bytes: together they claim more than the file has.
    whole = npz(header(*"abcdefgh"), *((f"{name}.npy", npy(np.zeros(500))) for name in "abcdefgh"))
    first = whole.index(b"a.npy") - 30
    start = whole.index(b"PK\x01\x02")
    central = whole[start:]
    for name in b"abcdefgh":
        at = central.index(b"%c.npy" % name) - 46
        central = central[:at + 42] + struct.pack("<I", first) + central[at + 46:]
    one = whole[:whole.index(b"b.npy") - 30]
    end = central.index(b"PK\x05\x06")
    central = central[:end + 16] + struct.pack("<I", len(one)) + central[end + 20:]
    refused(tmp_path / "m", one + central, "claim more bytes than the file has")


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes(content):
    check_random(content)
    check_random(b"PK\x05\x06" + content.ljust(18, b"\0")[:18])
    check_random(npz(content))


@settings(deadline=None)
@given(st.data())
def test_random_damage(data):
    content = bytearray(npz(header("w"), ("w.npy", npy(np.zeros((2, 3))))))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    check_random(bytes(content), may_load=True)


def check_random(content, may_load=False):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m")
        path.write_bytes(content)
        try:
            io.load(path)
        except ModelFileError:
            return
        assert may_load
