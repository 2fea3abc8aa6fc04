"""python -m alexnet_tf.export: a run as a SavedModel that TensorFlow alone can load and serve."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from alexnet_tf import cli, run_directory
from alexnet_tf.config import ConfigError
from alexnet_tf.data.resize import central_square
from alexnet_tf.data.views import mean_probabilities, views
from alexnet_tf.restore import restored_model
from alexnet_tf.run_directory import Run
from alexnet_tf.weights import weights_of

TOP = 5


class Served(tf.Module):
    """Signatures `serving_default` (pictures as pixels) and `classify` (encoded files).

    Preprocessing, views and class names are inside the graph.
    """

    def __init__(self, run: Run, view_count: int):
        super().__init__(name="alexnet")
        model, transform = restored_model(run)
        self.weights = [weight.variable for weight in weights_of(model)]  # tracked: saved
        info = run.info
        size = info.image_size
        top = min(TOP, len(info.classes))
        synsets = tf.constant([name.synset for name in info.classes])
        texts = tf.constant([name.text for name in info.classes])
        chosen = views(size, transform.size, view_count)

        def probabilities(pictures):
            return mean_probabilities(model, transform, pictures, chosen)

        @tf.function(input_signature=[tf.TensorSpec([None, size, size, 3], tf.uint8, "pictures")])
        def serving_default(pictures):
            """uint8 [n, N, N, 3], RGB → float32 [n, classes]."""
            return {"probabilities": probabilities(pictures)}

        def decode(encoded):
            picture = tf.io.decode_image(encoded, channels=3, expand_animations=False)
            return central_square(picture, size, info.resize_filter)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "encoded")])
        def classify(encoded):
            """Bytes of JPEG, PNG, GIF or BMP files [n] → the most probable classes [n, top]."""
            spec = tf.TensorSpec([size, size, 3], tf.uint8)
            pictures = tf.map_fn(decode, encoded, fn_output_signature=spec)
            best, index = tf.math.top_k(probabilities(pictures), top)
            return {
                "classes": index,
                "synsets": tf.gather(synsets, index),
                "names": tf.gather(texts, index),
                "probabilities": best,
            }

        self.serving_default, self.classify = serving_default, classify


def save(run: Run, output: str | os.PathLike, view_count: int = 1, overwrite: bool = False) -> None:
    """Writes the SavedModel under a temporary name, then renames it.

    Raises ConfigError if `output` exists and may not be replaced, RunError if nothing is trained.
    """
    output = Path(output)
    if output.exists() and not overwrite:
        raise ConfigError(f"--output: expected a new directory, received {output}; or --overwrite")
    served = Served(run, view_count)
    temporary = output.with_name(f".{output.name}.writing-{os.getpid()}")
    signatures = {"serving_default": served.serving_default, "classify": served.classify}
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        tf.saved_model.save(served, str(temporary), signatures=signatures)
        if output.exists():
            old = output.with_name(f".{output.name}.old-{os.getpid()}")
            output.replace(old)
            temporary.replace(output)
            shutil.rmtree(old)
        else:
            temporary.replace(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m alexnet_tf.export", description=__doc__)
    parser.add_argument("--run", required=True, help="run directory")
    parser.add_argument("--output", required=True, help="directory of the SavedModel")
    parser.add_argument(
        "--views", type=int, choices=(1, 10), default=1, help="averaged for each picture; default 1"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    arguments = parser.parse_args(argv)
    run = run_directory.load(arguments.run)
    save(run, arguments.output, arguments.views, arguments.overwrite)
    print(f"exported {arguments.run} to {arguments.output}")
    return 0


if __name__ == "__main__":
    cli.run(main)
