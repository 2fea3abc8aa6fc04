"""Small sources for tests: images, and the archives and folders that hold them."""

import io
import tarfile
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

# In sorted order; their ILSVRC2012_IDs below are in another one.
WNIDS = ("n90000010", "n90000020", "n90000030")
IDS = {"n90000010": 3, "n90000020": 1, "n90000030": 2}
WORDS = {
    "n90000010": "crane, bird",
    "n90000020": "crane, machine",
    "n90000030": "lemon, citrus",
}
INNER_NODE = ("n90000001", 4)


def image(seed: int, size: tuple[int, int] = (24, 20), form: str = "JPEG") -> bytes:
    """An encoded image whose pixels are random, but smooth."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 4, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize(size, Image.Resampling.BILINEAR).save(buffer, form)
    return buffer.getvalue()


def tar_bytes(members: dict[str, bytes]) -> bytes:
    """A tar archive of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def train_images(per_class: int = 4) -> dict[str, dict[str, bytes]]:
    """WNID -> file name -> bytes."""
    return {
        wnid: {f"{wnid}_{number}.JPEG": image(100 * label + number) for number in range(per_class)}
        for label, wnid in enumerate(WNIDS)
    }


def validation_wnids(count: int = 6) -> list[str]:
    """The class of each validation image, in the order of their numbers."""
    return [WNIDS[(2 * number) % 3] for number in range(count)]


def validation_images(count: int = 6) -> dict[str, bytes]:
    """File name -> bytes."""
    return {f"ILSVRC2012_val_{n:08d}.JPEG": image(1000 + n) for n in range(1, count + 1)}


def meta_mat(ids: dict[str, int] = IDS) -> bytes:
    """A meta.mat of leaf classes and one inner node."""
    kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
    rows = [(float(ids[wnid]), wnid, WORDS.get(wnid, wnid), 0.0) for wnid in ids]
    rows.append((float(INNER_NODE[1]), INNER_NODE[0], "thing", float(len(ids))))
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"synsets": np.array(rows, kinds).reshape(-1, 1)}, do_compression=True)
    return buffer.getvalue()


def ground_truth(wnids: list[str]) -> bytes:
    """The ground-truth file's lines."""
    return "".join(f"{IDS[wnid]}\n" for wnid in wnids).encode()


def devkit_bytes(meta: bytes, truth: bytes) -> bytes:
    """The packed development kit."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in (
            ("meta.mat", meta),
            ("ILSVRC2012_validation_ground_truth.txt", truth),
        ):
            info = tarfile.TarInfo(f"ILSVRC2012_devkit_t12/data/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def write_archives(folder: Path, per_class: int = 4, validation: int = 6) -> Path:
    """The three official archives."""
    folder.mkdir(parents=True, exist_ok=True)
    inner = {f"{wnid}.tar": tar_bytes(files) for wnid, files in train_images(per_class).items()}
    # Not in sorted order, as nothing promises it.
    shuffled = {name: inner[name] for name in sorted(inner, key=lambda name: name[::-1])}
    (folder / "ILSVRC2012_img_train.tar").write_bytes(tar_bytes(shuffled))
    (folder / "ILSVRC2012_img_val.tar").write_bytes(tar_bytes(validation_images(validation)))
    truth = ground_truth(validation_wnids(validation))
    (folder / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(devkit_bytes(meta_mat(), truth))
    return folder


def write_extracted(folder: Path, per_class: int = 4, validation: int = 6) -> Path:
    """The same images as folders train/WNID and val/WNID, with the kit extracted."""
    for wnid, files in train_images(per_class).items():
        write_files(folder / "train" / wnid, files)
    wnids = validation_wnids(validation)
    for wnid, (name, data) in zip(wnids, validation_images(validation).items(), strict=True):
        write_files(folder / "val" / wnid, {name: data})
    write_files(
        folder / "ILSVRC2012_devkit_t12" / "data",
        {
            "meta.mat": meta_mat(),
            "ILSVRC2012_validation_ground_truth.txt": ground_truth(wnids),
        },
    )
    return folder


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    """Writes files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def write_class_folders(folder: Path, per_class: int = 6, classes: int = 3) -> Path:
    """INPUT/CLASS/IMAGE."""
    for label in range(classes):
        images = {f"{n}.jpg": image(50 * label + n) for n in range(per_class)}
        write_files(folder / f"class{label}", images)
    return folder
