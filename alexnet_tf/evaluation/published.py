"""Published ImageNet errors, to set a run's beside: of the paper, and of the 2012 code's notes."""

from __future__ import annotations

from dataclasses import dataclass

from preprocessing.dataset.info import DatasetInfo


@dataclass(frozen=True)
class Published:
    """Errors as fractions, on ILSVRC2012's 50,000 validation images."""

    what: str
    source: str
    views: int
    top1_error: float
    top5_error: float
    loss: float | None = None  # log-loss in nats


PAPER = "Krizhevsky et al. 2012, table 2"
NOTES = "2012 code, layer-params"

PUBLISHED = (
    Published("1 network", PAPER, 10, 0.407, 0.182),
    Published("5 networks averaged", PAPER, 10, 0.381, 0.164),
    Published("1 network, pretrained on Fall 2011", PAPER, 10, 0.390, 0.166),
    Published("7 networks, 2 of them pretrained", PAPER, 10, 0.367, 0.154),
    Published("original (net 145)", NOTES, 10, 0.406640, 0.182100, 1.741473),
    Published("original, restarted (net 145)", NOTES, 10, 0.402500, 0.179940, 1.725738),
    Published("non-overlapping pools (net 147)", NOTES, 10, 0.410580, 0.185100, 1.757644),
    Published("no normalization (net 148)", NOTES, 10, 0.420340, 0.193620, 1.822358),
    Published("no cross-talk (net 150)", NOTES, 10, 0.418280, 0.193300, 1.811173),
)


def comparable(info: DatasetInfo, split: str) -> bool:
    """Whether the errors are of the same images: all of ILSVRC2012's validation split."""
    return (
        info.source == "ilsvrc2012"
        and split == "validation"
        and len(info.classes) == 1000
        and info.num_examples(split) == 50_000
    )
