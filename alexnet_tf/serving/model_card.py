"""What a model is, for whoever gets it without us: README.md in a SavedModel or a preset."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

from preprocessing.dataset.info import DatasetInfo

FILE = "README.md"
NOT_STATED = "Not stated by whoever made this."
SHOWN = 100  # classes that are listed by name
WIDTH = 100


def card(
    info: DatasetInfo, notes: dict, reports: Sequence[dict], license: str, intended_use: str
) -> str:
    """The page of a SavedModel, in Markdown.

    Args:
        notes: what export.json says.
        reports: evaluations of these very weights, as `evaluate` writes them.
        license, intended_use: in the user's words; empty where they say nothing.
    """
    made = (
        f"as a TensorFlow SavedModel, made by alexnet_tf: the {notes['checkpoint']} checkpoint of"
        f" its run, weights in {notes['weights']}, TensorFlow {notes['versions']['tensorflow']}."
        f"{_beside(notes)}"
    )
    views = "the center" if notes["views"] == 1 else f"the mean over {notes['views']} views"
    inputs = (
        f"{_cut(info, notes)}; the network sees {views}, {_side(notes)}. `classify` takes files'"
        " bytes, `serving_default` pixels of that size, uint8, RGB."
    )
    use = f"Inside the model. {inputs}"
    stated = {"license": license, "intended_use": intended_use}
    return _page(info, notes, reports, **stated, made=made, use=use, listed="labels.txt")


def preset_card(
    info: DatasetInfo, notes: dict, reports: Sequence[dict], license: str, intended_use: str
) -> str:
    """The page of a preset; arguments as `card` has them, without views and format of weights."""
    made = (
        f"as a preset of alexnet_tf: the {notes['checkpoint']} checkpoint of its run, weights in"
        " float32. In Python `alexnet_tf.load_preset(DIRECTORY)`; the commands `evaluate`, `export`"
        " and `visualize` take it as `--run`, and `train init_from.path=DIRECTORY` begins with it."
    )
    use = f"{_cut(info, notes)}; the network sees crops of {_side(notes)}."
    stated = {"license": license, "intended_use": intended_use}
    listed = "dataset/dataset_info.json"
    return _page(info, notes, reports, **stated, made=made, use=use, listed=listed)


def _side(notes: dict) -> str:
    return f"{notes['input_size']}×{notes['input_size']}"


def _cut(info: DatasetInfo, notes: dict) -> str:
    turned = "turned upright by their EXIF orientation, " if notes["apply_exif"] else ""
    size = f"{info.image_size}×{info.image_size}"
    return (
        f"Images are {turned}cut to their central square and resampled to {size}"
        f" ({info.resize_filter})"
    )


def _page(
    info: DatasetInfo,
    notes: dict,
    reports: Sequence[dict],
    *,
    license: str,
    intended_use: str,
    made: str,
    use: str,
    listed: str,
) -> str:
    """Args: made, what the files are; use, how images come in; listed, where all classes are."""
    variant, names = notes["variant"], [name.text for name in info.classes]
    more = "" if len(names) <= SHOWN else f" and {len(names) - SHOWN:,} more ({listed})"
    return f"""# {variant}: a classifier of images into {len(names):,} classes

{fill(f"AlexNet ({variant}) {made}", WIDTH)}

## Intended use

{intended_use or NOT_STATED}

## License

{license or NOT_STATED}

## Data

{notes["training_images"]:,} images for training ({info.source}), of the fingerprint
`{info.fingerprint}`.

Classes: {", ".join(names[:SHOWN])}{more}.

## Preprocessing

{fill(use, WIDTH)}

## Errors

{_errors(info, reports)}
"""


def _beside(notes: dict) -> str:
    """A sentence on the same network's files in other formats."""
    files = [f"`{notes[key]['file']}`" for key in ("tflite", "onnx") if notes[key]]
    return f" The same network lies beside it as {' and '.join(files)}." if files else ""


def _errors(info: DatasetInfo, reports: Sequence[dict]) -> str:
    if not reports:
        return (
            "No report on these very weights was there when this was written"
            " (python -m alexnet_tf.evaluate)."
        )
    rows = [
        "| images | views | checkpoint | top-1 error (95 %) | top-5 error (95 %) |",
        "|---|---|---|---|---|",
    ]
    for report in reports:
        top1, top5 = (
            f"{report[f'{k}_error']:.2%} ({low:.2%} to {high:.2%})"
            for k in ("top1", "top5")
            for low, high in [report[f"{k}_interval"]]
        )
        other = "" if report["dataset"] == info.fingerprint else ", of another dataset"
        rows.append(
            f"| {report['examples']:,} of {report['split']}{other} | {report['views']} |"
            f" {report.get('checkpoint', 'newest')} | {top1} | {top5} |"
        )
    return "\n".join(rows)
