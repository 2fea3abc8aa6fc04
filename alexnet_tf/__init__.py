"""AlexNet in TensorFlow: network, training, evaluation, export."""
