"""Published ImageNet errors, to set a run's beside: of the paper, and of the 2012 code's notes."""

from __future__ import annotations

from dataclasses import dataclass

from preprocessing.dataset.info import DatasetInfo

VALIDATION_2012 = "ILSVRC2012 validation"  # 50,000 images
TEST_2010 = "ILSVRC-2010 test"  # 150,000 images


@dataclass(frozen=True)
class Published:
    """Errors as fractions; `config`, below configs/, is what would repeat them."""

    what: str
    source: str
    views: int
    top1_error: float
    top5_error: float
    loss: float | None = None  # log-loss in nats
    images: str = VALIDATION_2012
    config: str | None = None


PAPER = "Krizhevsky et al. 2012, table 2"
PAPER_2010 = "Krizhevsky et al. 2012, table 1 and §6"
NOTES = "2012 code, layer-params"


def _note(what: str, config: str, ten: tuple, one: tuple = (), images: str = VALIDATION_2012):
    """Log-loss, top-1 and top-5 error of a net of the 2012 code over ten views, and over one."""
    for views, (loss, top1, top5) in ((10, ten), *([(1, one)] if one else [])):
        yield Published(what, NOTES, views, top1, top5, loss, images, config)


_N = "nets-2012/"
PUBLISHED = (
    Published("1 network", PAPER, 10, 0.407, 0.182, config="original"),
    Published("5 networks averaged", PAPER, 10, 0.381, 0.164),
    Published(
        "1 network, pretrained on Fall 2011", PAPER, 10, 0.390, 0.166, config=f"{_N}146-2012"
    ),
    Published("7 networks, 2 of them pretrained", PAPER, 10, 0.367, 0.154),
    *_note("original (net 145)", "original", (1.741473, 0.406640, 0.182100)),
    *_note("original, restarted (net 145)", "original-restart", (1.725738, 0.402500, 0.179940)),
    *_note("pretrained on Fall 2009 (net 146)", f"{_N}146-2012", (1.646452, 0.391000, 0.168760)),
    *_note("pretrained on Fall 2011 (net 146)", f"{_N}146-2012", (1.633191, 0.389900, 0.166220)),
    *_note("non-overlapping pools (net 147)", "non-overlapping", (1.757644, 0.410580, 0.185100)),
    *_note("no normalization (net 148)", "no-norm", (1.822358, 0.420340, 0.193620)),
    *_note("no cross-talk (net 150)", "no-crosstalk", (1.811173, 0.418280, 0.193300)),
    *_note(
        "net 155, exp .02 ÷4000",
        f"{_N}155",
        (1.750063, 0.407440, 0.185240),
        (1.861853, 0.426530, 0.199652),
    ),
    *_note(
        "net 156, exp .02 ÷2000",
        f"{_N}156",
        (1.751178, 0.407640, 0.183500),
        (1.870253, 0.428933, 0.198336),
    ),
    *_note(
        "net 157, exp .04 ÷8000",
        f"{_N}157",
        (1.767696, 0.411140, 0.187040),
        (1.880485, 0.431177, 0.203271),
    ),
    *_note(
        "net 158, exp .04 ÷20000",
        f"{_N}158",
        (1.757155, 0.410260, 0.185380),
        (1.862656, 0.428884, 0.199910),
    ),
    *_note(
        "net 165, dexp ÷500, twice the decay in fc",
        f"{_N}165",
        (1.757196, 0.409820, 0.183920),
        (1.847919, 0.427840, 0.198452),
    ),
    *_note(
        "net 166, dexp ÷1000, norms 2 before ReLU",
        f"{_N}166",
        (1.768124, 0.410960, 0.186740),
        (1.863109, 0.428586, 0.201039),
    ),
    *_note(
        "net 167, dexp ÷1000, no norm 2",
        f"{_N}167",
        (1.738715, 0.404880, 0.181180),
        (1.851845, 0.426772, 0.197590),
    ),
    *_note(
        "net 169, dexp ÷500",
        f"{_N}169",
        (1.735123, 0.405960, 0.181120),
        (1.841218, 0.425298, 0.195489),
    ),
    *_note(
        "net 170, dexp ÷250",
        f"{_N}170",
        (1.730076, 0.405280, 0.180480),
        (1.838933, 0.423407, 0.195827),
    ),
    *_note(
        "net 171, dexp ÷500, five steps",
        f"{_N}171",
        (1.735358, 0.404200, 0.181400),
        (1.843676, 0.423356, 0.197664),
    ),
    *_note(
        "net 174, jdexp ÷500",
        f"{_N}174",
        (1.729982, 0.404380, 0.180420),
        (1.825121, 0.425222, 0.193946),
    ),
    Published("1 network", PAPER_2010, 10, 0.375, 0.170, None, TEST_2010, "original-2010"),
    Published("1 network", PAPER_2010, 1, 0.390, 0.183, None, TEST_2010, "original-2010"),
    *_note(
        "original (net 145)",
        "original-2010",
        (1.614660, 0.374727, 0.169987),
        (1.706031, 0.390247, 0.182953),
        TEST_2010,
    ),
    *_note(
        "one tower (net 145-half)",
        "one-tower",
        (1.702802, 0.391680, 0.182287),
        images=TEST_2010,
    ),
)


def beside(info: DatasetInfo, split: str) -> tuple[Published, ...]:
    """The published errors on the same images; none but of all of ILSVRC2012's validation split."""
    same = (
        info.source == "ilsvrc2012"
        and split == "validation"
        and len(info.classes) == 1000
        and info.num_examples(split) == 50_000
    )
    return tuple(row for row in PUBLISHED if same and row.images == VALIDATION_2012)
