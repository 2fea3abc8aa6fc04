"""Raw images to TFRecords: the Beam job that prepares datasets for alexnet_tf."""
