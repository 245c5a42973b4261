"""What the release of MVLT calls its weights (a PyTorch state dict), to our layers and back."""

import numpy as np
import tensorflow as tf

from kaleido_tf.models.mvlt.decoder import ImageDecoder, NormalisedConvolution
from kaleido_tf.models.mvlt.heads import FirstWordClassifier
from kaleido_tf.models.mvlt.layers import STAGES
from kaleido_tf.models.mvlt.model import Mvlt
from kaleido_tf.models.mvlt.pyramid_start import BODY, check_start, table_changes
from kaleido_tf.models.original import (
    ConvolutionKernel,
    Original,
    OriginalVariable,
    torch_convolution_names,
    torch_dense_names,
    torch_norm_names,
)
from kaleido_tf.models.state_dict import StateDict, untrained_counts

WORDS = "text_embeddings.word_embeddings.weight"
DECODER = "mlm_head.mlm_decoder.weight"
"""The word embeddings once more, by which the masked-language head decodes."""

HEADS = {
    "masked_lm": "mlm_head.bias",
    "next_sentence": "itm_head.linear.weight",
    "image": "t2i_head.score.0.weight",
    "category": "sup_cls_head.linear.weight",
    "subcategory": "sub_cls_head.linear.weight",
}
"""Layer of a head -> a key that is there with it."""

_DECODER_PARTS = {"conv_concat2": "mixed_middle", "conv_concat3": "mixed_fine", "conv4": "last"}
_CLASSIFIERS = {
    "itm_head": "next_sentence",
    "sup_cls_head": "category",
    "sub_cls_head": "subcategory",
}


RECOGNISES = {"catepred": "sup_cls_head", "subcatepred": "sub_cls_head"}
"""Task of recognition -> its head, of which the release's model has both."""


def variable_names(model: Mvlt) -> dict[str, OriginalVariable]:
    """Key of the state dict -> variable, of the layers that are built."""
    layers = model.named_layers
    text = layers["text_embedding"]
    names = {
        WORDS: OriginalVariable(text.word_embeddings),
        "text_embeddings.position_embeddings.weight": OriginalVariable(text.position_embeddings),
        "text_embeddings.token_type_embeddings.weight": OriginalVariable(text.segment_embeddings),
        **torch_norm_names("text_embeddings.LayerNorm", text.layer_norm),
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


def repeated_variables(model: Mvlt) -> dict[str, OriginalVariable]:
    """What the state dict holds a second time: the matrix by which masked words are decoded."""
    if not model.named_layers["masked_lm"].built:
        return {}
    return {DECODER: OriginalVariable(model.named_layers["text_embedding"].word_embeddings)}


def head_names(head: FirstWordClassifier) -> dict[str, OriginalVariable]:
    """Key of the state dict -> variable, of a head of recognition that is built."""
    task = head.name.removesuffix("_dense")
    return _classifier_names(RECOGNISES[task], head) if head.built else {}


def build_heads(model: Mvlt, heads: tuple[str, ...]) -> None:
    """Makes the weights of the pyramid and of those of `HEADS` that stand in a checkpoint together:
    masked words never without matching, and both lists of classes.
    """
    if {"masked_lm", "image"} & set(heads):
        _ = model.pretrainer
    elif "next_sentence" in heads:
        _ = model.matcher
    if {"category", "subcategory"} & set(heads):
        _ = model.classifier
    if not heads:
        _ = model.encoder


def constant_arrays(model: Mvlt) -> dict[str, np.ndarray]:
    """What the state dict holds beside weights: places of words, and counts of training steps that
    nothing reads (0 here).
    """
    places = np.arange(model.config.max_position_embeddings)[None]
    return {"text_embeddings.position_ids": places, **untrained_counts(variable_names(model))}


def _stage_names(stage, layer):
    return {
        f"pos_embed{stage}": _table(layer.patch_positions),
        f"text_pos_embed{stage}": _table(layer.text_positions),
        **torch_convolution_names(f"patch_embed{stage}.proj", layer.patch_projection),
        **torch_norm_names(f"patch_embed{stage}.norm", layer.patch_norm),
        **torch_dense_names(f"text_embed{stage}.0", layer.text_projection),
        **torch_norm_names(f"text_embed{stage}.1", layer.text_norm),
    }


def _block_names(scope, block):
    attention, feed_forward = block.attention, block.feed_forward
    names = {
        **torch_norm_names(f"{scope}.norm1", block.attention_norm),
        **torch_dense_names(f"{scope}.attn.q", attention.query),
        **torch_dense_names(f"{scope}.attn.kv", attention.key_value),
        **torch_dense_names(f"{scope}.attn.proj", attention.output_projection),
        **torch_norm_names(f"{scope}.norm2", block.feed_forward_norm),
        **torch_dense_names(f"{scope}.mlp.fc1", feed_forward.intermediate),
        **torch_dense_names(f"{scope}.mlp.fc2", feed_forward.output_projection),
    }
    if attention.ratio > 1:
        names |= torch_convolution_names(f"{scope}.attn.sr", attention.reduction)
        names |= torch_norm_names(f"{scope}.attn.norm", attention.reduction_norm)
    return names


def _adapter_names(scope, layer):
    return {
        **torch_dense_names(f"{scope}.0", layer.projection),
        **torch_norm_names(f"{scope}.1", layer.layer_norm),
    }


def _masked_lm_names(layer):
    return {
        "mlm_head.bias": OriginalVariable(layer.bias),
        **torch_dense_names("mlm_head.transform.dense", layer.dense),
        **torch_norm_names("mlm_head.transform.LayerNorm", layer.layer_norm),
    }


def _classifier_names(scope, layer):
    return {
        **_adapter_names(f"{scope}_embed", layer.adapter),
        f"{scope}.linear_bias": OriginalVariable(layer.second_bias),
        **torch_dense_names(f"{scope}.linear", layer.logits),
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
            **torch_norm_names(f"{scope}.1", norm),
            f"{scope}.1.running_mean": OriginalVariable(norm.moving_mean),
            f"{scope}.1.running_var": OriginalVariable(norm.moving_variance),
        }
    return names | torch_convolution_names("t2i_head.score.0", decoder.colours)


def _table(variable: tf.Variable):
    return OriginalVariable(variable, shape=(1, *variable.shape))


ORIGINAL = Original(
    names=variable_names,
    state_dict=StateDict(
        heads=HEADS,
        build=build_heads,
        repeated=repeated_variables,
        constants=constant_arrays,
        bodies=(BODY,),
        whole=WORDS,
        check_start=check_start,
        changes=table_changes,
        classifiers={task: f"{head}.linear.weight" for task, head in RECOGNISES.items()},
    ),
    head_names=head_names,
)
