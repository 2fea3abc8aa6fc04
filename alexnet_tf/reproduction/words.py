"""A claim and its result in words: figures with units, the effect with its interval."""

from __future__ import annotations

from alexnet_tf.reproduction.claim import Claim
from alexnet_tf.reproduction.claim_parts import COLOR, EPOCHS
from alexnet_tf.reproduction.result import ArmResult, Result
from preprocessing.dataset.printable import counted

WHAT = {
    "lower": "difference",
    "ratio": "ratio",
    "figure": "less the published",
    "trend": "slope",
    "every-run": "so in",
}


def figure(of: Claim | Result, number: float | None) -> str:
    """An arm's number: a percentage, or epochs."""
    if number is None:
        return "never"
    return f"{number:.1f} epochs" if of.measure.name == EPOCHS else f"{number:.1%}"


def mean(arm: ArmResult) -> float | None:
    """Of the seeds; None where one never got there."""
    return None if None in arm.by_seed else sum(arm.by_seed) / len(arm.by_seed)


def effect(of: Claim | Result, number: float | None) -> str:
    """A difference in percentage points, a ratio or a share; an open end is an ellipsis."""
    if number is None:
        return "…"
    if of.kind == "every-run":
        return f"{number:.1%}"
    if of.kind == "ratio":
        return f"×{number:.2f}"
    return f"{100 * number:+.2f}".replace("-", "−")


def unit(of: Claim | Result) -> str:
    """Of the effect, with the space before it."""
    if of.kind == "ratio":
        return ""
    if of.kind == "every-run":
        return " of the runs"
    trend = of.comparison if isinstance(of, Claim) else of.trend
    return f" points a {trend.per}" if of.kind == "trend" else " points"


def effect_with_interval(result: Result) -> str:
    interval = f"{effect(result, result.low)} to {effect(result, result.high)}"
    return f"{_bound(result)}{effect(result, result.effect)} ({interval}){unit(result)}"


def _bound(result: Result) -> str:
    """Of a ratio in which a run had not got there when it ended."""
    if result.kind != "ratio":
        return ""
    below, above = (None in result.arms[arm].by_seed for arm in result.compared)
    return {(False, True): "at least ", (True, False): "at most "}.get((below, above), "")


def meaning(result: Result) -> str:
    """What the effect is, and for which effects the claim holds."""
    first, *rest = result.compared
    if result.kind == "lower":
        return f"The effect is {first} less {rest[0]}; the claim is that it is below 0."
    if result.kind == "ratio":
        return (
            f"The effect is {rest[0]} divided by {first}; the claim is that it is over"
            f" {result.at_least or 1:g}."
        )
    if result.kind == "figure":
        allowed = f"{100 * result.within:g} point{'s' if result.within != 0.01 else ''}"
        return (
            "The effect is the error here less the published one; the claim is that it is at most"
            f" {allowed}."
        )
    if result.kind == "trend":
        return "The effect is a slope; the claim is that it is below 0."
    return (
        "The effect is the share of runs that count; the claim is that it is over"
        f" {result.every_run.at_least:.0%}."
    )


def discordance(result: Result) -> str:
    """On how many pictures one network alone is wrong, seed by seed; of no pairs: nothing."""
    if not result.discordances:
        return ""
    first, second = result.compared
    pairs = [f"{d.only_first:,} and {d.only_second:,} (p {d.p:.2g})" for d in result.discordances]
    return (
        f"Pictures on which {first} alone is wrong, and {second} alone, by seed, with McNemar's"
        f" exact p: {'; '.join(pairs)}."
    )


def division(result: Result) -> str:
    """Which runs an every-run claim counts; of another claim: nothing."""
    if result.every_run is None:
        return ""
    return (
        "A run counts if its kernels, dealt to the towers at random, make them differ as much in at"
        f" most {100 * result.every_run.chance:g}% of cases. Runs are those of"
        f" {result.every_run.arm}, and, of other seeds, of networks of two towers and the same"
        " variant that were trained as long on the same pictures. A run that does not count refutes"
        " nothing: of so few kernels chance does much."
    )


def published(of: Claim | Result) -> str:
    """What was published: in words, or the arms' figures and the effect."""
    given = of.published
    if given.words:
        return given.words
    arms = [f"{arm} {figure(of, number)}" for arm, number in given.arms.items()]
    if given.effect is not None:
        arms.append(f"effect {effect(of, given.effect)}{unit(of)}")
    return ", ".join(arms)


def here(result: Result) -> str:
    """What the compared arms measured, and the effect with its interval and seeds."""
    arms = [f"{arm} {figure(result, mean(result.arms[arm]))}" for arm in result.compared]
    return f"{', '.join(arms)}; {effect_with_interval(result)}; {seeds(result)}"


def seeds(result: Result) -> str:
    counts = {len(result.arms[arm].seeds) for arm in result.compared}
    *fewer, most = sorted(counts)
    return " and ".join([*map(str, fewer), counted(most, "seed")])


def measure(result: Result) -> str:
    """Of what the figures are."""
    name = result.measure.name
    if name == EPOCHS:
        return f"epochs until the training error is below {result.measure.below:.0%}"
    if name == "training error":
        return "training error of the last epoch"
    if name == COLOR:
        return "difference in color of the towers' first kernels"
    return f"{name} on {result.pictures:,} test pictures"


def hours(result: Result) -> str:
    """The processor's, which other work on the machine does not change."""
    if result.processor_hours is None:
        return "not noted"
    return f"{result.processor_hours:.2f} processor hours"


def stopped(result: Result) -> str:
    """That fewer seeds than planned decided; of another result: nothing."""
    if result.planned is None:
        return ""
    return f"Seeds were added until it was decided, up to {result.planned}."


def paragraph(result: Result) -> str:
    """The claim and what was found, without markup."""
    what = WHAT[result.kind]
    arms = ", ".join(_arm(result, arm) for arm in result.arms)
    sentences = (
        f"{result.claim}: {result.verdict} at scale {result.scale}. {result.statement}",
        f"Published: {published(result)}. Here the {measure(result)}: {arms}; {what}"
        f" {effect_with_interval(result)}. {meaning(result)} The interval holds 95 % over"
        f" {result.covered}.",
        stopped(result),
        _shortened(result),
        f"Machine time: {hours(result)}.",
    )
    return " ".join(filter(None, sentences))


def _shortened(result: Result) -> str:
    """What a published figure means for a shortened training."""
    if result.kind != "figure" or result.scale == "full":
        return ""
    return "A shortened training can reach a published figure, but not refute it."


def _arm(result: Result, name: str) -> str:
    arm = result.arms[name]
    each = ", ".join(figure(result, number) for number in arm.by_seed)
    of = f" (seeds {each})" if len(arm.seeds) > 1 else ""
    after = f" after {counted(arm.epochs, 'epoch')}" if arm.epochs else ""
    return f"{name} {figure(result, mean(arm))}{of}{after}"
