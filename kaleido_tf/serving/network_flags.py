"""The flags that name the networks of `photo_patches`."""

import dataclasses
import os

from absl import flags

from kaleido_tf.serving.photo_patches import NetworkFiles

WHAT = {
    "backbone_weights": "Weights of the image network that the records were made with",
    "backbone_preprocessing": "JSON file that an ONNX image network needs",
    "foreground_weights": "Weights of the network that found the products",
    "foreground_preprocessing": "JSON file that an ONNX foreground network needs",
}


def define_network_flags(ending: str) -> None:
    """Defines them. Args: ending: of what each says, what for and with what default."""
    for name, what in WHAT.items():
        flags.DEFINE_string(name, None, f"{what}, {ending}")


def networks_of_flags(otherwise: NetworkFiles) -> NetworkFiles:
    """Absolute paths (or `imagenet`, `random`) of the flags that are given; `otherwise` for the
    others.
    """
    given = {name: flags.FLAGS[name].value for name in WHAT}
    paths = {
        name: value if value in ("imagenet", "random") else os.path.abspath(value)
        for name, value in given.items()
        if value
    }
    return dataclasses.replace(otherwise, **paths)
