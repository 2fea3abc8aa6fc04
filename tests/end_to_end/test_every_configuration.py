"""Every configuration that is shipped trains and evaluates, narrow and on few pictures."""

from pathlib import Path

import pytest

from alexnet_tf import evaluate, train
from alexnet_tf.config import files as config_files
from alexnet_tf.runs import directory as run_directory
from tests import tiny_datasets

CONFIGS = Path(__file__).parents[2] / "configs"
MARGIN = 8  # pixels that a picture has more than the network's input, for its crops


# Of the later nets of 2012, those whose network or kind of schedule no other one has.
NETS = [f"nets-2012/{net}" for net in ("146", "149", "155", "166", "167", "174")]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*sorted(p.stem for p in CONFIGS.glob("*.yaml")), *NETS])
def test_it_trains_an_epoch_and_evaluates(name, tmp_path):
    config = config_files.load(CONFIGS / f"{name}.yaml")
    data, run = tmp_path / "data", tmp_path / "run"
    size = config.network.input_size + (MARGIN if config.data.crop_positions != 1 else 0)
    tiny_datasets.write(data, classes=4, counts={"train": 8, "validation": 4}, size=size)
    overrides = ["training.epochs=1", "training.global_batch_size=4", "network.width=0.1"]
    # No weights to begin with: those that a file names are nowhere here.
    overrides += ["init_from.path=null", "init_from.format=null", "init_from.frozen=[]"]
    arguments = ["--config", str(CONFIGS / f"{name}.yaml"), "--data", str(data), "--run", str(run)]
    assert not train.main([*arguments, *overrides])
    assert not evaluate.main(["--run", str(run), "--data", str(data)])
    [report] = (run / "evaluation").glob("*.json")
    assert run_directory.load(run).config.network.variant == config.network.variant
    assert report.stat().st_size > 0
