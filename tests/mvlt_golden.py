"""The small MVLT of tests/golden/mvlt_tiny: its config, the weights by their recipe, and batches in
our form. The files are channels-first and speak of the release's modules.
"""

import functools
import math
import zlib

import numpy as np
import tensorflow as tf

from kaleido_tf.models.mvlt import original
from kaleido_tf.models.mvlt.config import MvltConfig
from kaleido_tf.models.mvlt.model import Mvlt
from tests.golden_files import mvlt, read_json

MASKED_PIXEL = 1e-6
"""What the release paints masked regions with."""


@functools.cache
def settings() -> dict:
    """The constructor's values, seeds and the (H, W) of each run."""
    return read_json(mvlt() / "reduced_config.json")


@functools.cache
def arrays(name: str) -> dict[str, np.ndarray]:
    """The arrays of a file by its name without the end."""
    with np.load(mvlt() / f"{name}.npz") as content:
        return dict(content)


def config(**changes) -> MvltConfig:
    """Of the small model, without any chance in training."""
    given = settings()
    values = {
        "vocab_size": given["vocab_size"],
        "hidden_size": given["token_hidden_size"],
        "max_position_embeddings": given["max_position_embeddings"],
        "text_seq_len": given["num_text_tokens"],
        "image_side": given["img_size"],
        "position_side": given["img_size"],
        "depths": tuple(given["depths"]),
        "widths": tuple(given["embed_dims"]),
        "heads": tuple(given["num_heads"]),
        "mlp_ratios": tuple(given["mlp_ratios"]),
        "reduction_ratios": tuple(given["sr_ratios"]),
        "decoder_size": given["decoder_channels"],
        "num_categories": given["num_sup"],
        "num_subcategories": given["num_sub"],
        "hidden_dropout_prob": given["drop_rate"],
        "drop_path_prob": given["drop_path_rate"],
    }
    return MvltConfig(**{**values, **changes})


def model_of(run: str, factor=lambda key, shape: 1.0) -> Mvlt:
    """The small model for the images of a run, with all layers and the recipe's weights, each times
    `factor` of (key, shape).
    """
    model = Mvlt(config(), image_size=tuple(settings()["runs"][run]))
    heads_on(model, model.encoder.output)  # makes all weights
    names = original.variable_names(model)
    shapes = {key: entry.original_shape for key, entry in names.items()}
    for key, entry in names.items():
        array = recipe(key, shapes[key], settings()["weight_seed"])
        entry.variable.assign(entry.to_ours(array * np.float32(factor(key, array.shape))))
    return model


@functools.cache
def shared_model(run: str) -> Mvlt:
    """`model_of` a run, for tests that do not change it."""
    return model_of(run)


def heads_on(model: Mvlt, encoded: dict) -> dict:
    """The logits of all heads on what `encoder` gives for two examples; of every word."""
    layers, words = model.named_layers, encoded["text_states"][-1]
    places = tf.tile(tf.range(model.text_length)[None], [2, 1])
    classes = ("next_sentence", "category", "subcategory")
    return {
        "masked_lm": layers["masked_lm"](layers["masked_lm_adapter"](words), places),
        "image": layers["image"](*encoded["image_maps"][1:]),
        **{name: layers[name](words[:, 0]) for name in classes},
    }


def recipe(key: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """The weight of a key of the state dict (tests/golden/README.md)."""
    random = np.random.RandomState((zlib.crc32(key.encode("ascii")) ^ seed) & 0xFFFFFFFF)
    drawn, last = random.uniform(-1, 1, size=shape), key.rsplit(".", 1)[-1]
    if last in ("running_var", "running_mean"):
        drawn = 1 + 0.4 * drawn if last == "running_var" else 0.2 * drawn
    elif key.startswith(("pos_embed", "text_pos_embed")):
        drawn = 0.5 * drawn
    elif len(shape) == 1:
        drawn = 1 + 0.3 * drawn if last == "weight" else 0.2 * drawn
    elif key.startswith("text_embeddings."):
        drawn = 0.1 * drawn
    else:
        drawn = drawn * math.sqrt(3 / math.prod(shape[1:]))
    return drawn.astype(np.float32)


def batch_of(run: str, given: str) -> dict[str, np.ndarray]:
    """A batch for `pretrainer`.

    Args: given: `clean`, `masked` (of the image) or `eval` (clean, and no word is masked).
    """
    columns = {
        name: array
        for key, array in arrays("reduced_inputs").items()
        for owner, name in [key.split("/")]
        if owner == run
    }
    images, labels = columns["images"], columns["mlm_labels"]
    seen = np.where(columns["mask"], np.float32(MASKED_PIXEL), images)
    return {
        "images": channels_last(seen if given == "masked" else images),
        "image_targets": channels_last(images),
        "input_ids": columns["ori_input_ids" if given == "eval" else "input_ids"].astype(np.int32),
        "masked_lm_positions": np.tile(np.arange(labels.shape[1], dtype=np.int32), [2, 1]),
        "masked_lm_ids": np.maximum(labels, 0).astype(np.int32),
        "masked_lm_weights": (labels >= 0).astype(np.float32),
        "next_sentence_label": columns["itm_labels"][:, 0].astype(np.int32),
        "category_label": columns["sup_cls_labels"][:, 0].astype(np.int32),
        "subcategory_label": columns["sub_cls_labels"][:, 0].astype(np.int32),
    }


def encoder_feed(batch: dict) -> dict:
    """The part of a batch that the encoder reads."""
    return {name: batch[name] for name in ("images", "input_ids")}


def pretraining_feed(batch: dict) -> dict:
    """The part of a batch that the pretrainer reads."""
    return {name: array for name, array in batch.items() if not name.endswith("category_label")}


def channels_last(array: np.ndarray) -> np.ndarray:
    """[B, C, H, W] -> [B, H, W, C]."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1))


def channels_first(array) -> np.ndarray:
    """[B, H, W, C] -> [B, C, H, W]; other ranks as they are."""
    array = np.asarray(array)
    return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array
