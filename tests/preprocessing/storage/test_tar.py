"""Listing tar archives in place, and noticing every way in which one may be damaged."""

import gzip
import io
import tarfile
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.errors import DatasetError
from preprocessing.storage.tar import list_tar, list_tar_gz
from tests.preprocessing.drawn_images import tar_bytes

CONTENTS = {"a.JPEG": b"x" * 700, "folder/b.JPEG": b"", "n" * 150: b"y" * 512}
ARCHIVE = tar_bytes(CONTENTS)
LAST_BYTE = ARCHIVE.rindex(b"y") + 1


def test_offsets_and_sizes_lead_to_the_bytes():
    members = list(list_tar(io.BytesIO(ARCHIVE), "archive"))
    assert {m.name: ARCHIVE[m.offset : m.offset + m.size] for m in members} == CONTENTS
    assert not any(member.problem for member in members)


@given(st.integers(0, 4))
def test_an_archive_inside_another(padding):
    outer = b"p" * 512 * padding + ARCHIVE + b"behind it" * 1000
    start = 512 * padding
    members = list(list_tar(io.BytesIO(outer), "inner", start, start + len(ARCHIVE)))
    assert {m.name: outer[m.offset : m.offset + m.size] for m in members} == CONTENTS


@given(st.integers(0, LAST_BYTE + 511))
def test_every_truncation_is_noticed(length):
    with pytest.raises(DatasetError, match="truncated or damaged"):
        list(list_tar(io.BytesIO(ARCHIVE[:length]), "archive"))


def test_an_inner_archive_without_its_end_is_noticed():
    """tarfile alone would go on with what follows in the outer archive."""
    inner = ARCHIVE[: -(-LAST_BYTE // 512) * 512]
    outer = tar_bytes({"one.tar": inner, "two.tar": ARCHIVE})
    first = next(iter(list_tar(io.BytesIO(outer), "outer")))
    with pytest.raises(DatasetError, match=r"one\.tar is truncated"):
        list(list_tar(io.BytesIO(outer), "one.tar", first.offset, first.offset + first.size))


def test_a_damaged_header_is_not_the_end():
    damaged = bytearray(ARCHIVE)
    damaged[1536:1546] = b"\xff" * 10  # the second member's header
    with pytest.raises(DatasetError, match="truncated or damaged"):
        list(list_tar(io.BytesIO(damaged), "archive"))


@pytest.mark.parametrize("data", [b"", b"no archive" * 200, bytes(range(256)) * 8])
def test_other_files_are_refused(data):
    with pytest.raises(DatasetError, match="expected a complete tar archive"):
        list(list_tar(io.BytesIO(data), "archive"))


def test_a_huge_header_is_not_read():
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 33

    class Endless(io.RawIOBase):
        """A file of 16 GB, of which nobody may read much at once."""

        def __init__(self):
            self.position = 0

        def seekable(self):
            return True

        def seek(self, offset, whence=0):
            self.position = offset + (1 << 34 if whence == 2 else 0)
            return self.position

        def tell(self):
            return self.position

        def read(self, size=-1):
            assert 0 <= size <= 1 << 20
            head = info.tobuf(tarfile.GNU_FORMAT)
            data = (head + bytes(512))[self.position : self.position + size]
            self.position += size
            return data.ljust(size, b"\0")

    with pytest.raises(DatasetError, match="damaged"):
        list(list_tar(Endless(), "archive"))


def _pax(records: dict[str, str], name: str = "x", data: bytes = b"") -> bytes:
    """A member whose pax header has these records, and the archive's end."""
    info = tarfile.TarInfo(name)
    info.pax_headers = records
    info.size = len(data)
    return (
        info.tobuf(tarfile.PAX_FORMAT) + data.ljust(-(-len(data) // 512) * 512, b"\0") + bytes(1024)
    )


@pytest.mark.parametrize("size", [-512, -1024, -1536, -(10**6), 10**20])
def test_a_size_that_leads_back_is_no_endless_list(size):
    data = _pax({"size": str(size)}) * 3
    with pytest.raises(DatasetError, match="truncated or damaged"):
        list(list_tar(io.BytesIO(data), "archive"))


@pytest.mark.parametrize("size", [-1, -512, -(1 << 40)])
@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.REGTYPE])
def test_a_negative_size_in_the_header_itself(kind, size):
    """In base 256; read(-1) would read the whole archive."""
    info = tarfile.TarInfo("x")
    info.type = kind
    data = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    data[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])

    class Bounded(io.BytesIO):
        def read(self, size=-1):
            assert 0 <= size <= 1 << 20
            return super().read(size)

    with pytest.raises(DatasetError, match="truncated or damaged"):
        list(list_tar(Bounded(bytes(data) + bytes(2048)), "archive"))


def test_a_sparse_map_that_never_ends():
    records = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x"}
    data = _pax({**records, "GNU.sparse.realsize": "5"}, data=b"99999999\n")
    with pytest.raises(DatasetError, match="truncated or damaged"):
        list(list_tar(io.BytesIO(data), "archive"))


def _gnu_sparse() -> bytes:
    """A member in the older form: where its pieces stand in the file is in its header."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 700
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    for place, value in ((386, 0), (398, 700), (483, 20_000_000)):  # offset, bytes, file's size
        header[place : place + 12] = tarfile.itn(value, 12, tarfile.GNU_FORMAT)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + (b"s" * 700).ljust(1024, b"\0")


SPARSE_1 = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x"}


@pytest.mark.parametrize(
    "sparse",
    [
        _gnu_sparse(),
        _pax({"GNU.sparse.map": "0,700", "GNU.sparse.size": "20000000"}, data=b"s" * 700)[:-1024],
        _pax(
            {**SPARSE_1, "GNU.sparse.realsize": "20000000"},
            data=b"1\n0\n700\n".ljust(512, b"\0") + b"s" * 700,
        )[:-1024],
    ],
    ids=["gnu", "pax 0.1", "pax 1.0"],
)
def test_a_sparse_member_is_one_reject(sparse):
    data = tar_bytes({"a": b"a" * 700})[:1536] + sparse + tar_bytes({"b": b"b" * 700})
    members = list(list_tar(io.BytesIO(data), "archive"))
    assert [(m.name, m.problem) for m in members] == [("a", ""), ("x", "special-file"), ("b", "")]
    assert data[members[2].offset :][:700] == b"b" * 700
    for length in range(1536 + 512, 1536 + len(sparse), 512):
        with pytest.raises(DatasetError, match="truncated or damaged"):
            list(list_tar(io.BytesIO(data[:length]), "archive"))


def test_headers_of_headers():
    header = _pax({"comment": "x"})[:1024]
    with pytest.raises(DatasetError, match="truncated or damaged"):
        list(list_tar(io.BytesIO(header * 3000 + ARCHIVE), "archive"))


def test_a_compressed_archive():
    file = io.BytesIO(gzip.compress(ARCHIVE))
    contents = {m.name: b"".join(data) for m, data in list_tar_gz(file, "archive", 1 << 20)}
    assert contents == CONTENTS


BOMB = tarfile.TarInfo("././@PaxHeader")
BOMB.type, BOMB.size = tarfile.XHDTYPE, 1 << 26


@pytest.mark.parametrize(
    "data",
    [
        tar_bytes({"zeros": bytes(1 << 22)}),  # in a member
        BOMB.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 26),  # in a header, which tarfile reads whole
        tar_bytes({str(number): b"" for number in range(1 << 12)}),  # in many small ones
    ],
    ids=["member", "header", "members"],
)
def test_a_compressed_archive_that_unpacks_to_more_is_refused(data):
    compressed = gzip.compress(data, 1)
    assert len(compressed) < len(data) / 50
    tracemalloc.start()
    with pytest.raises(DatasetError, match="truncated or damaged"):
        _unpack(compressed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize("length", [0, 5, 30, -20, -3])
def test_a_truncated_compressed_archive(length):
    with pytest.raises(DatasetError, match="truncated or damaged"):
        _unpack(gzip.compress(ARCHIVE)[:length])


def test_the_checksum_of_a_compressed_archive():
    data = bytearray(gzip.compress(ARCHIVE))
    data[-6] ^= 1
    with pytest.raises(DatasetError, match="truncated or damaged"):
        _unpack(bytes(data))


def test_zeros_without_end_behind_a_compressed_archive():
    with pytest.raises(DatasetError, match="truncated or damaged"):
        _unpack(gzip.compress(ARCHIVE + bytes(1 << 22)))


def _unpack(compressed: bytes) -> None:
    for _, pieces in list_tar_gz(io.BytesIO(compressed), "archive", 1 << 20):
        assert sum(map(len, pieces)) <= 1 << 20


def _special(name, kind, **values):
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in values.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize(
    ("info", "problem"),
    [
        (_special("x", tarfile.SYMTYPE, linkname="/etc/passwd"), "link"),
        (_special("x", tarfile.LNKTYPE, linkname="a.JPEG"), "link"),
        (_special("x", tarfile.FIFOTYPE), "special-file"),
        (_special("x", tarfile.CHRTYPE), "special-file"),
        (_special("/etc/passwd", tarfile.REGTYPE), "unsafe-name"),
        (_special("a/../../b", tarfile.REGTYPE), "unsafe-name"),
        (_special("a\\..\\b", tarfile.REGTYPE), "unsafe-name"),
    ],
)
def test_links_and_unsafe_names_are_marked(info, problem):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(info)
    (member,) = list_tar(buffer, "archive")
    assert (member.name, member.problem) == (info.name, problem)


def test_folders_are_passed_over():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(_special("folder", tarfile.DIRTYPE))
    assert list(list_tar(buffer, "archive")) == []


def test_the_images_themselves_are_not_read():
    class Counting(io.BytesIO):
        count = 0

        def read(self, size=-1):
            data = super().read(size)
            self.count += len(data)
            return data

    file = Counting(tar_bytes({str(n): b"z" * 100_000 for n in range(20)}))
    assert len(list(list_tar(file, "archive"))) == 20
    assert file.count < 50_000
