"""PyTorch's files: the tensors are those that were saved, and nothing that a file says is run."""

import collections
import io
import os
import pickle
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet_tf import import_weights, load_run
from alexnet_tf.errors import ConfigError
from alexnet_tf.foreign_weights.files import open_arrays
from alexnet_tf.foreign_weights.torch_pickle import value
from tests.alexnet_tf.foreign_weights.test_import_weights import random_arrays, without_data
from tests.alexnet_tf.foreign_weights.torch_writer import (
    WRITERS,
    Tensor,
    pickled,
    state_dict,
    write_zip,
)
from tests.deadlines import SECONDS

BY_PYTORCH = Path(__file__).parent / "by_pytorch"


def read(path: Path) -> dict[str, np.ndarray]:
    with open_arrays(path) as stored:
        return {name: array.read() for name, array in stored.items()}


@pytest.mark.parametrize("form", WRITERS)
def test_what_was_saved_is_read(tmp_path, form):
    rng = np.random.default_rng(0)
    arrays = {f"a.{n}": rng.normal(size=(2, 3, n + 1)).astype(np.float32) for n in range(12)}
    arrays |= {"half": arrays["a.0"].astype(np.float16), "b": np.array([1e300, -0.0])}
    found = read(WRITERS[form](tmp_path / "a.pth", state_dict(arrays)))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("form", WRITERS)
def test_parts_of_a_storage(tmp_path, form):
    """A transposed matrix, one row of it, and a checkpoint's state_dict."""
    matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
    content = {
        "t": Tensor(matrix, (1, 4), shape=(4, 3)),
        "row": Tensor(matrix, (1,), offset=8, shape=(4,)),
    }
    found = read(WRITERS[form](tmp_path / "a.pt", {"epoch": 3, "state_dict": content}))
    np.testing.assert_array_equal(found["t"], matrix.T)
    np.testing.assert_array_equal(found["row"], matrix[2])


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_files_that_pytorch_wrote(form):
    """by_pytorch/make.py made them."""
    found = read(BY_PYTORCH / f"{form}.pth")
    expected = np.arange(24, dtype=np.float32).reshape(4, 6) / 8
    assert list(found) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    np.testing.assert_array_equal(found["0.weight"], expected)
    np.testing.assert_array_equal(found["0.bias"], np.float32([-0.5, 1.5, 2.5, 1e-30]))
    np.testing.assert_array_equal(found["1.weight"], expected.T[:2])  # was transposed
    np.testing.assert_array_equal(found["1.bias"], [7.0, 8.0])


@pytest.mark.parametrize("form", WRITERS)
def test_imported_it_is_the_network_of_the_same_npz(tmp_path, form):
    arrays = random_arrays("torchvision")
    np.savez(tmp_path / "a.npz", **arrays)
    WRITERS[form](tmp_path / "a.pth", state_dict(arrays))
    kernels = []
    for suffix in ("npz", "pth"):
        run = tmp_path / suffix
        assert import_weights.main(without_data("torchvision", tmp_path / f"a.{suffix}", run)) == 0
        kernels.append([w.numpy() for w in load_run(run).model.weights])
    for one, other in zip(*kernels, strict=True):
        np.testing.assert_array_equal(one, other)


class Calling:
    """Unpickling it would call a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        read(path)
    line = str(raised.value)
    assert "\n" not in line
    assert f"torch.load('{path}', weights_only=True)" in line
    return line


@pytest.mark.parametrize("form", WRITERS)
def test_nothing_that_a_file_says_is_run(tmp_path, form):
    mark = tmp_path / "mark"
    for call in (Calling(open, str(mark), "w"), Calling(os.mkdir, str(mark))):
        path = WRITERS[form](tmp_path / "a.pth", {"weight": call})
        assert "expected tensors alone, received a call of" in refused(path)
        assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "expected a state_dict"),
        ({}, "expected a state_dict"),
        ({"a": 1}, "of tensors alone, received a"),
        ({"a": Tensor(np.zeros(4, np.float32), (1,), shape=(5,))}, "within its storage of 4"),
        ({"a": Tensor(np.zeros(4, np.float32), (0, 0), shape=(2, 9))}, "within its storage of 4"),
        ({"a": Tensor(np.zeros(4, np.float32), (2,), offset=3, shape=(2,))}, "within its storage"),
        ({"a": Tensor(np.zeros(4, np.float32), (1,), shape=(4, 1))}, "shape and strides"),
        ({"a": Tensor(np.zeros(4, np.float32), (-1,), shape=(4,))}, "numbers from 0 on"),
        ({("a", "b"): 1}, "texts and numbers as keys"),
        ({"a": {1, 2}}, "received a call of"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, content, message):
    assert message in refused(write_zip(tmp_path / "a.pth", content))


def test_integers_are_refused_by_name(tmp_path):
    path = write_zip(tmp_path / "a.pth", state_dict({"steps": np.zeros(1, np.int64)}))
    with pytest.raises(ConfigError, match="received LongStorage for 'steps'"):
        read(path)


def test_a_packed_zip_is_refused_so_that_none_is_larger_than_its_file(tmp_path):
    content = state_dict({"a": np.zeros(1_000_000, np.float32)})
    assert "not packed" in refused(write_zip(tmp_path / "a.pth", content, packed=True))


def test_damage_is_told(tmp_path):
    content = state_dict({"a": np.arange(1000, dtype=np.float32)})
    for name, writer in WRITERS.items():
        whole = writer(tmp_path / f"{name}.pth", content).read_bytes()
        for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
            path = tmp_path / "cut.pth"
            path.write_bytes(whole[:length])
            assert "is damaged" in refused(path)
    with zipfile.ZipFile(tmp_path / "two.pth", "w") as archive:
        archive.writestr("a/data.pkl", b"")
        archive.writestr("b/data.pkl", b"")
    assert "expected one data.pkl, received 2" in refused(tmp_path / "two.pth")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5) | st.integers(0, 9), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_plain_values_are_pythons(content):
    """As the pickle module reads its own pickles of protocol 2."""
    data, _ = pickled(content)
    found, length = value(io.BytesIO(data + b"more"))
    assert repr(found) == repr(pickle.loads(data))  # noqa: S301 - our own
    assert length == len(data)


@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_bytes_are_a_value_or_a_value_error(noise, place):
    whole, _ = pickled(collections.OrderedDict(a=Tensor(np.zeros((2, 3), np.float32)), b=[(1,)]))
    for data in (noise, whole[:place] + noise + whole[place + len(noise) :]):
        try:
            value(io.BytesIO(data))
        except ValueError:
            continue


@pytest.mark.parametrize("suffix", ["pth", "caffemodel"])
def test_the_line_that_converts_makes_a_file_that_is_read(tmp_path, suffix):
    """Run as it is printed, with modules of PyTorch's and Caffe's interface in their place."""
    (tmp_path / "torch.py").write_text(
        "import numpy\n"
        "class Tensor:\n    numpy = lambda self: numpy.ones((2, 3), numpy.float32)\n"
        "def load(path, weights_only):\n    assert weights_only is True\n"
        "    open(path).close()\n    return {'features.0.weight': Tensor()}\n"
    )
    (tmp_path / "caffe.py").write_text(
        "import collections, numpy\nTEST = 1\n"
        "class Blob:\n    data = numpy.ones((2, 3), numpy.float32)\n"
        "class Net:\n    def __init__(self, network, weights, phase):\n"
        "        assert (network, phase) == ('deploy.prototxt', TEST)\n"
        "        open(weights).close()\n"
        "        self.params = collections.OrderedDict(conv1=[Blob(), Blob()])\n"
    )
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(b"")
    with pytest.raises(ConfigError) as raised, open_arrays(path):
        pass
    [line] = re.findall(r"python -c (\".*\")$", str(raised.value))
    command = [sys.executable, "-c", *shlex.split(line)]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=SECONDS)
    keys = ["features.0.weight"] if suffix == "pth" else ["conv1/0", "conv1/1"]
    found = read(tmp_path / "alexnet.npz")
    assert list(found) == keys
    assert all(array.shape == (2, 3) for array in found.values())
