"""The core of MNIST Lab: everything the screens show, usable without them."""

import os

# TensorFlow reads it when it is imported, wherever in the core that happens first: errors only.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
