"""The file format of models: an .npz that can't run code.

A file is a zip archive, as `numpy.load` reads it too, whose members are stored uncompressed:

    fastrnn.json.npy    bytes (uint8) of a JSON object: format "fastrnn", version 1, kind, config, arrays (the names)
    NAME.npy            one for each name in arrays: booleans and numbers of either byte order, C order

Nothing in it is ever unpickled or evaluated, and no more memory is taken than the file itself has.
"""
import contextlib
import errno
import json
import math
import os
import re
import secrets
import struct
import zipfile

import numpy as np

FORMAT, VERSION = "fastrnn", 1
_HEADER = "fastrnn.json"
_HEADER_LIMIT = 1 << 24         # bytes; the largest real ones are a few thousand
_CHUNK = 1 << 20

# What version 1 may hold, by the names that NumPy gives the types in files; no objects, strings, records or dates.
_DTYPES = {dtype.str: dtype
           for code in "?bhilqBHILQefdgFDG"
           for dtype in (np.dtype(code), np.dtype(code).newbyteorder())}

# The one way in which NumPy writes the head of such an array. NumPy's reader evaluates it as Python literals,
# which costs memory and time on hostile input; a pattern does not.
_NPY_HEAD = re.compile(r"\{'descr': '([^']{3,8})', 'fortran_order': False, 'shape': \(((?:\d{1,19}, ?)*(?:\d{1,19})?)\), \} *\n")

# What zipfile, struct and json raise on damaged input. RuntimeError covers encrypted members and too deep nesting.
_DAMAGE = (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, struct.error, ValueError, RuntimeError,
           OverflowError, KeyError, IndexError)


class ModelFileError(ValueError):
    """A file that is truncated, damaged, not ours, or of a newer version."""


def save(path, kind, config, arrays):
    """Write a model to exactly `path`, all of it or (on an error) nothing: a file that was there stays as it was.

    A file that is replaced leaves its permissions to the new one.

    kind: a str that says what it is · config: a dict of what JSON can hold (str keys, lists, str, int, finite float,
    bool, None) · arrays: a dict from names to arrays of booleans or numbers, whose dtypes and byte orders are kept.
    The same content gives the same bytes.  Raises TypeError or ValueError naming what can't be saved, and OSError.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/model", "Example", {"n_a": 2}, {"w": np.ones(2)})
    ...     load(f"{folder}/model")
    ('Example', {'n_a': 2}, {'w': array([1., 1.])})
    """
    header = _header(kind, config, arrays)
    target = os.path.realpath(_path(path))
    if os.path.exists(target) and not os.path.isfile(target):
        # os.replace as root would put a file in the place of a device such as the null device.
        raise ValueError(f"path: expected a file or a new name, got {os.fspath(path)!r}")
    folder = os.path.dirname(target)
    # In the same folder, because only within one file system does a rename replace at once.
    temporary = os.path.join(folder, f".fastrnn-{secrets.token_hex(8)}.tmp")
    try:
        with _created(temporary, target) as file:
            _write(file, header, arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:  # Ctrl-C too must not leave the part behind
        if os.path.exists(temporary):
            os.remove(temporary)
        if isinstance(error, OSError) and error.filename == temporary:      # a name that the caller never gave
            error.filename = os.fspath(path)
        raise
    _sync_folder(folder)


def load(path):
    """Read what `save` wrote; returns (kind, config, arrays), the arrays new and writable.

    Whether the numbers are finite is not looked at.  Raises OSError if the file can't be read and ModelFileError,
    with the path and what is wrong, if it is truncated, damaged, not ours, or of a newer version.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/model", "Example", {}, {"w": np.ones(2)})
    ...     kind, config, arrays = load(f"{folder}/model")
    >>> arrays["w"]
    array([1., 1.])
    """
    with open(_path(path), "rb") as file:
        try:
            return _read(file)
        except ModelFileError as error:
            raise ModelFileError(f"{os.fspath(path)}: {error}") from error.__cause__
        except _DAMAGE as error:
            raise ModelFileError(f"{os.fspath(path)}: not a fastrnn file, or truncated or damaged ({error})") from error
        except OSError as error:
            if error.errno != errno.EINVAL:     # what a seek to an impossible place gives, named in a damaged directory
                raise
            raise ModelFileError(f"{os.fspath(path)}: truncated or damaged ({error})") from error


def _path(path):
    """`path`, if it is one."""
    try:
        return os.fsdecode(path)
    except TypeError:
        raise TypeError(f"path: expected a str or another path, got {type(path).__name__}") from None


# ---- writing ----------------------------------------------------------------------------------------


def _header(kind, config, arrays):
    """The JSON text for what `save` was given, once that is checked."""
    if not isinstance(kind, str) or not kind:
        raise TypeError(f"kind: expected a str that is not empty, got {kind!r}")
    if not isinstance(config, dict):
        raise TypeError(f"config: expected a dict, got {type(config).__name__}")
    for name, array in arrays.items():
        _check_name(name)
        if not isinstance(array, np.ndarray):
            raise TypeError(f"arrays[{name!r}]: expected an array, got {type(array).__name__}")
        if array.dtype.str not in _DTYPES:
            raise TypeError(f"arrays[{name!r}]: expected booleans or numbers, got {array.dtype}")
    try:
        text = json.dumps(config, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        kind_of_error = TypeError if isinstance(error, TypeError) else ValueError
        raise kind_of_error(f"config: expected what JSON can hold ({error})") from error
    if json.loads(text) != config:
        raise TypeError(f"config: expected what JSON gives back (str keys, lists instead of tuples), got {config!r}")
    header = json.dumps({"format": FORMAT, "version": VERSION, "kind": kind, "config": config, "arrays": list(arrays)})
    if len(header) > _HEADER_LIMIT:
        raise ValueError(f"config: expected at most {_HEADER_LIMIT} bytes of JSON with the arrays' names, got {len(header)}")
    return header


def _check_name(name):
    if not isinstance(name, str):
        raise TypeError(f"arrays: expected names that are str, got {name!r}")
    # zipfile changes backslashes on Windows and cuts at a NUL.
    if not (0 < len(name) <= 200 and name.isprintable() and "\\" not in name and name != _HEADER):
        raise ValueError(f"arrays: expected names of 1 to 200 printable characters, no backslash, not {_HEADER!r}, got {name!r}")


def _write(file, header, arrays):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        _write_array(archive, _HEADER, np.frombuffer(header.encode("ascii"), np.uint8))
        for name, array in arrays.items():
            _write_array(archive, name, np.asarray(array, order="C"))


def _write_array(archive, name, array):
    # A ZipInfo of its own has a fixed date: the same content gives the same bytes.
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=array.nbytes >= 1 << 30) as member:
        head = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
        np.lib.format.write_array_header_1_0(member, head)
        content = array.reshape(-1).view(np.uint8)
        for start in range(0, content.size, _CHUNK):
            member.write(content[start:start + _CHUNK].data)


def _created(temporary, target):
    """Open `temporary` for writing, with the permissions of `target` if that exists, else those of any new file."""
    if not os.path.exists(target):
        return open(temporary, "xb")
    mode = os.stat(target).st_mode & 0o777
    # From the first moment no wider than that: who has a file open keeps it, whatever is done to it later.
    file = open(temporary, "xb", opener=lambda path, flags: os.open(path, flags, mode))
    try:
        os.chmod(temporary, mode)       # what the umask took away
    except BaseException:
        file.close()
        raise
    return file


def _sync_folder(folder):
    """Make the new name itself outlast a power cut, where the system can: the file is complete and in place either way."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


# ---- reading ----------------------------------------------------------------------------------------


def _read(file):
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        by_name = {member.filename: member for member in members}
        if f"{_HEADER}.npy" not in by_name:
            raise ModelFileError("not a fastrnn file (a zip archive without our header)")
        _check_sizes(members, os.fstat(file.fileno()).st_size)
        kind, config, names = _read_header(archive, by_name.pop(f"{_HEADER}.npy"))
        missing = [name for name in names if f"{name}.npy" not in by_name]
        if missing:
            raise ModelFileError(f"missing arrays: {', '.join(missing)}")
        if len(members) != 1 + len(names) or len(by_name) != len(names):
            raise ModelFileError("holds arrays that its header does not list, or one of them twice")
        return kind, config, {name: _read_array(archive, by_name[f"{name}.npy"], name) for name in names}


def _check_sizes(members, size):
    """No member compressed and all together within the file: then none can ask for more memory than the file has."""
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ModelFileError(f"{member.filename}: compressed or damaged; version {VERSION} stores members as they are")
    if sum(member.file_size for member in members) > size:
        raise ModelFileError("truncated or damaged: its members claim more bytes than the file has")


def _read_header(archive, member):
    if member.file_size > _HEADER_LIMIT + 128:      # the text and the array's own head
        raise ModelFileError(f"header: expected at most {_HEADER_LIMIT} bytes, got {member.file_size - 128}")
    header = json.loads(_read_array(archive, member, _HEADER).tobytes())
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelFileError("not a fastrnn file (its header says otherwise)")
    version = header.get("version")
    if type(version) is not int or version < 1:
        raise ModelFileError(f"header: expected a version number, got {version!r}")
    if version > VERSION:
        raise ModelFileError(f"written in version {version} of the format; this fastrnn reads up to {VERSION}: use a newer one")
    kind, config, names = (header.get(key) for key in ("kind", "config", "arrays"))
    if not isinstance(kind, str) or not isinstance(config, dict) or not isinstance(names, list):
        raise ModelFileError("header: expected kind (a string), config (an object) and arrays (a list)")
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise ModelFileError("header: expected arrays to be a list of names, none twice")
    return kind, config, names


def _read_array(archive, member, name):
    with archive.open(member) as stream:
        start = stream.read(10)
        if start[:8] != b"\x93NUMPY\x01\x00" or len(start) != 10:
            raise ModelFileError(f"{name}: not an array as version {VERSION} stores them")
        length = int.from_bytes(start[8:], "little")
        head = _NPY_HEAD.fullmatch(stream.read(length).decode("latin-1"))
        if head is None or head[1] not in _DTYPES:
            raise ModelFileError(f"{name}: expected booleans or numbers in C order, got another type or order of array")
        dtype = _DTYPES[head[1]]
        shape = tuple(int(size) for size in re.findall(r"\d+", head[2]))
        expected = 10 + length + dtype.itemsize * math.prod(shape)
        if expected != member.file_size:
            raise ModelFileError(f"{name}: shape {shape} of {dtype} takes {expected} bytes, but the file has {member.file_size}")
        array = np.empty(shape, dtype)
        content = memoryview(array.reshape(-1).view(np.uint8))
        done = 0
        while done < len(content):
            done += _filled(stream.readinto(content[done:done + _CHUNK]), name)
        if stream.read(1):      # this read is also the one that compares the checksum
            raise ModelFileError(f"{name}: longer than it says")
        return array


def _filled(count, name):
    if not count:
        raise ModelFileError(f"{name}: truncated")
    return count
