"""RUN/log.jsonl, read: what a training noted, a JSON object a line."""

from __future__ import annotations

import json
from pathlib import Path

LOG = "log.jsonl"  # of a run that was trained


def records(run: Path, kind: str) -> list[dict]:
    """All records of a kind ("epoch", "steps", …) in their order; none where there is no log.

    Lines that are torn, because a process or its disk ended, are passed over.
    """
    path = run / LOG
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    rows = [row for line in text.splitlines() if (row := _row(line)) is not None]
    return [row for row in rows if row["kind"] == kind]


def by_epoch(rows: list[dict]) -> dict[int, dict]:
    """By epoch, ascending; one that was done twice counts as it was done last."""
    return dict(sorted({row["epoch"]: row for row in rows}.items()))


def total(rows: list[dict], name: str) -> float | None:
    """Also of epochs that were done twice; None where some did not note it."""
    values = [row.get(name) for row in rows]
    return None if None in values else float(sum(values))


def _row(line: str) -> dict | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and {"epoch", "kind"} <= row.keys() else None
