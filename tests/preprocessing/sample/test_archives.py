"""The drawn image set: the official layout, the same bytes again, and no trivial task."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from preprocessing.errors import DatasetError
from preprocessing.images.convert import ImageOptions, decode_and_resize
from preprocessing.sample import archives, files
from preprocessing.sample.archives import draw_dataset
from preprocessing.sample.devkit import WNIDS
from preprocessing.sample.drawing import LONGEST_SIDE, SHORT_SIDE, draw
from preprocessing.sample.forms import CLASSES

TRAIN, VALIDATION = 4, 3


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("sample") / "new"
    draw_dataset(output, TRAIN, VALIDATION, seed=5, workers=1)
    return output


def members(archive: bytes | Path) -> dict[str, bytes]:
    data = archive if isinstance(archive, bytes) else archive.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def train_images(folder: Path) -> dict[str, bytes]:
    images = {}
    for data in members(folder / "ILSVRC2012_img_train.tar").values():
        images.update(members(data))
    return images


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Layout


def test_only_the_three_archives_are_there(drawn):
    assert sorted(path.name for path in drawn.iterdir()) == [
        "ILSVRC2012_devkit_t12.tar.gz",
        "ILSVRC2012_img_train.tar",
        "ILSVRC2012_img_val.tar",
    ]


def test_training_archive_is_a_tar_of_one_tar_per_class(drawn):
    classes = members(drawn / "ILSVRC2012_img_train.tar")
    assert sorted(classes) == sorted(f"{wnid}.tar" for wnid in WNIDS.values())
    for name, data in classes.items():
        wnid = name.removesuffix(".tar")
        assert list(members(data)) == [f"{wnid}_{n}.JPEG" for n in range(1, TRAIN + 1)]


def test_validation_archive_is_flat_and_mixed(drawn):
    names = list(members(drawn / "ILSVRC2012_img_val.tar"))
    count = len(CLASSES) * VALIDATION
    assert names == [f"ILSVRC2012_val_{n:08d}.JPEG" for n in range(1, count + 1)]


def test_development_kit_maps_every_validation_image_to_its_class(drawn):
    kit = members(drawn / "ILSVRC2012_devkit_t12.tar.gz")
    folder = "ILSVRC2012_devkit_t12/data"
    assert sorted(kit) == [
        f"{folder}/ILSVRC2012_validation_ground_truth.txt",
        f"{folder}/meta.mat",
    ]
    synsets = scipy.io.loadmat(io.BytesIO(kit[f"{folder}/meta.mat"]))["synsets"][:, 0]
    wnids = {
        int(row["ILSVRC2012_ID"].item()): row["WNID"].item()
        for row in synsets
        if row["num_children"].item() == 0
    }
    assert sorted(wnids) == list(range(1, len(CLASSES) + 1))
    by_id = [wnids[number] for number in sorted(wnids)]
    assert by_id != sorted(by_id)  # a reader that sorts WNIDs to number them gets wrong labels
    truth = kit[f"{folder}/ILSVRC2012_validation_ground_truth.txt"].decode().split("\n")
    assert truth.pop() == ""
    names = {wnid: name for name, wnid in WNIDS.items()}
    seen = dict.fromkeys(CLASSES, 0)
    images = members(drawn / "ILSVRC2012_img_val.tar").values()
    for number, image in zip(truth, images, strict=True):
        name = names[wnids[int(number)]]
        assert image == files._draw_file("validation", name, seen[name], 5)
        seen[name] += 1
    assert set(seen.values()) == {VALIDATION}


def test_hierarchy_has_internal_nodes_as_the_official_one(drawn):
    kit = members(drawn / "ILSVRC2012_devkit_t12.tar.gz")
    data = kit["ILSVRC2012_devkit_t12/data/meta.mat"]
    synsets = scipy.io.loadmat(io.BytesIO(data))["synsets"]
    assert synsets.shape == (len(CLASSES) + 3, 1)
    rows = {row["words"].item(): row for row in synsets[:, 0]}
    leaves = [row for row in rows.values() if row["num_children"].item() == 0]
    assert {row["words"].item(): row["WNID"].item() for row in leaves} == WNIDS
    assert all(row["num_train_images"].item() == TRAIN for row in leaves)
    assert all(row["wordnet_height"].item() == 0 for row in leaves)
    figure = rows["figure"]
    assert figure["wordnet_height"].item() == 2
    parts = {rows[name]["ILSVRC2012_ID"].item() for name in ("shape", "texture")}
    assert set(figure["children"].ravel()) == parts
    assert len({row["WNID"].item() for row in rows.values()}) == len(rows)


def test_some_training_images_are_no_rgb_jpeg(drawn):
    kinds = {}
    for name, data in train_images(drawn).items():
        image = Image.open(io.BytesIO(data))
        if (image.format, image.mode) not in (("JPEG", "RGB"), ("JPEG", "L")):
            kinds[name] = (image.format, image.mode)
    assert kinds == {
        f"{WNIDS['circle']}_1.JPEG": ("PNG", "RGB"),
        f"{WNIDS['spiral']}_2.JPEG": ("JPEG", "CMYK"),
        f"{WNIDS['dots']}_3.JPEG": ("JPEG", "CMYK"),
    }


def test_cmyk_images_show_what_was_drawn(drawn):
    data = train_images(drawn)[f"{WNIDS['dots']}_3.JPEG"]
    image = draw("dots", np.random.default_rng([5, 0, CLASSES.index("dots"), 2])).convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    options = ImageOptions(size=64)
    difference = decode_and_resize(data, options) - decode_and_resize(
        buffer.getvalue(), options
    ).astype(float)
    assert np.abs(difference).mean() < 4


def test_sizes_vary_as_photographs_do(drawn):
    sizes = [Image.open(io.BytesIO(data)).size for data in train_images(drawn).values()]
    assert all(SHORT_SIDE[0] <= min(size) <= SHORT_SIDE[1] for size in sizes)
    assert all(max(size) <= LONGEST_SIDE for size in sizes)
    assert len(set(sizes)) > 0.9 * len(sizes)
    assert any(width > height for width, height in sizes)
    assert any(width < height for width, height in sizes)


# The same bytes


def test_processes_do_not_change_the_bytes(drawn, tmp_path):
    draw_dataset(tmp_path, TRAIN, VALIDATION, seed=5, workers=2)
    assert contents(tmp_path) == contents(drawn)


def test_images_depend_on_the_seed_and_not_on_how_many_there_are(drawn, tmp_path):
    draw_dataset(tmp_path / "fewer", 2, 1, seed=5, workers=1)
    few, many = train_images(tmp_path / "fewer"), train_images(drawn)
    assert few == {name: many[name] for name in few}
    draw_dataset(tmp_path / "other", 2, 1, seed=6, workers=1)
    other = train_images(tmp_path / "other")
    assert not set(other.values()) & set(few.values())


def test_training_and_validation_share_no_image(drawn):
    validation = members(drawn / "ILSVRC2012_img_val.tar").values()
    everything = [*train_images(drawn).values(), *validation]
    assert len(set(everything)) == len(everything)


# Errors


def test_existing_archives_are_kept_unless_told_otherwise(tmp_path):
    (tmp_path / "ILSVRC2012_img_val.tar").write_bytes(b"precious")
    with pytest.raises(DatasetError, match="--overwrite"):
        draw_dataset(tmp_path, 1, 1, workers=1)
    assert contents(tmp_path) == {"ILSVRC2012_img_val.tar": b"precious"}
    draw_dataset(tmp_path, 1, 1, workers=1, overwrite=True)
    assert len(members(tmp_path / "ILSVRC2012_img_val.tar")) == len(CLASSES)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_interrupted_drawing_leaves_nothing(tmp_path, monkeypatch, error):
    def fail(*_args):
        raise error

    monkeypatch.setattr(archives, "write_devkit", fail)
    with pytest.raises(type(error)):
        draw_dataset(tmp_path, 1, 1, workers=1)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("numbers", "named"),
    [
        ((0, 1, 0), "training"),
        ((1, 0, 0), "validation"),
        ((10**9, 1, 0), "10000"),
        ((1, 1, -1), "-1"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, numbers, named):
    with pytest.raises(DatasetError, match=named):
        draw_dataset(tmp_path / "new", *numbers)
    assert not (tmp_path / "new").exists()


# The task


def drawn_pixels(split: int, per_class: int) -> tuple[np.ndarray, np.ndarray]:
    """float64 [n, 128, 128, 3] central squares, and labels."""
    images, labels = [], []
    for label, name in enumerate(CLASSES):
        for number in range(per_class):
            image = draw(name, np.random.default_rng([9, split, label, number])).convert("RGB")
            side = min(image.size)
            left, top = (image.width - side) / 2, (image.height - side) / 2
            box = (left, top, left + side, top + side)
            images.append(np.asarray(image.resize((128, 128), box=box)))
            labels.append(label)
    return np.array(images, np.float64), np.array(labels)


def linear_accuracy(train, labels, test, test_labels, penalty) -> float:
    """Of a ridge regression onto the classes, on standardized features."""
    mean, deviation = train.mean(0), train.std(0) + 1e-9
    train, test = (train - mean) / deviation, (test - mean) / deviation
    targets = np.eye(len(CLASSES))[labels] - 1 / len(CLASSES)
    gram = train @ train.T + penalty * np.eye(len(train))
    return float(
        ((test @ train.T @ np.linalg.solve(gram, targets)).argmax(1) == test_labels).mean()
    )


def nearest_mean_accuracy(train, labels, test, test_labels) -> float:
    means = np.stack([train[labels == label].mean(0) for label in range(len(CLASSES))])
    distances = np.square(test[:, None] - means).sum(-1)
    return float((distances.argmin(1) == test_labels).mean())


def spectrum(images: np.ndarray) -> np.ndarray:
    """Log power by spatial frequency, blind to color, place and angle: form alone."""
    grey = images.mean(-1)[:, 8:120, 8:120]
    grey = grey - grey.mean((1, 2), keepdims=True)
    grey /= grey.std((1, 2), keepdims=True)
    power = np.abs(np.fft.fft2(grey * np.hanning(112)[:, None] * np.hanning(112))) ** 2
    cycles = np.fft.fftfreq(112) * 112
    ring = np.hypot(cycles[:, None], cycles).round().astype(int).ravel()
    return np.log([np.bincount(ring, one.ravel())[1:57] for one in power])


@pytest.fixture(scope="module")
def task():
    return *drawn_pixels(0, 60), *drawn_pixels(1, 20)


def test_color_tells_nothing(task):
    train, labels, test, test_labels = task
    colors, test_colors = train.mean((1, 2)), test.mean((1, 2))
    # Chance is 10 %, with a standard deviation of 2.1 % over 200 images.
    assert nearest_mean_accuracy(colors, labels, test_colors, test_labels) < 0.18
    assert linear_accuracy(colors, labels, test_colors, test_labels, 1) < 0.18


@pytest.mark.parametrize("penalty", [10, 1000, 10_000])
def test_a_linear_classifier_of_pixels_stays_poor(task, penalty):
    train, labels, test, test_labels = task
    small, test_small = (
        batch.reshape(-1, 16, 8, 16, 8, 3).mean((2, 4)).reshape(len(batch), -1)
        for batch in (train, test)
    )
    assert linear_accuracy(small, labels, test_small, test_labels, penalty) < 0.3


def test_form_tells_the_class(task):
    train, labels, test, test_labels = task
    features, test_features = spectrum(train), spectrum(test)
    features = np.concatenate([features, features**2], 1)
    test_features = np.concatenate([test_features, test_features**2], 1)
    assert linear_accuracy(features, labels, test_features, test_labels, 1) > 0.45
