"""The archive refuses everything that could be larger, or other, than it says."""

import io
import json
import struct
import zipfile

import numpy as np
import pytest

from faircluster.persistence import archive
from faircluster.persistence.archive import read_archive, write_archive


def npy(array, **changes):
    """Bytes of an array, with a header that may lie."""
    stream = io.BytesIO()
    header = np.lib.format.header_data_from_array_1_0(array) | changes
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + array.tobytes()


def packed(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)


HEADER = npy(np.frombuffer(b"{}", dtype=np.uint8))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.npz"


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.int32, np.bool_, np.uint8, ">f8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (0, 4)])
def test_arrays_come_back(path, dtype, shape):
    array = np.ones(shape, dtype=dtype)
    write_archive(path, {"a": [1, "é", None]}, {"x": array, "y": np.array(array, order="F")})
    header, arrays = read_archive(path)
    assert header == {"a": [1, "é", None]}
    for name in ("x", "y"):
        assert arrays[name].dtype == np.dtype(dtype).newbyteorder("=")
        assert np.array_equal(arrays[name], array)
        assert arrays[name].flags.writeable


def test_fortran_order_is_understood(path):
    array = np.arange(6.0).reshape(2, 3)
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asfortranarray(array))
    packed(path, {"header": HEADER, "x": stream.getvalue()})
    assert np.array_equal(read_archive(path)[1]["x"], array)


@pytest.mark.parametrize(
    "array", [np.array([1j]), np.array(["a"]), np.array([None]), np.arange(2, dtype=np.int16)]
)
def test_other_types_are_not_written(path, array):
    with pytest.raises(ValueError, match="array 'x' has type"):
        write_archive(path, {}, {"x": array})
    assert not path.exists()


@pytest.mark.parametrize("header", [{"a": float("nan")}, {"a": "x" * (17 << 20)}])
def test_headers_beyond_json_or_reason_are_not_written(path, header):
    with pytest.raises(ValueError, match=r"JSON|bytes"):
        write_archive(path, header, {})
    assert not path.exists()


@pytest.mark.parametrize(
    ("member", "match"),
    [
        (npy(np.zeros(2), shape=(10**12,)), r"claims shape \(1000000000000,\)"),
        (npy(np.zeros(2), shape=(2**62, 4)), "claims shape"),
        (npy(np.zeros(2), shape=(1,)), "claims shape"),
        (npy(np.zeros(2), shape=(-2,)), "impossible shape|damaged header"),
        (npy(np.zeros(2), shape=(2, 1, 1)), "impossible shape"),
        (npy(np.zeros(2), descr="|O"), "Python objects"),
        (npy(np.zeros(2), descr="<c16"), "complex128"),
        (npy(np.zeros(2), descr=[("a", "<f8")]), "holds"),
        (npy(np.zeros(2), descr="__import__('os')"), "damaged header"),
        (npy(np.array([2, 0], dtype=np.uint8), descr="|b1"), "neither true nor false"),
        (b"\x93NUMPY\x09\x00", "damaged header"),
        (b"", "damaged header"),
        (b"no array", "damaged header"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 60000) + b"(" * 60000, "damaged header"),
    ],
)
def test_lying_arrays(path, member, match):
    packed(path, {"header": HEADER, "x": member})
    with pytest.raises(ValueError, match=match):
        read_archive(path)


@pytest.mark.parametrize(
    ("header", "match"),
    [
        (npy(np.frombuffer(b"[1]", dtype=np.uint8)), "not a JSON object"),
        (npy(np.frombuffer(b"{", dtype=np.uint8)), "not JSON"),
        (npy(np.frombuffer(b"[" * 100_000, dtype=np.uint8)), "not JSON"),
        (npy(np.frombuffer("{é}".encode(), dtype=np.uint8)), "not JSON"),
        (npy(np.zeros(3)), "not text"),
        (npy(np.zeros((17 << 20,), dtype=np.uint8)), "not text of a reasonable size"),
    ],
)
def test_lying_headers(path, header, match):
    packed(path, {"header": header})
    with pytest.raises(ValueError, match=match):
        read_archive(path)


def test_compressed_members_are_refused_unread(path, monkeypatch):
    bomb = npy(np.zeros(4 << 20))  # 32 MiB that deflate to 32 KiB
    packed(path, {"header": HEADER, "x": bomb}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 16
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("was read"))
    with pytest.raises(ValueError, match="compressed"):
        read_archive(path)


def test_overlapping_members_are_refused_unread(path, monkeypatch):
    """Many directory entries that point to the same bytes: a bomb that needs no compression."""
    packed(path, {"header": HEADER, "x": npy(np.zeros(1000))})
    original = zipfile.ZipFile.infolist

    def repeated(self):
        infos = original(self)
        twins = []
        for i in range(20):
            twin = zipfile.ZipInfo(f"x{i}.npy")
            for slot in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(twin, slot, getattr(infos[-1], slot))
            twins.append(twin)
        return infos + twins

    monkeypatch.setattr(zipfile.ZipFile, "infolist", repeated)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("was read"))
    with pytest.raises(ValueError, match="larger than the file"):
        read_archive(path)


def test_too_many_or_repeated_members(path):
    packed(path, {"header": HEADER} | {f"x{i}": npy(np.zeros(1)) for i in range(archive._MOST_ARRAYS)})
    with pytest.raises(ValueError, match="too many or repeated"):
        read_archive(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("header.npy", HEADER)
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("header.npy", HEADER)
    with pytest.raises(ValueError, match="too many or repeated"):
        read_archive(path)


def test_checksums_are_compared(path):
    write_archive(path, {}, {"x": np.arange(100.0)})
    content = path.read_bytes()
    place = content.index(np.float64(50).tobytes())
    path.write_bytes(content[:place] + b"\x01" + content[place + 1 :])
    with pytest.raises(ValueError, match="no intact archive"):
        read_archive(path)


def test_header_is_readable_by_anyone(path):
    write_archive(path, {"format": "x"}, {})
    with np.load(path) as file:
        assert json.loads(file["header"].tobytes()) == {"format": "x"}
