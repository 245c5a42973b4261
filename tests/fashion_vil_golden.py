"""The small FashionViL of tests/golden/fashionvil_tiny: its config, weights and batch in our form.
The files are channels-first and speak of the release's modules.
"""

import functools

import numpy as np
import tensorflow as tf

from kaleido_tf.models.fashion_vil import original
from kaleido_tf.models.fashion_vil.config import FashionVilConfig
from kaleido_tf.models.fashion_vil.model import FashionVil
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig
from tests.golden_files import fashion_vil, read_json


@functools.cache
def settings() -> dict:
    """Sizes of the small model and settings of its training steps."""
    return read_json(fashion_vil() / "config.json")


@functools.cache
def arrays(name: str) -> dict[str, np.ndarray]:
    """The arrays of a file by its name without the end."""
    with np.load(fashion_vil() / f"{name}.npz") as content:
        return dict(content)


def tokenizer_config() -> TokenizerConfig:
    """Of the small model's patch tokenizer."""
    given = settings()["vqvae"]
    return TokenizerConfig(
        hidden_dim=given["hidden_dim"],
        multipliers=tuple(given["ch_mult"]),
        num_blocks=given["num_res_blocks"],
        z_channels=given["z_channels"],
        code_dim=given["codebook_dim"],
        num_codes=given["num_tokens"],
        image_side=given["nominal_resolution"],
    )


def config(**changes) -> FashionVilConfig:
    """Of the small model, without dropout."""
    given = settings()
    copied = (
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
        "type_vocab_size",
        "layer_norm_eps",
    )
    values = {
        **{name: given[name] for name in copied},
        "text_seq_len": given["T"],
        "image_side": given["H"],
        "stem_width": given["resnet"]["stem_width"],
        "image_depths": tuple(given["resnet"]["layers"]),
        "num_attributes": given["pac_classes"],
        "patch_tokenizer": tokenizer_config(),
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    return FashionVilConfig(**{**values, **changes})


def model_of(tasks=FashionVil.TASKS, **changes) -> FashionVil:
    """The small model with the release's weights; of `mpfr` with those of the ablation."""
    model = FashionVil(config(**changes), tasks)
    _ = model.trainable_variables  # makes all weights
    for key, entry in original.variable_names(model).items():
        entry.variable.assign(entry.to_ours((weights() | ablation_weights())[key]))
    return model


@functools.cache
def weights() -> dict[str, np.ndarray]:
    """The release's state dict."""
    found = arrays("pretrain_weights")
    if not any("image_tokenizer" in key for key in found):  # as in the repository
        found = found | arrays("vqvae_weights")
    return found


@functools.cache
def ablation_weights() -> dict[str, np.ndarray]:
    """Of the heads of `FashionVil.FURTHER_TASKS`."""
    given = arrays("ablation_tasks")
    return {key.removeprefix("w/"): given[key] for key in given if key.startswith("w/")}


@functools.cache
def shared_model() -> FashionVil:
    """`model_of`, for tests that do not change it."""
    return model_of()


def channels_last(images: np.ndarray) -> np.ndarray:
    """[B, 3, H, W] as [B, H, W, 3]."""
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


@functools.cache
def batch() -> dict[str, tf.Tensor]:
    """The batch, with the draws that the release made for each task."""
    given, outputs = arrays("inputs"), arrays("pretrain_outputs")
    length, size = settings()["T"], settings()["V"]
    hidden = np.zeros([len(given["input_ids"]), length + size], np.int32)
    dropped = ("icc/text_dropout_index", "icc/patch_dropout_index_plus_T")
    hidden[:, np.concatenate([outputs[name] for name in dropped])] = 1
    labels = given["lm_label_ids"]
    known = labels != -1
    values = {
        "images": channels_last(given["image"]),
        "other_images": channels_last(given["dv_image"]),
        "input_ids": given["input_ids"].astype(np.int32),
        "masked_input_ids": given["input_ids_masked"].astype(np.int32),
        "input_mask": given["input_mask"].astype(np.int32),
        "masked_lm_positions": np.tile(np.arange(length, dtype=np.int32), [len(labels), 1]),
        "masked_lm_ids": np.where(known, labels, 0).astype(np.int32),
        "masked_lm_weights": known.astype(np.float32),
        "masked_tokens": given["image_masks"] == 1,
        "attributes": given["attribute_labels"],
        "mismatch_draws": outputs["itm/replace_uniform"].astype(np.float32),
        "hidden_places": hidden,
    }
    return {name: tf.constant(value) for name, value in values.items()}
