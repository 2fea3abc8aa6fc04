"""Which devices a run uses: tf.distribute's strategy, and pairs of devices for the towers.

One device, too, is driven by a MirroredStrategy (of one replica): it places variables and their
velocities where they belong, and leaves one code path.
"""

from __future__ import annotations

import tensorflow as tf

from alexnet_tf.config import ConfigError, StrategyConfig

Pairs = tuple[tuple[str, str], ...]


def create(config: StrategyConfig) -> tuple[tf.distribute.Strategy, Pairs | None]:
    """The strategy, and the towers' device pairs, one for each local replica (None: not split).

    Devices are the GPUs, or without any the (logical) CPUs. Raises ConfigError where there are too
    few for the placement.
    """
    devices = _devices()
    needed = 2 if config.placement == "two-tower" else 1
    if len(devices) < needed:
        raise ConfigError(
            f"strategy.placement: two-tower expects 2 devices, received {len(devices)}"
            f" ({', '.join(devices)}); set strategy.placement=single"
        )
    if config.name == "multi-worker":
        if config.placement == "two-tower":
            raise ConfigError("strategy: expected placement single with multi-worker for now")
        return tf.distribute.MultiWorkerMirroredStrategy(), None
    count = len(devices) // needed if config.name == "mirrored" else 1
    groups = tuple(tuple(devices[i * needed : (i + 1) * needed]) for i in range(count))
    strategy = tf.distribute.MirroredStrategy([group[0] for group in groups])
    return strategy, groups if needed == 2 else None


def _devices() -> list[str]:
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [f"/job:localhost/replica:0/task:0{device.name}" for device in found]
