"""Fashion vision-language models, from product photos and texts to retrieval ranks."""

import os

# Libraries that this package stands on import Keras, which asks this variable (or the user's
# keras.json) for its backend and stops where that one is not installed. Everything here is
# TensorFlow, so what other projects of the user need does not hold for this process.
os.environ["KERAS_BACKEND"] = "tensorflow"
