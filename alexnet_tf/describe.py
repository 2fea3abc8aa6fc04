"""python -m alexnet_tf.describe: a network as a table, layer by layer and tower by tower."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tabulate import tabulate

from alexnet_tf import cli
from alexnet_tf.config import builtin, reference
from alexnet_tf.config import files as config_files
from alexnet_tf.config.schema import Config
from alexnet_tf.errors import ConfigError
from alexnet_tf.network import cost
from alexnet_tf.network.geometry import TowerLayer, geometry, total_parameters
from alexnet_tf.network.structure import Conv, Layer, NetworkSpec

COLUMNS = (
    (
        "layer",
        "tower",
        "on",
        "operations, in order",
        "output",
        "parameters",
        "multiply-",
        "bytes",
        "ops/",
    ),
    ("", "", "", "", "", "", "adds", "received", "byte"),
)
ALIGNED = ("left", "left", "left", "left", "right", "right", "right", "right", "right")
OPERATIONS_WIDTH = 49  # so that the table of any variant stays within 120 columns
OPS = {"lrn": "LRN", "spatial_norm": "spatial norm", "dropout": "dropout"}
NOTE = """\
pool: of the maximum unless it says otherwise. on: number of the device. All figures but the
parameters are of one image's forward pass. bytes received: what a tower gets from the other tower
(float32); the backward pass sends as much the other way. ops/byte: arithmetic intensity at a batch
of {batch}, two operations to a multiply-add; below some tens, reading the weights and maps takes
longer than computing with them (fully connected layers at small batches)."""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.settings:
        print(reference.page(), end="")
        return 0
    if arguments.list:
        print(
            tabulate([(name, builtin.summary(name)) for name in builtin.names()], tablefmt="plain")
        )
        return 0
    if arguments.config is None:
        raise ConfigError("expected --config, --list or --settings")
    if arguments.batch_size is not None and not 1 <= arguments.batch_size <= 2**20:
        raise ConfigError(
            f"--batch-size: expected a number from 1 to {2**20}, received {arguments.batch_size}"
        )
    config = config_files.load(arguments.config, arguments.overrides)
    print(describe(config, arguments.batch_size or config.training.global_batch_size))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(prog="python -m alexnet_tf.describe", description=__doc__)
    parser.add_argument("--config", help="YAML file, or a name that --list shows")
    parser.add_argument("--list", action="store_true", help="instead: the built-in configurations")
    parser.add_argument(
        "--settings", action="store_true", help="instead: every setting of a configuration"
    )
    parser.add_argument(
        "--batch-size", type=int, help="for memory and intensity; default: the configuration's"
    )
    parser.add_argument("overrides", nargs="*", metavar="section.key=value")
    return parser


def describe(config: Config, batch_size: int) -> str:
    """The table, the totals and the memory, as text."""
    spec = config.network
    split = spec.towers == 2 and config.strategy.placement == "two-tower"
    title = f"{spec.variant}: {spec.input_size}x{spec.input_size} RGB, {spec.num_classes} classes"
    if spec.width != 1:
        title += f", width {spec.width:g}"
    table = _table(_rows(spec, batch_size, split))
    note = NOTE.format(batch=batch_size)
    return "\n\n".join([title, table, note, _memory(spec, batch_size, config.optimizer.slots)])


def _rows(spec: NetworkSpec, batch_size: int, split: bool) -> list[tuple[str, ...]]:
    rows, totals = [], [0, 0, 0]
    for row in geometry(spec):
        for tower in spec.towers_of(row.layer):
            received = cost.received_bytes(spec, row)
            side = f"{row.size_out}x{row.size_out}x" if isinstance(row.layer, Conv) else ""
            numbers = (row.parameters, row.multiply_adds, received)
            totals = [a + b for a, b in zip(totals, numbers, strict=True)]
            rows.append(
                (
                    row.layer.name,
                    tower if row.towers == 2 else "",
                    "1" if split and tower == "b" else "0",
                    _operations(spec, row),
                    f"{side}{row.units}",
                    *(f"{number:,}" for number in numbers),
                    f"{cost.intensity(row, batch_size):.1f}",
                )
            )
    rows.append(("total", "", "", "", "", *(f"{number:,}" for number in totals), ""))
    return rows


def _operations(spec: NetworkSpec, row: TowerLayer) -> str:
    return ", ".join(
        [_weights(spec, row.layer), *(_op(spec, row.layer, op) for op in row.layer.ops)]
    )


def _weights(spec: NetworkSpec, layer: Layer) -> str:
    if not isinstance(layer, Conv):
        text = "dense"
    else:
        stride = f"/{layer.stride}" if layer.stride > 1 else ""
        text = f"{layer.type} {layer.kernel}x{layer.kernel}{stride}"
        if layer.pad != (0, 0):
            before, after = layer.pad
            text += f" pad {before}" if before == after else f" pad {before}+{after}"
    return f"{text} of both towers" if layer.reads == "both" and spec.towers == 2 else text


def _op(spec: NetworkSpec, layer: Layer, op: str) -> str:
    if op == "relu":
        return {"relu": "ReLU", "tanh": "tanh"}[spec.activation]
    if op == "pool":
        pool = spec.pool_of(layer)
        ties = " all ties" if pool.ties == "all" else ""
        kind = "" if pool.kind == "max" else f"{pool.kind} "
        return f"{kind}pool {pool.size}/{pool.stride}{ties}"
    return OPS[op]


def _table(rows: list[tuple[str, ...]]) -> str:
    text = tabulate(
        [*COLUMNS, *rows],
        tablefmt="plain",
        disable_numparse=True,
        colalign=ALIGNED,
        maxcolwidths=[OPERATIONS_WIDTH if column == 3 else None for column in range(len(ALIGNED))],
    )
    lines = [line.rstrip() for line in text.splitlines()]
    rule = "-" * max(map(len, lines))
    return "\n".join([*lines[:2], rule, *lines[2:-1], rule, lines[-1]])


def _memory(spec: NetworkSpec, batch_size: int, slots: int) -> str:
    lines = [f"training memory at a batch of {batch_size}, in MB (float32)"]
    layouts = [("on one device", False)]
    if spec.towers == 2:
        layouts.append(("two-tower split", True))
    for name, split in layouts:
        for number, parts in enumerate(cost.device_bytes(spec, batch_size, split, slots)):
            listed = ", ".join(f"{part} {size / 1e6:,.0f}" for part, size in parts.items())
            total = sum(parts.values()) / 1e6
            lines.append(f"  {name}, device {number}: {total:,.0f} = {listed}")
    lines.append(
        f"  activations count their gradients too; {total_parameters(spec):,} parameters are"
        f" {total_parameters(spec) * cost.BYTES / 1e6:,.0f} MB"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    cli.run(main)
