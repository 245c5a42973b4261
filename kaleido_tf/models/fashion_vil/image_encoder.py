"""The image encoder: a ResNet (He et al., 2016) whose bottlenecks take their stride in the 3 x 3
convolution, as torchvision's; its last map is the image's tokens.

B = batch, H x W = pixels, w = width of the stem.
"""

import tensorflow as tf
import tf_keras

from kaleido_tf.layers.empty_batches import with_examples

BATCH_NORM_EPSILON = 1e-5
MOVING_AVERAGE = 0.9
"""How much of a running mean or variance a step keeps."""
EXPANSION = 4
"""Channels that a bottleneck gives for each that it works with."""


class ImageEncoder(tf_keras.layers.Layer):
    """[B, H, W, 3], normalised (`photo_colours`), to [B, H / 32 * W / 32, 32 w] tokens,
    row by row.

    Args: stem_width: w. depths: bottlenecks of the four stages. frozen_norm: batch norms stay as
      they are and work with their running numbers in training, too.
    """

    def __init__(self, stem_width, depths, frozen_norm=False, **kwargs):
        super().__init__(**kwargs)
        self.stem_width, self.depths, self.frozen_norm = stem_width, tuple(depths), frozen_norm
        self.stem = _NormalisedConvolution(stem_width, 7, 2, frozen_norm, name="stem")
        self.stages = [
            [
                Bottleneck(
                    stem_width * 2**stage,
                    2 if stage and not number else 1,
                    not number,
                    frozen_norm,
                    name=f"stage_{stage + 1}_block_{number}",
                )
                for number in range(depth)
            ]
            for stage, depth in enumerate(self.depths)
        ]

    @property
    def num_channels(self) -> int:
        """C, of a token."""
        return self.stem_width * 2 ** (len(self.depths) - 1) * EXPANSION

    @property
    def parts(self) -> list:
        """The normalised convolutions, from the first to the last."""
        blocks = [block for stage in self.stages for block in stage]
        inner = [part for block in blocks for part in (*block.convolutions, block.shortcut) if part]
        return [self.stem, *inner]

    def take(self, other: "ImageEncoder") -> None:
        """Takes the weights and running numbers of another one of the same sizes."""
        for ours, theirs in zip(self.parts, other.parts):
            ours.convolution.kernel.assign(theirs.convolution.kernel)
            for name in ("gamma", "beta", "moving_mean", "moving_variance"):
                getattr(ours.batch_norm, name).assign(getattr(theirs.batch_norm, name))

    def call(self, images, training=None):
        return with_examples(lambda given: self._tokens(given, training), images)

    def _tokens(self, images, training):
        maps = tf.nn.relu(self.stem(images, training=training))
        # After a ReLU a border of zeros never wins, so it stands for one of minus infinity.
        maps = tf.nn.max_pool2d(_framed(maps, 1), 3, 2, "VALID")
        for stage in self.stages:
            for block in stage:
                maps = block(maps, training=training)
        height, width = maps.shape[1:3]
        return tf.reshape(maps, [-1, height * width, self.num_channels])

    def get_config(self):
        return {
            **super().get_config(),
            "stem_width": self.stem_width,
            "depths": self.depths,
            "frozen_norm": self.frozen_norm,
        }


class Bottleneck(tf_keras.layers.Layer):
    """1 x 1, 3 x 3 and 1 x 1 convolution beside a shortcut. [B, h, w, any] -> [B, h / stride, w /
    stride, 4 * width].

    Args: projects: whether the shortcut is a convolution, as where the shape changes.
    """

    def __init__(self, width, stride, projects, frozen_norm, **kwargs):
        super().__init__(**kwargs)
        self.settings = {
            "width": width,
            "stride": stride,
            "projects": projects,
            "frozen_norm": frozen_norm,
        }
        parts = ((width, 1, 1), (width, 3, stride), (width * EXPANSION, 1, 1))
        self.convolutions = [
            _NormalisedConvolution(*part, frozen_norm, name=f"part_{number}")
            for number, part in enumerate(parts, 1)
        ]
        self.shortcut = None
        if projects:
            self.shortcut = _NormalisedConvolution(
                width * EXPANSION, 1, stride, frozen_norm, name="shortcut"
            )

    def call(self, maps, training=None):
        first, second, third = self.convolutions
        hidden = tf.nn.relu(first(maps, training=training))
        hidden = tf.nn.relu(second(hidden, training=training))
        hidden = third(hidden, training=training)
        if self.shortcut is not None:
            maps = self.shortcut(maps, training=training)
        return tf.nn.relu(hidden + maps)

    def get_config(self):
        return {**super().get_config(), **self.settings}


class _NormalisedConvolution(tf_keras.layers.Layer):
    """Convolution without bias over a border of side // 2 zeros, and batch norm. [B, h, w, any] ->
    [B, h / stride, w / stride, outputs].
    """

    def __init__(self, outputs, side, stride, frozen, **kwargs):
        super().__init__(**kwargs)
        self.outputs, self.side, self.stride, self.frozen = outputs, side, stride, frozen
        self.convolution = tf_keras.layers.Conv2D(
            outputs,
            side,
            stride,
            use_bias=False,
            kernel_initializer=tf_keras.initializers.VarianceScaling(2.0, "fan_out"),
            name="convolution",
        )
        # A layer that is not trainable works with its running numbers in training, too.
        self.batch_norm = tf_keras.layers.BatchNormalization(
            momentum=MOVING_AVERAGE,
            epsilon=BATCH_NORM_EPSILON,
            trainable=not frozen,
            name="batch_norm",
        )

    def call(self, maps, training=None):
        if self.side == self.stride == 1:
            hidden = _by_cell(self.convolution, maps)
        else:
            hidden = self.convolution(_framed(maps, self.side // 2))
        return self.batch_norm(hidden, training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "outputs": self.outputs,
            "side": self.side,
            "stride": self.stride,
            "frozen": self.frozen,
        }


def _by_cell(convolution, maps):
    """A 1 x 1 convolution as a product of all cells, whose gradients in bfloat16 are faster."""
    if not convolution.built:
        convolution(maps)
    cells = tf.reshape(maps, [-1, maps.shape[-1]]) @ convolution.kernel[0, 0]
    return tf.reshape(cells, [-1, *maps.shape[1:3], convolution.filters])


def _framed(maps, border):
    """With `border` zeros around: "same" would put them at the far ends alone for even strides."""
    return tf.pad(maps, [[0, 0], [border, border], [border, border], [0, 0]]) if border else maps
