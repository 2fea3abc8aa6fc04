"""Benchmark results as a table on the terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from tabulate import tabulate

from preprocessing.dataset.atomic import write_text

_ALIGNED = ("left", "right", "right", "right", "left")


@dataclass(frozen=True)
class Row:
    """A figure beside the limit measured in the same run (None where there is none)."""

    what: str
    figure: float
    limit: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.figure / self.limit if self.limit else None


@dataclass(frozen=True)
class Table:
    title: str
    unit: str
    rows: Sequence[Row]
    facts: dict[str, float | str] = field(default_factory=dict)

    def text(self) -> str:
        """Aligned columns: what, figure, limit, ratio, note."""
        columns = ("", self.unit, "limit", "ratio", "")
        cells = [
            (
                row.what,
                f"{row.figure:,.1f}",
                f"{row.limit:,.1f}" if row.limit else "",
                f"{row.ratio:.2f}" if row.limit else "",
                row.note,
            )
            for row in self.rows
        ]
        table = tabulate(cells, columns, "plain", disable_numparse=True, colalign=_ALIGNED)
        facts = [f"{name}: {value}" for name, value in self.facts.items()]
        lines = [self.title, *(f"  {line}" for line in (*table.splitlines(), *facts))]
        return "\n".join(line.rstrip() for line in lines)

    def write_json(self, path: str) -> None:
        """Under a temporary name, then renamed. Raises OSError."""
        rows = [{**asdict(row), "ratio": row.ratio} for row in self.rows]
        content = {"title": self.title, "unit": self.unit, "rows": rows, "facts": self.facts}
        write_text(path, json.dumps(content, indent=1) + "\n")
