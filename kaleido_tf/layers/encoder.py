"""The cross-modality transformer (Kaleido-BERT, section 3.5): BERT's encoder over text and patches."""

import tf_keras
from official.nlp.modeling import layers as tfm_layers

from kaleido_tf.layers.text_embedding import LAYER_NORM_EPSILON


def gelu(x):
    """GELU in its tanh approximation, as BERT has it."""
    return tf_keras.activations.gelu(x, approximate=True)


def encoder_blocks(num_layers, num_heads, intermediate_size, dropout, attention_dropout, initializer_range):
    """`num_layers` post-norm blocks, to be applied one after the other on (hidden [B, T, H], mask [B, 1, T]).

    The mask is 1 for a place that may be attended to, 0 for one that may not; it holds for every query.
    """
    return [
        tfm_layers.TransformerEncoderBlock(
            num_attention_heads=num_heads,
            inner_dim=intermediate_size,
            inner_activation=gelu,
            output_dropout=dropout,
            attention_dropout=attention_dropout,
            norm_epsilon=LAYER_NORM_EPSILON,
            kernel_initializer=tf_keras.initializers.TruncatedNormal(stddev=initializer_range),
            name=f"encoder_layer_{number}",
        )
        for number in range(num_layers)
    ]
