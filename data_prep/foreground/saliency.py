"""A small U-Net that marks the product's pixels (Kaleido-BERT, section 3.2, footnote 4: "a simple
UNet-like network").

An encoder gives maps at strides 2, 4, 8 and 16; the decoder doubles the deepest one again and again
and joins it with the next finer map, up to the pixels themselves. The encoder is either trained
from scratch (`plain`) or SqueezeNet 1.1, whose ImageNet weights can be loaded (`squeezenet`).
Photos are letter-boxed to a square, so that many of any size share a batch.

N = photos, S = working side in pixels, H, W = a photo's own size.
"""

import dataclasses
import os

import cv2
import numpy as np
import tensorflow as tf
import tf_keras

from data_prep.features.backbones import IMAGENET_MEAN_BGR
from data_prep.features.hdf5_weights import load_hdf5_weights
from kaleido_tf.errors import InputError
from kaleido_tf.files.network_file import network_digest, read_network, write_network
from kaleido_tf.settings import setting

ENCODERS = ("plain", "squeezenet")
STRIDE = 16  # of the deepest map; the working side is a multiple of it
THRESHOLD = 0.5  # of the probability; above it a pixel is product
_KIND = "saliency U-Net of kaleido_tf"
# RGB; about zero for the network
GREY = tuple(round(mean) for mean in reversed(IMAGENET_MEAN_BGR))
_BATCH = 16


@dataclasses.dataclass(frozen=True)
class UNetSettings:
    """Sizes of the network. Photos are letter-boxed to squares of `side` pixels."""

    encoder: str = setting("plain", "encoder", "plain, or squeezenet (1.1).", choices=ENCODERS)
    width: int = setting(
        16,
        "width",
        "Channels at stride 1, 1 to 128; each halving of the map doubles them, to 8 times as many.",
    )
    side: int = setting(
        160, "side", f"Working size in pixels, a multiple of {STRIDE} from {2 * STRIDE} to 1024."
    )

    def __post_init__(self):  # types, too: network files bring these values
        if self.encoder not in ENCODERS:
            raise InputError(
                f"`encoder` must be one of {', '.join(ENCODERS)}. Received: {self.encoder!r}"
            )
        if type(self.width) is not int or not 1 <= self.width <= 128:
            raise InputError(
                f"`width` must be a number of channels from 1 to 128. Received: {self.width!r}"
            )
        if type(self.side) is not int or self.side % STRIDE or not 2 * STRIDE <= self.side <= 1024:
            raise InputError(
                f"`side` must be a multiple of {STRIDE} from {2 * STRIDE} to 1024 pixels. Received:"
                f" {self.side!r}"
            )


def build_unet(settings: UNetSettings) -> tf_keras.Model:
    """[N, S, S, 3] float32 from `prepare` -> [N, S, S, 1] float32 logits of "product". Fully
    convolutional.

    Any height and width that are multiples of `STRIDE` go through, not the settings' side alone.
    """
    layers = tf_keras.layers
    inputs = layers.Input([None, None, 3])
    encode = _squeezenet_maps if settings.encoder == "squeezenet" else _plain_maps
    *skips, x = encode(inputs, settings.width)
    x = _block(x, 8 * settings.width, 1, "bottom")
    # What the picture as a whole is decides what its subject is: its mean is added at every place.
    whole = layers.GlobalAveragePooling2D(keepdims=True, name="whole")(x)
    x = layers.Add(name="bottom_and_whole")(
        [x, layers.Conv2D(8 * settings.width, 1, name="whole_conv")(whole)]
    )
    for stride, skip in zip((8, 4, 2), reversed(skips)):
        width = stride * settings.width
        x = layers.UpSampling2D(interpolation="bilinear", name=f"up{stride}")(x)
        # A pretrained encoder's maps have any scale, so the joined ones are normalised before they
        # meet.
        x = layers.Concatenate(name=f"join{stride}")(
            [x, _block(skip, width // 2, 1, f"skip{stride}")]
        )
        x = _block(_block(x, width, 3, f"decode{stride}a"), width, 3, f"decode{stride}b")
    x = layers.UpSampling2D(interpolation="bilinear", name="up1")(x)
    x = layers.Concatenate(name="join1")(
        [x, layers.BatchNormalization(momentum=0.9, name="pixels")(inputs)]
    )
    x = _block(x, settings.width, 3, "decode1")
    return tf_keras.Model(
        inputs, layers.Conv2D(1, 1, name="logits")(x), name=f"unet_{settings.encoder}"
    )


def _block(x, width: int, kernel: int, name: str, strides: int = 1):
    """Convolution, batch normalisation (a momentum for runs of some hundred steps), ReLU."""
    layers = tf_keras.layers
    x = layers.Conv2D(width, kernel, strides=strides, padding="same", use_bias=False, name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(
        layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    )


def _plain_maps(x, width: int) -> list:
    """Maps at strides 2, 4, 8 and 16."""
    maps = []
    for stride in (2, 4, 8, 16):
        channels = min(stride, 8) * width
        x = _block(
            _block(x, channels, 3, f"encode{stride}a", strides=2), channels, 3, f"encode{stride}b"
        )
        maps.append(x)
    return maps


def _squeezenet_maps(x, _) -> list:
    """Maps at strides 2, 4, 8 and 16 of SqueezeNet 1.1, with the layer names of its public weights.

    Padded where the original is not, so that a map has exactly half the side of the one before.
    """
    layers = tf_keras.layers
    x = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu", name="conv1")(x)
    maps = [x]
    for fires, squeeze, expand in (
        ((2, 3), 16, 64),
        ((4, 5), 32, 128),
        ((6, 7), 48, 192),
        ((8, 9), 64, 256),
    ):
        if fires[0] < 8:
            x = layers.MaxPool2D(3, strides=2, padding="same", name=f"pool{fires[0]}")(x)
        for name in (f"fire{number}" for number in fires):
            s = layers.Conv2D(squeeze, 1, activation="relu", name=f"{name}/squeeze1x1")(x)
            left = layers.Conv2D(expand, 1, activation="relu", name=f"{name}/expand1x1")(s)
            right = layers.Conv2D(
                expand, 3, padding="same", activation="relu", name=f"{name}/expand3x3"
            )(s)
            x = layers.Concatenate(name=f"{name}/concat")([left, right])
        if fires[0] in (2, 4, 8):  # fire6 to fire9 share one stride
            maps.append(x)
    return maps


def load_encoder_weights(model: tf_keras.Model, path: str | os.PathLike) -> None:
    """Fills the SqueezeNet encoder of `model` from a Keras HDF5 file, by layer name and shape.

    Raises: InputError for another encoder, or as `backbones.load_hdf5_weights`.
    """
    names = [
        layer.name
        for layer in model.layers
        if layer.name == "conv1" or layer.name.startswith("fire")
    ]
    if not names:
        raise InputError(
            f"Weights of an encoder (--encoder_weights) need --encoder=squeezenet. Received: {path}"
            f" for {model.name}"
        )
    # The file's reader takes a whole model: what lies between the input and the encoder's last map.
    load_hdf5_weights(
        tf_keras.Model(model.input, model.get_layer(names[-1]).output, name="squeezenet"), path
    )


def prepare(images: tf.Tensor) -> tf.Tensor:
    """RGB 0..255 [N, S, S, 3] to what the network takes: BGR minus the ImageNet mean, float32, as
    SqueezeNet's weights expect.
    """
    return tf.cast(images, tf.float32)[..., ::-1] - tf.constant(IMAGENET_MEAN_BGR)


def letter_box(image: np.ndarray, side: int) -> tuple[np.ndarray, tuple[slice, slice]]:
    """[H, W, 3] uint8 -> ([side, side, 3] uint8, rows and columns where the picture lies); the rest
    is grey.

    The long side becomes `side`, the picture stands in the middle.
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    rows, columns = max(1, round(scale * height)), max(1, round(scale * width))
    small = cv2.resize(
        image, (columns, rows), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    top, left = (side - rows) // 2, (side - columns) // 2
    place = slice(top, top + rows), slice(left, left + columns)
    square = np.empty((side, side, 3), np.uint8)
    square[:] = GREY
    square[place] = small
    return square, place


class SaliencyNet:
    """A trained network. Attributes: settings; model; `digest`: sha256 over its settings and the
    names, shapes and bytes of its weights.
    """

    def __init__(self, settings: UNetSettings, model: tf_keras.Model):
        self.settings, self.model = settings, model
        self.digest = network_digest(settings, model)
        square = [None, settings.side, settings.side, 3]
        self._probabilities = tf.function(
            lambda images: tf.sigmoid(model(prepare(images), training=False)[..., 0]),
            [tf.TensorSpec(square, tf.uint8)],
        )

    def masks(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """[H, W, 3] uint8 RGB each, of any sizes -> [H, W] float32 each: the probability that a
        pixel is product.

        Raises: InputError for an array of another kind.
        """
        for image in images:
            check_picture(image)
        maps = []
        for start in range(0, len(images), _BATCH):
            batch = images[start : start + _BATCH]
            squares, places = zip(*(letter_box(image, self.settings.side) for image in batch))
            for image, place, probabilities in zip(
                batch, places, self._probabilities(np.stack(squares)).numpy()
            ):
                height, width = image.shape[:2]
                maps.append(
                    cv2.resize(
                        probabilities[place], (width, height), interpolation=cv2.INTER_LINEAR
                    )
                )
        return maps


def check_picture(image: np.ndarray) -> None:
    """Raises InputError unless `image` is [H, W, 3] uint8 with at least one pixel."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise InputError(
            f"an RGB picture [H, W, 3] of uint8 was needed. Received: shape {image.shape},"
            f" {image.dtype}"
        )


def save_saliency(path: str | os.PathLike, settings: UNetSettings, model: tf_keras.Model) -> None:
    """Writes one safetensors file (see `network_file`)."""
    write_network(path, _KIND, settings, model)


def load_saliency(path: str | os.PathLike) -> SaliencyNet:
    """Reads what `save_saliency` wrote. Raises: InputError as `network_file.read_network`."""
    return SaliencyNet(
        *read_network(
            path,
            _KIND,
            UNetSettings,
            build_unet,
            "a saliency network (a file that data_prep.train_saliency wrote)",
        )
    )
