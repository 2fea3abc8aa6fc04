"""Images made of arrays: the paper's figures and what belongs to them. No TensorFlow here."""
