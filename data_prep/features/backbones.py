"""Image networks that turn patches into features (Kaleido-BERT, section 3.2: ResNet-50).

A backbone of tf_keras is a fully convolutional network with global average pooling: any patch size
goes in, F floats come out. Weights are read from HDF5 as arrays, by layer name and shape; nothing
stored in a file is ever executed. Any other image network comes as an ONNX file (`onnx_features`).
"""

import dataclasses
import inspect
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras

from data_prep.features.hdf5_weights import load_hdf5_weights, weights_digest
from data_prep.features.input_sizes import InputSizes
from data_prep.features.onnx_features import OnnxFeatures
from kaleido_tf.errors import InputError

IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)
ALIASES = {"resnet50": "ResNet50"}
SMALLEST_SIDES = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}
"""Pixels a side below which a network's maps vanish (tf_keras checks this only for inputs of a
fixed size).
"""


ONNX = "onnx"


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A feature network.

    `extract`: [N, h, w, 3] uint8 RGB -> [N, feature_size] float32, an array or a tensor.
    `feature_map`: the same before it is pooled, [N, rows, columns, map_channels]; map_channels is 0
      where there is none.
    `map_side`: pixels a side of a square -> rows of its map. `sizes`: of the patches it takes.
    `digest`: sha256 over the weights' names, shapes and bytes; of an ONNX file over its bytes and
      `preprocessing`, which is what was settled of it, as JSON can hold it.
    `model`: of tf_keras.
    """

    name: str
    weights: str
    feature_size: int
    map_channels: int
    sizes: InputSizes
    digest: str
    extract: Callable[[np.ndarray], np.ndarray]
    feature_map: Callable[[np.ndarray], np.ndarray]
    map_side: Callable[[int], int]
    preprocessing: dict | None = None
    model: tf_keras.Model | None = None


def build_backbone(name: str, weights: str, seed: int = 0, preprocessing: str = "") -> Backbone:
    """Builds a backbone and loads its weights.

    Args:
      name: `squeezenet` (1.1, 512 floats), `resnet50` (2048 floats), any model of
        `tf_keras.applications`, or `onnx`.
      weights: `imagenet` (downloaded by tf_keras once), `random` (seeded; for tests and drawn
        catalogues) or the path of a Keras HDF5 file; with `onnx` that of an ONNX file.
      seed: of random weights.
      preprocessing: with `onnx`: the JSON file that says what the graph does not.
    Raises: InputError for an unknown name, a missing or unreadable file, or arrays that do not fit
      the network.
    """
    check_backbone_choice(name, weights, preprocessing)
    if name == ONNX:
        return _onnx(weights, preprocessing)
    if name == "squeezenet":
        model, preprocess, smallest = _squeezenet(), _caffe_preprocess, 31
    else:
        model, preprocess, smallest = _application(name, weights)
    if weights == "random":
        _draw_weights(model, seed)
    if weights not in ("imagenet", "random"):
        load_hdf5_weights(model, weights)

    convolutions = tf_keras.Model(model.input, model.layers[-1].input)  # the last layer pools

    def runs(network):
        pixels = tf.TensorSpec([None, None, None, 3], tf.uint8)
        return tf.function(
            lambda images: network(preprocess(tf.cast(images, tf.float32)), training=False),
            [pixels],
        )

    return Backbone(
        name,
        weights,
        feature_size=model.output_shape[-1],
        map_channels=convolutions.output_shape[-1],
        sizes=InputSizes(smallest),
        digest=weights_digest(model),
        extract=runs(model),
        feature_map=runs(convolutions),
        map_side=lambda side: convolutions.compute_output_shape((None, side, side, 3))[1],
        model=model,
    )


def check_backbone_choice(name: str, weights: str, preprocessing: str) -> None:
    """Raises InputError unless the three fit together; reads no file."""
    if name == "squeezenet" and weights == "imagenet":
        raise InputError(
            "--backbone=squeezenet needs --backbone_weights=PATH"
            " (squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5) or random: tf_keras has"
            " no download for it. Received: imagenet"
        )
    if name == ONNX and weights in ("imagenet", "random"):
        raise InputError(
            f"--backbone=onnx needs --backbone_weights=PATH of an ONNX file. Received: {weights}"
        )
    if name != ONNX and preprocessing:
        raise InputError(
            "--backbone_preprocessing belongs to --backbone=onnx. Received:"
            f" --backbone={name}, --backbone_preprocessing={preprocessing}"
        )
    if name != ONNX and weights.endswith(".onnx"):
        raise InputError(
            "--backbone_weights of an ONNX file needs --backbone=onnx. Received:"
            f" --backbone={name}, --backbone_weights={weights}"
        )


def _onnx(weights: str, preprocessing: str) -> Backbone:
    network = OnnxFeatures(weights, preprocessing)
    return Backbone(
        ONNX,
        weights,
        network.feature_size,
        network.map_channels,
        network.sizes,
        network.digest,
        network.extract,
        network.feature_map,
        network.map_side,
        network.preprocessing,
    )


def check_backbone(backbone: Backbone, dataset: dict, where: str) -> None:
    """Raises: InputError unless records (their `dataset.json`) were made with this backbone,
    weights and all.
    """
    if backbone.digest == dataset["backbone_digest"]:
        return
    there, here = dataset.get("backbone_preprocessing") or {}, backbone.preprocessing or {}
    differ = [
        f"{key}: {there.get(key)!r} there, {here.get(key)!r} now"
        for key in sorted({*there, *here})
        if backbone.name == dataset["backbone"] and there.get(key) != here.get(key)
    ]
    told = f" ({'; '.join(differ)})" if differ else ""
    raise InputError(
        f"{where} holds features of {dataset['backbone']} with weights"
        f" {dataset['backbone_digest'][:12]} (sha256). Received: {backbone.name} with weights"
        f" {backbone.digest[:12]}{told}"
    )


def _draw_weights(model: tf_keras.Model, seed: int) -> None:
    """Gives every kernel random weights that depend on `seed` alone."""
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, (tf_keras.layers.Conv2D, tf_keras.layers.Dense)):
            for weight in layer.trainable_weights:
                if weight.shape.rank > 1:  # He normal: keeps the size of activations through ReLUs
                    fan_in = np.prod(weight.shape[:-1])
                    weight.assign(generator.normal(0.0, np.sqrt(2.0 / fan_in), weight.shape))


def _caffe_preprocess(images: tf.Tensor) -> tf.Tensor:
    """RGB 0..255 to BGR minus the ImageNet mean, no scaling."""
    return images[..., ::-1] - tf.constant(IMAGENET_MEAN_BGR)


def _squeezenet() -> tf_keras.Model:
    """SqueezeNet 1.1 (Iandola et al. 2016) without its classifier; layer names as in the public
    Keras weights.
    """
    layers = tf_keras.layers
    inputs = layers.Input([None, None, 3])
    x = layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(inputs)
    for fire, squeeze, expand in ((2, 16, 64), (4, 32, 128), (6, 48, 192), (8, 64, 256)):
        if fire < 8:  # three poolings in all: stride 16 at the output
            x = layers.MaxPool2D(3, strides=2)(x)
        for number in (fire, fire + 1):
            name = f"fire{number}"
            s = layers.Conv2D(squeeze, 1, activation="relu", name=f"{name}/squeeze1x1")(x)
            left = layers.Conv2D(expand, 1, activation="relu", name=f"{name}/expand1x1")(s)
            right = layers.Conv2D(
                expand, 3, padding="same", activation="relu", name=f"{name}/expand3x3"
            )(s)
            x = layers.Concatenate()([left, right])
    return tf_keras.Model(inputs, layers.GlobalAveragePooling2D()(x), name="squeezenet")


def _application(name: str, weights: str) -> tuple[tf_keras.Model, Callable, int]:
    module, build = _find_application(name)
    try:
        model = build(
            include_top=False,
            weights="imagenet" if weights == "imagenet" else None,
            pooling="avg",
            input_shape=(None, None, 3),
        )
    # the download error differs by version and network; its text is what matters
    except Exception as error:
        if weights != "imagenet":
            raise
        raise InputError(
            f"ImageNet weights of {name} could not be had: {error}. Pass --backbone_weights=PATH of"
            " a Keras HDF5 file, or --backbone_weights=random to say that random features are"
            " meant"
        ) from error
    return model, module.preprocess_input, SMALLEST_SIDES.get(build.__name__, 32)


def _find_application(name: str):
    """The module and constructor of a `tf_keras.applications` model, by name without regard to
    case.
    """
    attribute_name = ALIASES.get(name.lower(), name).lower()
    known = []
    for module in vars(tf_keras.applications).values():
        if inspect.ismodule(module) and hasattr(module, "preprocess_input"):
            for attribute, value in vars(module).items():
                if inspect.isfunction(value) and attribute[:1].isupper():
                    known.append(attribute)
                    if attribute.lower() == attribute_name:
                        return module, value
    raise InputError(
        f"--backbone must be onnx, squeezenet or one of {', '.join(sorted(set(known)))}. Received:"
        f" {name}"
    )
