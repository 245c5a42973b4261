"""Reconstructs an image from the maps of the last three stages: a feature pyramid without any
activation.

B = batch, c = decoder size.
"""

import tensorflow as tf
import tf_keras

from kaleido_tf.layers.empty_batches import with_examples
from kaleido_tf.models.mvlt.blocks import NORM_EPSILON
from kaleido_tf.models.mvlt.config import PATCH_STRIDES
from kaleido_tf.models.mvlt.initializers import convolution
from kaleido_tf.models.mvlt.resizing import resize

MOVING_AVERAGE = 0.9
"""How much of a running mean a step keeps."""


class NormalisedConvolution(tf_keras.layers.Layer):
    """3 x 3 convolution without bias, and batch normalisation. [B, h, w, inputs] -> [B, h, w,
    outputs].
    """

    def __init__(self, inputs, outputs, **kwargs):
        super().__init__(**kwargs)
        self.inputs, self.outputs = inputs, outputs
        self.convolution = convolution(
            inputs, outputs, 3, 1, use_bias=False, padding="same", name="convolution"
        )
        self.batch_norm = tf_keras.layers.BatchNormalization(
            momentum=MOVING_AVERAGE, epsilon=NORM_EPSILON, name="batch_norm"
        )

    def call(self, maps):
        return self.batch_norm(self.convolution(maps))

    def get_config(self):
        return {**super().get_config(), "inputs": self.inputs, "outputs": self.outputs}


class ImageDecoder(tf_keras.layers.Layer):
    """Mixes three maps from coarse to fine and paints the image.

    Inputs: maps of stages 2, 3 and 4, [B, h, w, C] each half as high and wide as the one before.
    Output: [B, 8 h, 8 w, 3] float32, an image in [0, 1] without any bound that would hold it there.

    Args: size: c. widths: C of the three maps.
    """

    def __init__(self, size, widths, **kwargs):
        super().__init__(**kwargs)
        self.size, self.widths = size, tuple(widths)
        parts = NormalisedConvolution
        self.reductions = [
            parts(width, size, name=f"reduction_{stage}") for stage, width in enumerate(widths, 2)
        ]
        self.upsampled = [parts(size, size, name=f"upsampled_{number}") for number in range(1, 5)]
        self.upsampled.append(parts(2 * size, 2 * size, name="upsampled_5"))
        self.mixed_middle = parts(2 * size, 2 * size, name="mixed_middle")
        self.mixed_fine = parts(3 * size, 3 * size, name="mixed_fine")
        self.last = parts(3 * size, 3 * size, name="last")
        self.colours = convolution(3 * size, 3, 1, 1, name="colours")

    def call(self, fine, middle, coarse):
        return with_examples(self._painted, fine, middle, coarse)

    def _painted(self, fine, middle, coarse):
        maps = (fine, middle, coarse)
        fine, middle, coarse = (part(given) for part, given in zip(self.reductions, maps))
        first, second, third, fourth, fifth = self.upsampled
        seen_twice = first(_enlarged(coarse, 2)) * middle
        seen_thrice = second(_enlarged(middle, 2)) * third(_enlarged(seen_twice, 2)) * fine
        hidden = self.mixed_middle(tf.concat([seen_twice, fourth(_enlarged(coarse, 2))], axis=-1))
        hidden = self.mixed_fine(tf.concat([seen_thrice, fifth(_enlarged(hidden, 2))], axis=-1))
        painted = tf.cast(self.colours(self.last(hidden)), tf.float32)
        return _enlarged(painted, PATCH_STRIDES[0] * PATCH_STRIDES[1])

    def get_config(self):
        return {**super().get_config(), "size": self.size, "widths": self.widths}


def _enlarged(maps, factor):
    height, width = maps.shape[1:3]
    return resize(maps, (factor * height, factor * width), align_corners=True)
