"""Of both packages, as setup.py reads it."""

VERSION = "0.1.0"
