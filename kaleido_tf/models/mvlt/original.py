"""What the release of MVLT calls its weights (a PyTorch state dict), to our layers and back."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from kaleido_tf.errors import InputError
from kaleido_tf.models.mvlt.decoder import ImageDecoder, NormalisedConvolution
from kaleido_tf.models.mvlt.layers import STAGES
from kaleido_tf.models.mvlt.model import Mvlt
from kaleido_tf.models.original import OriginalVariable

WORDS = "text_embeddings.word_embeddings.weight"
DECODER = "mlm_head.mlm_decoder.weight"
"""The word embeddings once more, by which the masked-language head decodes."""

_DECODER_PARTS = {"conv_concat2": "mixed_middle", "conv_concat3": "mixed_fine", "conv4": "last"}
_CLASSIFIERS = {
    "itm_head": "next_sentence",
    "sup_cls_head": "category",
    "sub_cls_head": "subcategory",
}


@dataclasses.dataclass(frozen=True)
class ConvolutionKernel(OriginalVariable):
    """A kernel of a convolution: [outputs, inputs, height, width] in the release, [height, width,
    inputs, outputs] here.
    """

    def to_original(self, array: np.ndarray) -> np.ndarray:
        """`array` of our variable's shape in the original's."""
        return array.transpose(3, 2, 0, 1)

    def to_ours(self, array: np.ndarray) -> np.ndarray:
        """`array` of the original's shape in our variable's."""
        return array.transpose(2, 3, 1, 0)

    @property
    def original_shape(self) -> tuple[int, ...]:
        """The variable's shape in the state dict."""
        height, width, inputs, outputs = self.variable.shape
        return outputs, inputs, height, width


def variable_names(model: Mvlt) -> dict[str, OriginalVariable]:
    """Key of the state dict -> variable, of the layers that are built."""
    layers = model.named_layers
    text = layers["text_embedding"]
    names = {
        WORDS: OriginalVariable(text.word_embeddings),
        "text_embeddings.position_embeddings.weight": OriginalVariable(text.position_embeddings),
        "text_embeddings.token_type_embeddings.weight": OriginalVariable(text.segment_embeddings),
        **_norm_names("text_embeddings.LayerNorm", text.layer_norm),
    }
    for stage in STAGES:
        names |= _stage_names(stage, layers[f"stage_{stage}_embedding"])
        for number, block in enumerate(model.blocks_of(stage)):
            names |= _block_names(f"block{stage}.{number}", block)
    if layers["masked_lm"].built:
        names |= _adapter_names("mlm_head_embed", layers["masked_lm_adapter"])
        names |= _masked_lm_names(layers["masked_lm"])
    for key, name in _CLASSIFIERS.items():
        if layers[name].built:
            names |= _classifier_names(key, layers[name])
    if layers["image"].built:
        names |= _decoder_names(layers["image"])
    return names


def load_state(model: Mvlt, state: Mapping[str, np.ndarray]) -> None:
    """Fills every weight of a model's built layers from a state dict, by name and shape.

    Raises: InputError naming keys that are missing, that the model has no place for, or whose shape
      is another; and where the decoder of masked words is not the word embeddings. Nothing is
      changed then.
    """
    names, constants = variable_names(model), constant_arrays(model)
    shapes = {name: entry.original_shape for name, entry in names.items()}
    shapes |= {name: array.shape for name, array in constants.items()}
    optional = {DECODER, *constants}
    _report("lacks", set(names) - set(state))
    _report("holds, without a place in the model,", set(state) - set(names) - optional)
    wrong = {name for name in state if name in shapes and state[name].shape != shapes[name]}
    _report("has in another shape than the model", wrong)
    if DECODER in state and not np.array_equal(state[DECODER], state[WORDS]):
        raise InputError(
            f"{DECODER} must hold the same numbers as {WORDS}, with which the model decodes."
            " Received: others"
        )
    for name, entry in names.items():
        entry.variable.assign(entry.to_ours(state[name]))


def state_of(model: Mvlt) -> dict[str, np.ndarray]:
    """The state dict of a model's built layers, with every key that the release has."""
    state = {
        name: entry.to_original(entry.variable.numpy())
        for name, entry in variable_names(model).items()
    }
    if model.named_layers["masked_lm"].built:
        state[DECODER] = state[WORDS]
    return {**state, **constant_arrays(model)}


def constant_arrays(model: Mvlt) -> dict[str, np.ndarray]:
    """What the state dict holds beside weights: places of words, and counts of training steps that
    nothing reads (0 here).
    """
    places = np.arange(model.config.max_position_embeddings)[None]
    counted = [name for name in variable_names(model) if name.endswith(".running_mean")]
    return {
        "text_embeddings.position_ids": places,
        **{name.replace("running_mean", "num_batches_tracked"): np.int64(0) for name in counted},
    }


def _report(what: str, keys: set[str]) -> None:
    if keys:
        shown = ", ".join(sorted(keys)[:5]) + (" …" if len(keys) > 5 else "")
        raise InputError(
            f"The weights must be those of the model's layers. The state dict {what} {len(keys)}"
            f" key(s): {shown}"
        )


def _stage_names(stage, layer):
    return {
        f"pos_embed{stage}": _table(layer.patch_positions),
        f"text_pos_embed{stage}": _table(layer.text_positions),
        **_convolution_names(f"patch_embed{stage}.proj", layer.patch_projection),
        **_norm_names(f"patch_embed{stage}.norm", layer.patch_norm),
        **_dense_names(f"text_embed{stage}.0", layer.text_projection),
        **_norm_names(f"text_embed{stage}.1", layer.text_norm),
    }


def _block_names(scope, block):
    attention, feed_forward = block.attention, block.feed_forward
    names = {
        **_norm_names(f"{scope}.norm1", block.attention_norm),
        **_dense_names(f"{scope}.attn.q", attention.query),
        **_dense_names(f"{scope}.attn.kv", attention.key_value),
        **_dense_names(f"{scope}.attn.proj", attention.output_projection),
        **_norm_names(f"{scope}.norm2", block.feed_forward_norm),
        **_dense_names(f"{scope}.mlp.fc1", feed_forward.intermediate),
        **_dense_names(f"{scope}.mlp.fc2", feed_forward.output_projection),
    }
    if attention.ratio > 1:
        names |= _convolution_names(f"{scope}.attn.sr", attention.reduction)
        names |= _norm_names(f"{scope}.attn.norm", attention.reduction_norm)
    return names


def _adapter_names(scope, layer):
    return {
        **_dense_names(f"{scope}.0", layer.projection),
        **_norm_names(f"{scope}.1", layer.layer_norm),
    }


def _masked_lm_names(layer):
    return {
        "mlm_head.bias": OriginalVariable(layer.bias),
        **_dense_names("mlm_head.transform.dense", layer.dense),
        **_norm_names("mlm_head.transform.LayerNorm", layer.layer_norm),
    }


def _classifier_names(scope, layer):
    return {
        **_adapter_names(f"{scope}_embed", layer.adapter),
        f"{scope}.linear_bias": OriginalVariable(layer.second_bias),
        **_dense_names(f"{scope}.linear", layer.logits),
    }


def decoder_parts(decoder: ImageDecoder) -> dict[str, NormalisedConvolution]:
    """The decoder's normalised convolutions by what the release calls them."""
    return {
        **{f"reduction{number}": part for number, part in enumerate(decoder.reductions, 1)},
        **{f"conv_upsample{number}": part for number, part in enumerate(decoder.upsampled, 1)},
        **{theirs: getattr(decoder, ours) for theirs, ours in _DECODER_PARTS.items()},
    }


def _decoder_names(decoder):
    names = {}
    for theirs, part in decoder_parts(decoder).items():
        scope, norm = f"t2i_head.{theirs}", part.batch_norm
        names |= {
            f"{scope}.0.weight": ConvolutionKernel(part.convolution.kernel),
            **_norm_names(f"{scope}.1", norm),
            f"{scope}.1.running_mean": OriginalVariable(norm.moving_mean),
            f"{scope}.1.running_var": OriginalVariable(norm.moving_variance),
        }
    return names | _convolution_names("t2i_head.score.0", decoder.colours)


def _table(variable: tf.Variable):
    return OriginalVariable(variable, shape=(1, *variable.shape))


def _dense_names(scope, layer):
    return {
        f"{scope}.weight": OriginalVariable(layer.kernel, transposed=True),
        f"{scope}.bias": OriginalVariable(layer.bias),
    }


def _norm_names(scope, layer):
    return {
        f"{scope}.weight": OriginalVariable(layer.gamma),
        f"{scope}.bias": OriginalVariable(layer.beta),
    }


def _convolution_names(scope, layer):
    return {
        f"{scope}.weight": ConvolutionKernel(layer.kernel),
        f"{scope}.bias": OriginalVariable(layer.bias),
    }
