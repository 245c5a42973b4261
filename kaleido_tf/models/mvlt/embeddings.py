"""What a stage of the pyramid is given: patches of the map before it and the words, each with its
position.

B = batch, H x W = the map before the stage, h x w = its patches, T = words, D = width before the
stage, C = its own.
"""

import tensorflow as tf
import tf_keras

from kaleido_tf.layers.embeddings import TextEmbedding
from kaleido_tf.models.mvlt.blocks import NORM_EPSILON
from kaleido_tf.models.mvlt.initializers import convolution, dense
from kaleido_tf.models.mvlt.resizing import resize

PADDING = 0
"""Id of the word piece that fills a text up."""


class WordEmbedding(TextEmbedding):
    """BERT's embedding of words, as `TextEmbedding`.

    Input: input_ids [B, T] int. Output: [B, T, D]. Every word is of segment 0. What padding looks
      like is learned by the masked-language head alone, which decodes with the same table.
    """

    INITIALIZER = tf_keras.initializers.RandomNormal

    def call(self, input_ids):
        words = self.words(input_ids)
        padding = (input_ids == PADDING)[..., None]
        words = tf.where(padding, tf.stop_gradient(words), words)
        words += self.segment_embeddings[0] + self.position_embeddings[: input_ids.shape[1]]
        return self.output_dropout(self.layer_norm(words))


class StageEmbedding(tf_keras.layers.Layer):
    """Embeds patches and words for a stage.

    Inputs: image map [B, H, W, D], text [B, T, D'] (D' is D but for the first stage).
    Output: [B, h * w + T, C].

    Args:
      text_length: T.
      channels: D.
      stride: side of a patch, in cells of the map.
      table_side: cells of a side of the square grid for which the positions are stored.
      unused_rows: rows that stand before them in the table and mean nothing, so that it has the
        shape of the release's.
    """

    def __init__(
        self,
        width,
        text_length,
        channels,
        stride,
        table_side,
        unused_rows,
        initializer_range,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.settings = {
            "width": width,
            "text_length": text_length,
            "channels": channels,
            "stride": stride,
            "table_side": table_side,
            "unused_rows": unused_rows,
            "initializer_range": initializer_range,
        }
        self.width, self.table_side, self.unused_rows = width, table_side, unused_rows
        self.patch_projection = convolution(
            channels, width, stride, stride, name="patch_projection"
        )
        self.text_projection = dense(width, initializer_range, name="text_projection")
        self.patch_norm, self.text_norm = (
            tf_keras.layers.LayerNormalization(epsilon=NORM_EPSILON, name=name)
            for name in ("patch_norm", "text_norm")
        )
        rows = unused_rows + table_side**2
        self.patch_positions = self._table("patch_positions", rows)
        self.text_positions = self._table("text_positions", text_length)

    def _table(self, name, rows):
        normal = tf_keras.initializers.RandomNormal(stddev=self.settings["initializer_range"])
        return self.add_weight(name, shape=[rows, self.width], initializer=normal)

    def call(self, image, text):
        cells = self.patch_projection(image)
        grid = tuple(cells.shape[1:3])
        patches = self.patch_norm(tf.reshape(cells, [-1, grid[0] * grid[1], self.width]))
        patches += self.positions_for(grid)
        words = self.text_norm(self.text_projection(text)) + self.text_positions
        return tf.concat([patches, words], axis=1)

    def positions_for(self, grid: tuple[int, int]) -> tf.Tensor:
        """[h * w, C]: the positions of a grid of h x w patches."""
        table = tf.convert_to_tensor(self.patch_positions)[self.unused_rows :]
        if grid == (self.table_side, self.table_side):
            return table
        table = tf.reshape(table, [1, self.table_side, self.table_side, self.width])
        return tf.reshape(resize(table, grid, align_corners=False), [-1, self.width])

    def get_config(self):
        return {**super().get_config(), **self.settings}
