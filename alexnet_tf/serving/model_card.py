"""What a model is, for whoever gets it without us: README.md beside the SavedModel."""

from __future__ import annotations

from collections.abc import Sequence

from preprocessing.dataset.info import DatasetInfo

FILE = "README.md"
NOT_STATED = "Not stated by whoever exported it."
SHOWN = 100  # classes that are listed by name


def card(
    info: DatasetInfo, notes: dict, reports: Sequence[dict], license: str, intended_use: str
) -> str:
    """The page, in Markdown.

    Args:
        notes: what export.json says.
        reports: evaluations of the run, as `evaluate` writes them.
        license, intended_use: in the user's words; empty where they say nothing.
    """
    variant, size, crop = notes["variant"], info.image_size, notes["input_size"]
    views = "the center" if notes["views"] == 1 else f"the mean over {notes['views']} views"
    names = [name.text for name in info.classes]
    more = "" if len(names) <= SHOWN else f" and {len(names) - SHOWN:,} more (labels.txt)"
    turned = "turned upright by their EXIF orientation, " if notes["apply_exif"] else ""
    return f"""# {variant}: a classifier of images into {len(names):,} classes

AlexNet ({variant}) as a TensorFlow SavedModel, made by alexnet_tf: the {notes["checkpoint"]}
checkpoint of its run, weights in {notes["weights"]}, TensorFlow {notes["versions"]["tensorflow"]}.
{_beside(notes)}
## Intended use

{intended_use or NOT_STATED}

## License

{license or NOT_STATED}

## Data

{notes["training_images"]:,} images for training ({info.source}), of the fingerprint
`{info.fingerprint}`.

Classes: {", ".join(names[:SHOWN])}{more}.

## Preprocessing

Inside the model. Images are {turned}cut to their central square and resampled to {size}×{size}
({info.resize_filter}); the network sees {views}, {crop}×{crop}. `classify` takes files' bytes,
`serving_default` pixels of that size, uint8, RGB.

## Errors

{_errors(reports)}
"""


def _beside(notes: dict) -> str:
    """The same network's files in other formats."""
    files = [f"`{notes[key]['file']}`" for key in ("tflite", "onnx") if notes[key]]
    return f"The same network lies beside it as {' and '.join(files)}.\n" if files else ""


def _errors(reports: Sequence[dict]) -> str:
    if not reports:
        return "Not evaluated before the export (python -m alexnet_tf.evaluate)."
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
        rows.append(
            f"| {report['examples']:,} of {report['split']} | {report['views']} |"
            f" {report.get('checkpoint', 'newest')} | {top1} | {top5} |"
        )
    return "\n".join(rows)
