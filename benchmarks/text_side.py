"""What a model's text side computes without an image, for comparison with text encoders."""

import numpy as np
import tensorflow as tf

from kaleido_tf.models.cross_modal import CrossModalBert


def text_outputs(model: CrossModalBert, ids: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs for ids and mask [N, S] int: `embedding_output`, `layer_<n>` and
    `last_hidden_state` [N, S, H], `pooled_output` [N, H].
    """
    layers = model.named_layers
    hidden = layers["text_embedding"](tf.constant(ids, tf.int32), tf.zeros(ids.shape, tf.int32))
    outputs = {"embedding_output": hidden}
    seen = tf.constant(mask, hidden.dtype)[:, None]
    for number in range(model.config.num_hidden_layers):
        hidden = layers[f"encoder_layer_{number}"]([hidden, seen])
        outputs[f"layer_{number}"] = hidden
    outputs |= {"last_hidden_state": hidden, "pooled_output": layers["pooler"](hidden)}
    return {name: value.numpy() for name, value in outputs.items()}
