"""Sources: every layout, every label, and everything that does not fit."""

import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from preprocessing.errors import DatasetError
from preprocessing.sources.class_folders import list_folder
from preprocessing.sources.ilsvrc2012 import list_ilsvrc2012
from preprocessing.sources.reader import ImageReader
from preprocessing.storage.files import LocalFiles
from tests.preprocessing.drawn_images import (
    WNIDS,
    devkit_bytes,
    ground_truth,
    image,
    meta_mat,
    tar_bytes,
    train_images,
    validation_images,
    validation_wnids,
    write_archives,
    write_class_folders,
    write_extracted,
    write_files,
)


def ilsvrc(folder):
    return list_ilsvrc2012(LocalFiles(), str(folder), lambda count: None)


def folders(folder, seed=0, fraction=0.25):
    return list_folder(LocalFiles(), str(folder), lambda count: None, seed, fraction)


def contents(listing, split):
    """(synset, name) -> bytes, as a worker reads them."""
    with ImageReader(lambda path: LocalFiles(), tuple(listing.containers)) as reader:
        return {
            (listing.classes[ref.label].synset if ref.label >= 0 else "", ref.name): reader.read(
                ref
            )
            for ref in listing.splits[split]
        }


TRAIN = {(wnid, name): data for wnid, some in train_images().items() for name, data in some.items()}
VALIDATION = {
    (wnid, name): data
    for wnid, (name, data) in zip(validation_wnids(), validation_images().items(), strict=True)
}


@pytest.mark.parametrize("write", [write_archives, write_extracted])
def test_ilsvrc2012_layouts(tmp_path, write):
    listing = ilsvrc(write(tmp_path))
    assert [name.synset for name in listing.classes] == list(WNIDS)
    assert [name.text for name in listing.classes] == ["crane, bird", "crane, machine", "lemon"]
    assert contents(listing, "train") == TRAIN
    assert contents(listing, "validation") == VALIDATION
    assert listing.rejects == []
    assert set(listing.splits) == {"train", "validation"}


def test_flat_validation_folder(tmp_path):
    write_archives(tmp_path)
    (tmp_path / "ILSVRC2012_img_val.tar").unlink()
    write_files(tmp_path / "val", validation_images())
    assert contents(ilsvrc(tmp_path), "validation") == VALIDATION


@pytest.mark.parametrize("name", [".ipynb_checkpoints", "@eaDir", "__MACOSX"])
def test_a_flat_validation_folder_with_one_that_a_system_left(tmp_path, name):
    write_archives(tmp_path)
    (tmp_path / "ILSVRC2012_img_val.tar").unlink()
    write_files(tmp_path / "val", validation_images())
    write_files(tmp_path / "val" / name, {"ILSVRC2012_val_00000001.JPEG": image(1)})
    assert contents(ilsvrc(tmp_path), "validation") == VALIDATION


def test_extracted_without_a_kit_has_wnids_for_names(tmp_path):
    write_extracted(tmp_path)
    shutil.rmtree(tmp_path / "ILSVRC2012_devkit_t12")
    listing = ilsvrc(tmp_path)
    assert [name.text for name in listing.classes] == list(WNIDS)
    assert contents(listing, "validation") == VALIDATION


@pytest.mark.parametrize("name", ["ILSVRC2012_img_test.tar", "ILSVRC2012_img_test_v10102019.tar"])
def test_the_test_archive_is_unlabelled(tmp_path, name):
    write_archives(tmp_path)
    images = {"test/ILSVRC2012_test_00000001.JPEG": image(1), "test/b.JPEG": image(2)}
    (tmp_path / name).write_bytes(tar_bytes(images))
    listing = ilsvrc(tmp_path)
    assert listing.splits["test"].labels.tolist() == [-1, -1]
    assert contents(listing, "test") == {
        ("", os.path.basename(path)): data for path, data in images.items()
    }


@pytest.mark.parametrize(
    "missing",
    ["ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz"],
)
def test_a_missing_archive_is_named(tmp_path, missing):
    (write_archives(tmp_path) / missing).unlink()
    with pytest.raises(DatasetError, match=missing):
        ilsvrc(tmp_path)


def test_an_empty_folder(tmp_path):
    with pytest.raises(DatasetError, match=r"found nothing"):
        ilsvrc(tmp_path)
    with pytest.raises(DatasetError, match=r"expected a folder for each class"):
        folders(tmp_path)


@pytest.mark.parametrize("name", ["ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.8])
def test_a_truncated_archive_is_named(tmp_path, name, keep):
    path = write_archives(tmp_path) / name
    data = path.read_bytes().rstrip(b"\0")
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DatasetError, match=rf"{name}.*(truncated|damaged)"):
        ilsvrc(tmp_path)


@pytest.mark.parametrize("lines", [4, 5, 7, 20])
def test_ground_truth_of_another_length(tmp_path, lines):
    write_archives(tmp_path)
    kit = devkit_bytes(meta_mat(), ground_truth(validation_wnids(lines)))
    (tmp_path / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(kit)
    with pytest.raises(DatasetError, match="kit does not fit"):
        ilsvrc(tmp_path)


def test_classes_that_the_kit_does_not_know(tmp_path):
    write_archives(tmp_path)
    meta = meta_mat({"n90000010": 3, "n90000020": 1, "n90000040": 2})
    kit = devkit_bytes(meta, ground_truth(validation_wnids()))
    (tmp_path / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(kit)
    with pytest.raises(DatasetError, match=r"kit does not fit.*n90000030 is not among"):
        ilsvrc(tmp_path)


def test_validation_classes_without_training_images(tmp_path):
    write_archives(tmp_path)
    inner = {f"{wnid}.tar": tar_bytes(files) for wnid, files in train_images().items()}
    del inner["n90000020.tar"]
    (tmp_path / "ILSVRC2012_img_train.tar").write_bytes(tar_bytes(inner))
    with pytest.raises(DatasetError, match=r"class n90000020, which the training images do not"):
        ilsvrc(tmp_path)


def test_validation_folders_must_agree_with_the_kit(tmp_path):
    write_extracted(tmp_path)
    wrong = tmp_path / "val" / "n90000010" / "ILSVRC2012_val_00000001.JPEG"
    right = tmp_path / "val" / "n90000020" / "ILSVRC2012_val_00000001.JPEG"
    wrong.rename(right)
    with pytest.raises(DatasetError, match=r"is in folder n90000020, but its class is n90000010"):
        ilsvrc(tmp_path)


@pytest.mark.parametrize("name", ["tench.tar", "n123.tar", "n000000001.tar", "n0000000x.tar"])
def test_wnids_are_checked(tmp_path, name):
    write_archives(tmp_path)
    data = tar_bytes({name: tar_bytes({"a.JPEG": image(1)})})
    (tmp_path / "ILSVRC2012_img_train.tar").write_bytes(data)
    with pytest.raises(DatasetError, match="WNID"):
        ilsvrc(tmp_path)


def test_links_and_unsafe_names_in_archives_are_rejects(tmp_path):
    write_archives(tmp_path)
    buffer = io.BytesIO((tmp_path / "ILSVRC2012_img_val.tar").read_bytes())
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        link = tarfile.TarInfo("ILSVRC2012_val_00000007.JPEG")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("../../escape.JPEG"))
    (tmp_path / "ILSVRC2012_img_val.tar").write_bytes(buffer.getvalue())
    listing = ilsvrc(tmp_path)
    assert [(reject.split, reject.reason) for reject in listing.rejects] == [
        ("validation", "link"),
        ("validation", "unsafe-name"),
    ]
    assert contents(listing, "validation") == VALIDATION


def dangling(folder, names=("ILSVRC2012_val_00000001.JPEG", "b.JPEG")):
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).symlink_to(folder / "gone")


@pytest.mark.parametrize("place", ["train/n90000010", "val", "val/n90000010", "test"])
@pytest.mark.parametrize("kit", [True, False])
def test_a_split_of_links_that_lead_nowhere(tmp_path, place, kit):
    """As a folder of links is whose disk is not mounted."""
    write_extracted(tmp_path)
    if not kit and place != "val":
        shutil.rmtree(tmp_path / "ILSVRC2012_devkit_t12")
    split = place.split("/")[0]
    if split != "test":
        shutil.rmtree(tmp_path / split)
    dangling(tmp_path / place)
    told = (
        f"expected images in {tmp_path / split}, found 2 that cannot be read; the first, "
        "'ILSVRC2012_val_00000001.JPEG': it leads to no file that can be reached"
    )
    with pytest.raises(DatasetError) as caught:
        ilsvrc(tmp_path)
    assert str(caught.value) == told


# --- class folders ------------------------------------------------------------------------------


def test_class_folders_hold_out_a_part_of_each_class(tmp_path):
    listing = folders(write_class_folders(tmp_path, per_class=8), fraction=0.25)
    assert [name.synset for name in listing.classes] == ["class0", "class1", "class2"]
    assert sorted(listing.splits["train"].labels) == [0] * 6 + [1] * 6 + [2] * 6
    assert sorted(listing.splits["validation"].labels) == [0, 0, 1, 1, 2, 2]
    train, validation = contents(listing, "train"), contents(listing, "validation")
    assert len({**train, **validation}) == 24
    assert train[listing.classes[0].synset, listing.splits["train"][0].name]


def test_the_held_out_part_depends_on_the_seed_alone(tmp_path):
    write_class_folders(tmp_path, per_class=20)
    first = contents(folders(tmp_path, seed=1), "validation")
    assert contents(folders(tmp_path, seed=1), "validation") == first
    assert contents(folders(tmp_path, seed=2), "validation") != first


def test_nothing_held_out(tmp_path):
    listing = folders(write_class_folders(tmp_path), fraction=0)
    assert set(listing.splits) == {"train"}


def test_too_few_images_to_hold_any_out(tmp_path):
    write_class_folders(tmp_path, per_class=1)
    with pytest.raises(DatasetError, match=r"at least 2 images of class 'class0'.*-fraction 0"):
        folders(tmp_path)


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("train", "validation", "test"),
        ("training", "valid", "testing"),
        ("Train", "Valid", "Test"),
        ("TRAIN", "dev", "TEST"),
    ],
)
def test_split_folders(tmp_path, train, validation, test):
    write_class_folders(tmp_path / train)
    write_class_folders(tmp_path / validation, per_class=2, classes=2)
    write_files(tmp_path / test, {"x.jpg": image(1)})
    listing = folders(tmp_path)
    assert len(listing.splits["train"]) == 18
    assert listing.splits["validation"].labels.tolist() == [0, 0, 1, 1]
    assert listing.splits["test"].labels.tolist() == [-1]


def test_labelled_test_folders(tmp_path):
    write_class_folders(tmp_path / "train")
    write_class_folders(tmp_path / "test", per_class=1, classes=2)
    assert folders(tmp_path).splits["test"].labels.tolist() == [0, 1]


def test_a_class_called_train(tmp_path):
    write_class_folders(tmp_path, classes=2)
    write_files(tmp_path / "train", {f"{n}.jpg": image(n) for n in range(4)})
    listing = folders(tmp_path)
    assert [name.synset for name in listing.classes] == ["class0", "class1", "train"]


def test_both_validation_folders(tmp_path):
    for name in ("train", "val", "validation"):
        write_class_folders(tmp_path / name)
    with pytest.raises(DatasetError, match="found both 'val' and 'validation'"):
        folders(tmp_path)


NOTHING_LISTED = "the images were listed before the layout was found to be unknown"


def _refused(folder, match):
    """In one line, and before any image was listed."""

    class Unlisted(LocalFiles):
        def walk(self, folder):
            raise AssertionError(NOTHING_LISTED)

    with pytest.raises(DatasetError, match=match) as caught:
        list_folder(Unlisted(), str(folder), lambda count: None, 0, 0.25)
    assert "\n" not in str(caught.value)


def test_other_folders_beside_the_splits(tmp_path):
    for name in ("train", "val", "holdout"):
        write_class_folders(tmp_path / name)
    _refused(tmp_path, "expected only folders of splits .* found 'holdout'")


@pytest.mark.parametrize("name", ["Valid", "test"])
def test_splits_without_a_training_folder(tmp_path, name):
    for folder in (name, "learn"):
        write_class_folders(tmp_path / folder)
    _refused(tmp_path, f"expected train/ beside '{name}'")


@pytest.mark.parametrize("tops", [["images"], ["part1", "part2"]])
def test_classes_one_level_further_down(tmp_path, tops):
    for top in tops:
        write_class_folders(tmp_path / top)
        write_files(tmp_path / top, {"Thumbs.db": b"x", "list.txt": b"x"})
    _refused(tmp_path, "found folders only .class0, class1, class2, ....; the layouts are")


def test_classes_of_subclasses(tmp_path):
    """Folders of folders, of which no two are alike: the upper ones are the classes."""
    for name in ("cat/siamese", "cat/persian", "dog/poodle", "dog/terrier", "dog/terrier/scottish"):
        write_files(tmp_path / name, {"1.jpg": image(1), "2.jpg": image(2)})
    listing = folders(tmp_path)
    assert [name.synset for name in listing.classes] == ["cat", "dog"]
    for name in ("cat", "dog"):  # as Tiny ImageNet
        shutil.rmtree(tmp_path / name)
        write_files(tmp_path / name / "images", {"1.jpg": image(1), "2.jpg": image(2)})
    assert [name.synset for name in folders(tmp_path).classes] == ["cat", "dog"]


def test_files_that_are_no_images_by_their_names(tmp_path):
    write_class_folders(tmp_path, per_class=4)
    names = ("Thumbs.db", "desktop.ini", "NOTES.TXT", "boxes.csv", "a.xml", "b.json", ".DS_Store")
    write_files(tmp_path / "class0", dict.fromkeys(names, b"x"))
    write_files(tmp_path / "class1" / "@eaDir", {"0.jpg": b"x"})
    write_files(tmp_path / "__MACOSX" / "class0", {"0.jpg": b"x"})
    write_files(tmp_path / "class2", {"page.jpg": b"<html>404"})  # meant as one
    listing = folders(tmp_path, fraction=0)
    assert [name.synset for name in listing.classes] == ["class0", "class1", "class2"]
    assert len(listing.splits["train"]) == 13
    assert listing.rejects == []
    assert listing.ignored == 8


def test_a_class_folder_of_notes_only(tmp_path):
    write_class_folders(tmp_path)
    write_files(tmp_path / "notes", {"a.txt": b"x"})
    with pytest.raises(DatasetError, match=r"expected images in .*notes"):
        folders(tmp_path)


def test_a_name_that_is_no_text(tmp_path):
    write_class_folders(tmp_path)
    write_files(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")), {"a.jpg": image(1)})
    with pytest.raises(DatasetError, match=r"names in UTF-8 in .*'caf\\udce9'"):
        folders(tmp_path)


def test_a_validation_class_that_training_lacks(tmp_path):
    write_class_folders(tmp_path / "train", classes=2)
    write_class_folders(tmp_path / "val", classes=3)
    with pytest.raises(DatasetError, match="'class2'"):
        folders(tmp_path)


def test_an_empty_class_folder(tmp_path):
    write_class_folders(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"expected images in .*empty.*, found none"):
        folders(tmp_path)


def test_subfolders_links_and_loose_files(tmp_path):
    write_class_folders(tmp_path, per_class=4)
    write_files(tmp_path / "class0" / "deeper", {"d.jpg": image(9)})
    (tmp_path / "class1" / "linked.jpg").symlink_to(tmp_path / "class0" / "0.jpg")
    (tmp_path / "class1" / "nowhere.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "class2" / "circle").symlink_to(tmp_path / "class2")
    (tmp_path / "class2" / ".hidden").write_bytes(b"x")
    (tmp_path / "README.txt").write_text("loose")
    listing = folders(tmp_path, fraction=0)
    found = contents(listing, "train")
    assert found["class0", "deeper/d.jpg"] == image(9)
    assert found["class1", "linked.jpg"] == found["class0", "0.jpg"]
    assert len(found) == 14
    rejects = {(r.filename, r.reason) for r in listing.rejects}
    assert rejects == {("nowhere.jpg", "link"), ("circle", "link")}
    assert listing.ignored == 1


def closed(folder):
    write_files(folder / "closed", {"a.jpg": image(1)})
    (folder / "closed").chmod(0)
    return folder / "closed" / "a.jpg"


@pytest.mark.parametrize(
    "target",
    [
        lambda folder: folder / "in" / "class0" / "link.jpg",  # itself
        lambda folder: folder / "in" / "class0" / "0.jpg" / "inside",
        lambda folder: folder / ("n" * 300),
        pytest.param(
            closed, marks=pytest.mark.skipif(os.geteuid() == 0, reason="root may go everywhere")
        ),
    ],
    ids=["loop", "through a file", "too long", "closed"],
)
def test_a_link_that_cannot_be_followed_is_one_reject(tmp_path, target):
    write_class_folders(tmp_path / "in", per_class=4)
    (tmp_path / "in" / "class0" / "link.jpg").symlink_to(target(tmp_path))
    listing = folders(tmp_path / "in", fraction=0)
    assert [(r.filename, r.reason) for r in listing.rejects] == [("link.jpg", "link")]
    assert len(listing.splits["train"]) == 12


@pytest.mark.parametrize("place", ["train/class0", "val/class0", "test/class0", "test"])
def test_a_split_folder_of_links_that_lead_nowhere(tmp_path, place):
    split = place.split("/")[0]
    if split != "train":
        write_class_folders(tmp_path / "train")
    dangling(tmp_path / place)
    with pytest.raises(DatasetError, match=rf"images in \S+/{split}, found 2 that cannot be read"):
        folders(tmp_path)


@pytest.mark.parametrize("fraction", [0, 0.25])
def test_a_class_of_links_that_lead_nowhere(tmp_path, fraction):
    write_class_folders(tmp_path)
    dangling(tmp_path / "class9")
    with pytest.raises(DatasetError) as told:
        folders(tmp_path, fraction=fraction)
    assert str(told.value) == "expected images of class 'class9', found none that can be read"


def test_pipes_are_rejects_and_not_waited_for(tmp_path):
    write_class_folders(tmp_path, per_class=4)
    os.mkfifo(tmp_path / "class0" / "pipe.jpg")
    listing = folders(tmp_path, fraction=0)
    assert [(r.filename, r.reason) for r in listing.rejects] == [("pipe.jpg", "special-file")]


@pytest.mark.parametrize("inside", [False, True])
def test_linked_class_folders_are_followed_only_if_told(tmp_path, inside):
    source = tmp_path / "in"
    write_class_folders(source, per_class=4)
    target = source / "class0" if inside else write_files(tmp_path / "away", {"a.jpg": image(1)})
    (source / "linked").symlink_to(target)
    (source / "linked2").symlink_to(target)
    _refused(source, r"links that may lead out .*linked' to '.*' and 1 more.*--follow-links")
    listing = list_folder(LocalFiles(), str(source), lambda count: None, 0, 0, follow_links=True)
    assert len(listing.classes) == 5
    assert len(listing.splits["train"]) == (20 if inside else 14)
    (tmp_path / "entry").symlink_to(source)  # what was named as the input may be a link
    listing = list_folder(
        LocalFiles(), str(tmp_path / "entry"), lambda count: None, 0, 0, follow_links=True
    )
    assert len(listing.classes) == 5


@pytest.mark.parametrize("name", ["train", "val", "train/n90000010", "val/n90000010"])
def test_linked_folders_of_ilsvrc2012(tmp_path, name):
    source = write_extracted(tmp_path / "in")
    shutil.move(source / name, tmp_path / "away")
    (source / name).symlink_to(tmp_path / "away")
    with pytest.raises(DatasetError, match="--follow-links"):
        ilsvrc(source)
    listing = list_ilsvrc2012(LocalFiles(), str(source), lambda count: None, follow_links=True)
    assert contents(listing, "train") == TRAIN
    assert contents(listing, "validation") == VALIDATION


def test_a_flat_validation_folder_that_is_a_link(tmp_path):
    write_archives(tmp_path / "in")
    (tmp_path / "in" / "ILSVRC2012_img_val.tar").unlink()
    write_files(tmp_path / "away", validation_images())
    (tmp_path / "in" / "val").symlink_to(tmp_path / "away")
    with pytest.raises(DatasetError, match="--follow-links"):
        ilsvrc(tmp_path / "in")


def test_a_change_of_the_input_changes_its_identity(tmp_path):
    write_class_folders(tmp_path)
    before = folders(tmp_path).identity
    assert folders(tmp_path).identity == before
    (tmp_path / "class1" / "0.jpg").write_bytes(image(77))
    after = folders(tmp_path).identity
    assert {item for item in before if before[item] != after[item]} == {"folder class1"}
