"""AlexNet in TensorFlow: network, training, evaluation, export."""

import os

# TensorFlow announces its CPU features and missing GPUs at every start; errors still show.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
