"""The development kit: labels through ILSVRC2012_ID, inner nodes, damage, bombs."""

import gzip
import io
import struct
import zlib

import numpy as np
import pytest
import scipy.io

from preprocessing.errors import DatasetError
from preprocessing.sources import devkit
from preprocessing.sources.devkit import find_devkit, parse_devkit
from preprocessing.storage.files import LocalFiles
from tests.preprocessing.drawn_images import (
    WNIDS,
    devkit_bytes,
    ground_truth,
    meta_mat,
    tar_bytes,
    write_archives,
    write_extracted,
)


def test_ids_lead_to_wnids_and_inner_nodes_are_no_classes():
    kit = parse_devkit(meta_mat(), b"1\n3\n2\n3\n", "kit")
    assert kit.validation == ("n90000020", "n90000010", "n90000030", "n90000010")
    assert set(kit.texts) == set(WNIDS)


def test_the_first_synonym_is_the_text_unless_two_classes_share_it():
    kit = parse_devkit(meta_mat(), b"", "kit")
    assert kit.texts == {
        "n90000010": "crane, bird",
        "n90000020": "crane, machine",
        "n90000030": "lemon",
    }


def test_packed_and_extracted_kits_are_alike(tmp_path):
    packed = find_devkit(LocalFiles(), str(write_archives(tmp_path / "a")))
    assert packed == find_devkit(LocalFiles(), str(write_extracted(tmp_path / "b")))
    assert packed is not None
    assert find_devkit(LocalFiles(), str(tmp_path)) is None


@pytest.mark.parametrize(
    ("truth", "message"),
    [(b"1\n4\n", "received 4, which"), (b"1\n9\n", "received 9"), (b"1\nx\n", "expected numbers")],
)
def test_ground_truth_must_name_classes(truth, message):
    """4 is the inner node."""
    with pytest.raises(DatasetError, match=message):
        parse_devkit(meta_mat(), truth, "kit")


def _mat(**variables):
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, variables)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "meta",
    [
        b"",
        b"no matlab file" * 100,
        meta_mat()[:-50],
        _mat(other=np.zeros(3)),
        _mat(synsets=np.zeros(3)),
        meta_mat({"../../evil": 1}),
    ],
)
def test_other_meta_files_are_one_clear_line(meta):
    with pytest.raises(DatasetError, match=r"cannot read meta\.mat of kit") as caught:
        parse_devkit(meta, b"", "kit")
    assert "\n" not in str(caught.value)


def test_a_meta_file_that_unpacks_to_gigabytes_is_refused(monkeypatch):
    assert devkit._MAX_UNPACKED_BYTES <= 1 << 26
    monkeypatch.setattr(devkit, "_MAX_UNPACKED_BYTES", 1 << 24)
    data = zlib.compress(bytes((1 << 24) + 1))
    head = meta_mat()[:128]
    with pytest.raises(DatasetError, match="unpacks to more than"):
        parse_devkit(head + struct.pack("<II", 15, len(data)) + data, b"", "kit")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive",
        devkit_bytes(meta_mat(), ground_truth([]))[:-100],
        tar_bytes({"data/meta.mat": meta_mat()}),
    ],
)
def test_damaged_kits_are_refused(tmp_path, data):
    (tmp_path / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(data)
    with pytest.raises(DatasetError, match=r"expected the development kit|is truncated"):
        find_devkit(LocalFiles(), str(tmp_path))


def test_another_kit_is_refused(tmp_path):
    data = gzip.compress(tar_bytes({"ILSVRC2010_devkit/data/meta.mat": meta_mat()}))
    (tmp_path / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(data)
    with pytest.raises(DatasetError, match=r"ground_truth\.txt in .* or another kit"):
        find_devkit(LocalFiles(), str(tmp_path))
