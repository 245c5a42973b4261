"""The bytes of photos to what a record holds of them, in one graph: decoded, cropped, cut into
patches, and looked at by the image network.

B = photos, P = patches, F = feature size, h, w = size of a crop in pixels.
"""

from collections.abc import Callable

import tensorflow as tf

from data_prep.features.backbones import Backbone
from data_prep.photo_graphs.crop_graph import working_crop
from data_prep.photo_graphs.decoding import decode
from data_prep.photo_graphs.resizing import resize
from kaleido_tf.records.record import Layout


class PhotoGraph:
    """[B] strings, the bytes of JPEGs or PNGs -> (patch features [B, P, F] float32, with the
    precision of records, and boxes [B, P, 5] int32). Fails for photos as `decoding.decode`.

    Args:
      backbone: of tf_keras. find_mask: as `crop_graph.working_crop` takes it. crop_size: long side
        of crops in pixels. patch_size: as `patch_features.extract_features`.
    """

    def __init__(
        self,
        backbone: Backbone,
        find_mask: Callable | None,
        crop_size: int,
        patch_size: int | None,
        layout: Layout,
    ):
        self._backbone, self._find_mask = backbone, find_mask
        self._crop_size, self._patch_size, self._layout = crop_size, patch_size, layout
        # One function, however many signatures begin with it.
        self._of_all = tf.function(
            self._one_by_one, [tf.TensorSpec([None], tf.string)], autograph=False
        )

    @property
    def variables(self) -> list[tf.Variable]:
        """Of the image network, and of what finds the product."""
        return [*self._backbone.model.variables, *getattr(self._find_mask, "variables", ())]

    def __call__(self, photos: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Features and boxes."""
        return self._of_all(photos)

    def _one_by_one(self, photos):
        shape = [self._layout.num_patches, self._backbone.feature_size]
        return tf.map_fn(
            self._of_one,
            photos,
            fn_output_signature=(tf.TensorSpec(shape), tf.TensorSpec([shape[0], 5], tf.int32)),
        )

    def _of_one(self, content):
        crop = working_crop(decode(content), self._find_mask, self._crop_size)
        boxes = self._boxes(tf.shape(crop)[1], tf.shape(crop)[0])
        features = tf.cast(tf.cast(self._features(crop, boxes), tf.float16), tf.float32)
        return features, boxes

    def _boxes(self, width, height):
        """[P, 5], as `patches.level_boxes` of every grid."""
        return tf.concat([_level_boxes(width, height, side) for side in self._layout.sides], 0)

    def _features(self, crop, boxes):
        """[P, F]; patches of one size go through the network together."""
        sizes = self._sizes(boxes)
        kinds, kind_of = tf.unique(sizes[:, 0] * 2**16 + sizes[:, 1])

        def look_at(number, features):
            members = tf.where(kind_of == number)
            width, height = kinds[number] // 2**16, kinds[number] % 2**16
            cut = self._cut(crop, tf.gather_nd(boxes, members), width, height)
            found = self._backbone.extract(cut)
            return number + 1, tf.tensor_scatter_nd_update(features, members, found)

        start = tf.zeros([self._layout.num_patches, self._backbone.feature_size])
        more = lambda number, _: number < tf.size(kinds)  # noqa: E731
        return tf.while_loop(more, look_at, (0, start))[1]

    def _sizes(self, boxes):
        """[P, 2]: width and height that each patch goes in with."""
        sides = tf.stack([boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]], axis=1)
        if self._patch_size:
            return tf.fill(tf.shape(sides), self._patch_size)
        fit = self._backbone.sizes
        return -(-tf.maximum(sides, fit.smallest) // fit.multiple) * fit.multiple

    def _cut(self, crop, boxes, width, height):
        """[n, height, width, 3] uint8 of boxes [n, 5]."""

        def one(box):
            patch = crop[box[2] : box[3], box[0] : box[1]]
            fits = (tf.shape(patch)[0] == height) & (tf.shape(patch)[1] == width)
            return tf.cond(fits, lambda: patch, lambda: resize(patch, height, width))

        return tf.map_fn(one, boxes, fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8))


def _level_boxes(width, height, side: int):
    x, y = (tf.range(side + 1) * length // side for length in (width, height))
    y1, x1 = (tf.reshape(grid, [-1]) for grid in tf.meshgrid(y[:-1], x[:-1], indexing="ij"))
    y2, x2 = (tf.reshape(grid, [-1]) for grid in tf.meshgrid(y[1:], x[1:], indexing="ij"))
    return tf.stack([x1, x2, y1, y2, (x2 - x1) * (y2 - y1)], axis=1)
