"""Benchmark results as a table on the terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from preprocessing.dataset.atomic import write_text


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
        width = max(len(row.what) for row in self.rows)
        lines = [
            self.title,
            f"  {'':{width}}  {self.unit:>14}  {'limit':>10}  {'ratio':>5}",
        ]
        for row in self.rows:
            limit = f"{row.limit:10,.1f}" if row.limit else " " * 10
            ratio = f"{row.ratio:5.2f}" if row.limit else " " * 5
            figure = f"{row.figure:14,.1f}"
            lines.append(f"  {row.what:{width}}  {figure}  {limit}  {ratio}  {row.note}".rstrip())
        lines += [f"  {name}: {value}" for name, value in self.facts.items()]
        return "\n".join(lines)

    def write_json(self, path: str) -> None:
        """Under a temporary name, then renamed. Raises OSError."""
        rows = [{**asdict(row), "ratio": row.ratio} for row in self.rows]
        content = {"title": self.title, "unit": self.unit, "rows": rows, "facts": self.facts}
        write_text(path, json.dumps(content, indent=1) + "\n")
