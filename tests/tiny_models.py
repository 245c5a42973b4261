"""Tiny models of random weights, and inputs for them. All sizes differ."""

import numpy as np
import tensorflow as tf

from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig


def tiny_config(**changes):
    sizes = dict(
        vocab_size=23,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=11,
        patch_feature_size=5,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return KaleidoBertConfig(**{**sizes, **changes})


def random_feed(model, rows, seed=0):
    generator = np.random.default_rng(seed)
    feed = {}
    for name, tensor in model.input.items():
        shape = [rows] + [size or 4 for size in tensor.shape[1:]]
        whole = tensor.dtype == tf.int32
        feed[name] = (
            generator.integers(0, 2, shape).astype(np.int32)
            if whole
            else generator.normal(size=shape).astype(np.float32)
        )
    return {name: tf.constant(value) for name, value in feed.items()}
