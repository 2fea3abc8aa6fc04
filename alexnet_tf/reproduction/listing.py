"""What there is to reproduce: the claims, for a terminal of 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from alexnet_tf.reproduction import words
from alexnet_tf.reproduction.claim import Claim
from alexnet_tf.reproduction.claim_parts import SCALES
from alexnet_tf.reproduction.datasets import DATASETS
from preprocessing.dataset.printable import counted

WIDTH = 98


def listing(claims: Sequence[Claim]) -> str:
    return "\n\n".join(_entry(claim) for claim in claims)


def _entry(claim: Claim) -> str:
    rows = [claim.name, _row("", claim.statement), _row("source: ", claim.source)]
    rows.append(_row("published: ", words.published(claim)))
    for name in SCALES:
        scale, seeds = claim.scale(name), len(claim.seeds_at(name))
        runs = len(claim.networks) * seeds
        rows.append(
            _row(
                f"{name}: ",
                f"{DATASETS[scale.data].what}; {counted(runs, 'training')}"
                f" ({counted(len(claim.arms), 'arm')}, {counted(seeds, 'seed')}),"
                f" about {scale.hours:g} h on {scale.machine}",
            )
        )
    return "\n".join(rows)


def _row(title: str, text: str) -> str:
    rest = " " * (4 + len(title))
    return textwrap.fill(text, WIDTH, initial_indent=f"    {title}", subsequent_indent=rest)
