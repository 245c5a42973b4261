"""The two GELUs of BERT-like models, by the config's `hidden_gelu`."""

import types
from collections.abc import Callable
from typing import NamedTuple

import tf_keras

from kaleido_tf.layers import fused


class Gelu(NamedTuple):
    """`plain` for every use; `fused`, the same as one compiled loop, for training."""

    plain: Callable
    fused: Callable


def gelu(x):
    """GELU in its tanh approximation, as the originals and Google's BERT have it."""
    return tf_keras.activations.gelu(x, approximate=True)


def exact_gelu(x):
    """GELU by the error function, as Hugging Face's BERT has it."""
    return tf_keras.activations.gelu(x, approximate=False)


GELUS = types.MappingProxyType(
    {"tanh": Gelu(gelu, fused.tanh_gelu), "erf": Gelu(exact_gelu, fused.erf_gelu)}
)
"""By name."""
