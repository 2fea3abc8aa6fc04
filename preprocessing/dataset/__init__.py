"""The dataset format, owned once, for writer and reader alike; neither TensorFlow nor Beam.

A dataset is a directory of TFRecord shards (`tfrecord`) of ``tf.train.Example`` messages
(`example`) under the names of `names`, with ``dataset_info.json`` (`info`) written last: its
presence means that the dataset is complete.
"""
