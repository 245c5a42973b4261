"""The layers of an MVLT by name, made from its config."""

import numpy as np
import tf_keras

from kaleido_tf.layers.fused import exact_gelu
from kaleido_tf.layers.heads import MaskedLanguage
from kaleido_tf.models.mvlt.blocks import NORM_EPSILON, PyramidBlock
from kaleido_tf.models.mvlt.config import PATCH_STRIDES, MvltConfig
from kaleido_tf.models.mvlt.decoder import ImageDecoder
from kaleido_tf.models.mvlt.embeddings import StageEmbedding, WordEmbedding
from kaleido_tf.models.mvlt.heads import FirstWordClassifier, HeadAdapter

STAGES = range(1, len(PATCH_STRIDES) + 1)
TEXT_NORM_EPSILON = 1e-12


def make_layers(config: MvltConfig) -> dict[str, tf_keras.layers.Layer]:
    """Every layer with weights, by the name a checkpoint gives it."""
    layers = {
        "text_embedding": WordEmbedding(
            config.vocab_size,
            config.hidden_size,
            config.max_position_embeddings,
            config.type_vocab_size,
            config.hidden_dropout_prob,
            config.initializer_range,
            TEXT_NORM_EPSILON,
            position_range=config.position_initializer_range,
            name="text_embedding",
        )
    }
    drop_probs = iter(np.linspace(0, config.drop_path_prob, sum(config.depths)).tolist())
    for stage in STAGES:
        layers |= _stage_layers(config, stage, drop_probs)
    return {**layers, **_head_layers(config, layers["text_embedding"].word_embeddings)}


def _stage_layers(config, stage, drop_probs):
    index, last = stage - 1, stage == STAGES[-1]
    width = config.widths[index]
    embedding = StageEmbedding(
        width,
        config.text_seq_len,
        (3, *config.widths)[index],
        PATCH_STRIDES[index],
        config.position_side // int(np.prod(PATCH_STRIDES[:stage])),
        1 if last else 0,  # where PVT has its class token
        config.initializer_range,
        name=f"stage_{stage}_embedding",
    )
    blocks = [
        PyramidBlock(
            width,
            config.heads[index],
            config.mlp_ratios[index],
            config.reduction_ratios[index],
            next(drop_probs),
            config.initializer_range,
            name=f"stage_{stage}_block_{number}",
        )
        for number in range(config.depths[index])
    ]
    return {layer.name: layer for layer in (embedding, *blocks)}


def _head_layers(config, word_embeddings):
    size, spread = config.hidden_size, config.initializer_range
    classes = {
        "next_sentence": 2,
        "category": config.num_categories,
        "subcategory": config.num_subcategories,
    }
    return {
        "masked_lm_adapter": HeadAdapter(size, spread, name="masked_lm_adapter"),
        "masked_lm": MaskedLanguage(
            word_embeddings,
            activation=exact_gelu,
            initializer=tf_keras.initializers.RandomNormal(stddev=spread),
            layer_norm_eps=NORM_EPSILON,
            name="masked_lm",
        ),
        **{
            name: FirstWordClassifier(count, size, spread, name=name)
            for name, count in classes.items()
        },
        "image": ImageDecoder(config.decoder_size, config.widths[1:], name="image"),
    }
