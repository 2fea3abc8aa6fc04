"""A claim on any pictures, in a file beside its configuration."""

import pytest
import yaml

NETWORK = """
network: {width: 0.05, input_size: 64, init_scaling: keep-variance}
training: {epochs: 2, global_batch_size: 8, log_every_steps: 2}
schedule: {rate: [[0, 0.001]]}
"""
CLAIM = """
statement: Dropout helps.
source: nowhere
published: {effect: -0.01}
measure: {name: top-1 error}
comparison: {kind: lower, arm: with, than: without}
differ_in: [network.dropout.rate]
seeds: 2
arms:
  with: {config: tiny.yaml}
  without: {config: tiny.yaml, overrides: [network.dropout.rate=0]}
scales:
  full: {data: any, hours: 2}
  short: {data: any, hours: 1, overrides: [training.epochs=1]}
"""


@pytest.fixture
def write(tmp_path):
    """Writes a claim like CLAIM with other sections, or another text, as NAME.yaml."""
    (tmp_path / "tiny.yaml").write_text(NETWORK)

    def write(text: str = CLAIM, name: str = "dropout", **changes):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text if not changes else yaml.safe_dump(yaml.safe_load(text) | changes))
        return path

    return write
