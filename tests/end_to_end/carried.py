"""What a user carries from one Keras to another: written here, and read with its answers.

    python -m tests.end_to_end.carried write|read DIRECTORY

`write` makes the files of every kind; `read` answers from them. Either leaves the answers in
DIRECTORY/written.npz or read.npz, by kind.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from alexnet_tf import AlexNet, export, load_model, load_preset, load_run, train
from tests import tiny_datasets

CONFIG = """
network: {width: 0.05, input_size: 64, init_scaling: keep-variance}
training: {epochs: 2, global_batch_size: 8, deterministic: true}
schedule: {name: piecewise, rate: [[0, 0.01]]}
"""
FILES = {
    "original": {"variant": "original"},
    "caffenet": {"variant": "caffenet"},
    "half precision": {"variant": "paper", "precision": "mixed_bfloat16"},
}
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (6, 72, 72, 3), dtype=np.uint8)
INPUTS = RANDOM.normal(0, 50, (6, 64, 64, 3)).astype(np.float32)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def network(name: str):
    settings = {"num_classes": 3, "width": 0.05, "input_size": 64, "dropout": {"rate": 0.0}}
    return AlexNet(**settings, init_scaling="keep-variance", **FILES[name])


def write(directory: Path) -> dict[str, np.ndarray]:
    data, config = directory / "data", directory / "tiny.yaml"
    tiny_datasets.write(data)
    config.write_text(CONFIG)
    _train(directory, directory / "run", 2)
    load_run(directory / "run").save_preset(directory / "preset")
    export.main(["--run", str(directory / "run"), "--output", str(directory / "model")])
    for name in FILES:
        model = network(name)
        model.layers[3].trainable = False
        _fitted(model)
        model.save(directory / f"{name}.keras")
        model.save_weights(directory / f"{name}.weights.h5")
    return read(directory)


def read(directory: Path) -> dict[str, np.ndarray]:
    """Answers of everything that this Keras can read."""
    answers = {"run": np.asarray(load_run(directory / "run").probabilities(IMAGES))}
    preset = load_preset(directory / "preset")
    answers["preset"] = np.asarray(preset.probabilities(IMAGES))
    copy = directory / "going on"
    shutil.copytree(directory / "run", copy)
    _train(directory, copy, 3)
    answers["run trained on"] = np.asarray(load_run(copy).probabilities(IMAGES))
    shutil.rmtree(copy)
    serve = tf.saved_model.load(str(directory / "model")).signatures["serving_default"]
    answers["SavedModel"] = serve(pictures=tf.constant(IMAGES))["probabilities"].numpy()
    for name in FILES:
        model = network(name)
        for weight in model.weights:
            weight.assign(tf.zeros_like(weight))
        model.load_weights(directory / f"{name}.weights.h5")
        answers[f"{name}.weights.h5"] = np.asarray(model(INPUTS, training=False))
        try:
            model = load_model(directory / f"{name}.keras")
        except ValueError as error:
            print(f"{name}.keras: {error}")
            continue
        answers[f"{name}.keras"] = np.asarray(model(INPUTS, training=False))
        answers[f"{name}.keras's frozen layers"] = np.array([x.trainable for x in model.layers])
        answers[f"{name}.keras trained on"] = np.asarray(_fitted(model)(INPUTS, training=False))
    return answers


def _fitted(model):
    """The model after a step over the images, by an optimizer of the user's."""
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.SGD(0.001, 0.9), loss, metrics=["accuracy"])
    model.fit(INPUTS, LABELS, verbose=0)
    return model


def _train(directory: Path, run: Path, epochs: int) -> None:
    files = ["--config", str(directory / "tiny.yaml"), "--data", str(directory / "data")]
    if train.main([*files, "--run", str(run), f"training.epochs={epochs}"]):
        raise SystemExit("training failed")


if __name__ == "__main__":
    verb, folder = sys.argv[1], Path(sys.argv[2])
    answers = {"write": write, "read": read}[verb](folder)
    np.savez(folder / ("written.npz" if verb == "write" else "read.npz"), **answers)
