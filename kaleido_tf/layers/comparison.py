"""Comparing a text with an image below the encoder, by several members that were trained apart.

B = pairs, T = texts, I = images, S = text length, P = patches that are compared, F = feature size,
M = products of the bank.
"""

import math

import tensorflow as tf
import tf_keras

from kaleido_tf.layers.comparison_member import ComparisonMember

MEASURED_IMAGES = 500
"""Of the bank, to tell how well a word fits images on average."""


class TextImageComparison(tf_keras.layers.Layer):
    """How well texts and images agree, from word pieces and patch features alone. Not in the
    original.

    The score of a pair is the mean of what the members find, which differ in their first weights
    and in the order of their training examples, and so in their errors. From twice the score, the
    mean score of the text with its nearest images of training, and of the image with its nearest
    texts, is taken away, so that an image that is near to every text is no match for all of them
    (cross-domain similarity local scaling, Conneau et al., 2018).

    Inputs: input_ids, input_mask [B, S] int; features [B, P', F] float, P' >= P; hubness [B]
      float32, the sum of `text_hubness` and `image_hubness` of the pair.
    Output: [B] float32; above 0 where a pair agrees better than its two sides do with their
      neighbours. With `tells_fits` also [B, S, 3]: of each word how well it fits the image (mean of
      `ComparisonMember.fits`), its weight, and how rare it is; 0 where no word is. All in float32,
      also in mixed precision.

    Args: members: how many. bank: (M, S of its texts). neighbours: how many of the bank count for
      each text and image. The others as in `ComparisonMember`.
    """

    def __init__(
        self,
        vocab_size: int,
        feature_size: int,
        size: int,
        tower_size: int,
        num_patches: int,
        tower_patches: int,
        members: int,
        bank: tuple[int, int],
        neighbours: int,
        tells_fits: bool = False,
        **kwargs,
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        one = {
            "vocab_size": vocab_size,
            "feature_size": feature_size,
            "size": size,
            "tower_size": tower_size,
            "num_patches": num_patches,
            "tower_patches": tower_patches,
            "tells_fits": tells_fits,
        }
        self._sizes = {**one, "members": members, "bank": bank, "neighbours": neighbours}
        self.neighbours, self.tells_fits = neighbours, tells_fits
        self.members = [
            ComparisonMember(**one, bank_products=bank[0], number=number)
            for number in range(members)
        ]
        self.bank_ids = self.add_weight(
            "bank_ids", bank, dtype=tf.int32, initializer="zeros", trainable=False
        )
        self.bank_size = self.add_weight(  # how many of the places are filled
            "bank_size", [], dtype=tf.int32, initializer="zeros", trainable=False
        )

    def get_config(self):
        return {**super().get_config(), **self._sizes}

    def call(self, input_ids, input_mask, features, hubness):
        sides = [
            (member, member.text_side(input_ids, input_mask), member.image_side(features))
            for member in self.members
        ]
        score = 2 * self._mean([member.pairs(*pair) for member, *pair in sides]) - hubness
        if not self.tells_fits:
            return score
        fits = self._mean([member.fits(input_ids, *pair) for member, *pair in sides])
        weights = self._mean([text.weights for _, text, _ in sides])
        rarity = tf.gather(self.members[0].rarity, input_ids)  # that of all members
        rarity = tf.where(weights > 0, rarity, 0.0)
        # A text's weights add up to 1 whatever its length: here a word of mean weight has 1.
        words = tf.reduce_sum(tf.cast(weights > 0, tf.float32), axis=-1, keepdims=True)
        return score, tf.stack([fits, weights * words, rarity], axis=-1)

    def text_vectors(self, input_ids, input_mask) -> tf.Tensor:
        """[T, D] of length 1, D = members x tower size: the texts as the towers see them."""
        sides = [member.text_side(input_ids, input_mask).whole for member in self.members]
        return tf.math.l2_normalize(tf.concat(sides, axis=-1), -1)

    def image_vectors(self, features) -> tf.Tensor:
        """[I, D] of length 1, to be held against `text_vectors`."""
        sides = [member.image_side(features).whole for member in self.members]
        return tf.math.l2_normalize(tf.concat(sides, axis=-1), -1)

    def bank_vectors(self) -> tuple[tf.Tensor, tf.Tensor]:
        """`text_vectors` and `image_vectors` [bank_size, D] of the products that are kept."""
        ids = self.bank_ids[: self.bank_size]
        images = tf.concat([member.bank_images for member in self.members], axis=-1)
        return (
            self.text_vectors(ids, tf.cast(ids > 0, tf.int32)),
            tf.math.l2_normalize(images[: self.bank_size], -1),
        )

    def word_shares(self, input_ids, input_mask, features) -> tf.Tensor:
        """[B, S]: by how much each word raises the score of its pair above what it adds to images
        of training on average; 0 where no word is, and where one stands again. Of a trained
        comparison.
        """
        images = tf.minimum(self.bank_size, MEASURED_IMAGES)
        return self._mean(
            [
                member.shares(
                    member.text_side(input_ids, input_mask), member.image_side(features), images
                )
                for member in self.members
            ]
        )

    def measure_fits(self) -> None:
        """Of a trained comparison: what each word reaches over images of training."""
        images = min(int(self.bank_size.numpy()), MEASURED_IMAGES)
        for member in self.members:
            member.measure_fits(images)

    def _mean(self, scores):
        return tf.add_n(scores) / len(self.members)

    def text_hubness(self, input_ids, input_mask) -> tf.Tensor:
        """[T]: the mean score of each text with its nearest images of the bank."""
        scores = [
            member.all_pairs(member.text_side(input_ids, input_mask), member.bank)
            for member in self.members
        ]
        return self._mean_of_largest(self._mean(scores))

    def image_hubness(self, features) -> tf.Tensor:
        """[I]: the mean score of each image with its nearest texts of the bank."""
        mask = tf.cast(self.bank_ids > 0, tf.int32)
        scores = [
            member.all_pairs(member.text_side(self.bank_ids, mask), member.image_side(features))
            for member in self.members
        ]
        return self._mean_of_largest(tf.transpose(self._mean(scores)))

    def _mean_of_largest(self, scores):
        """[N, M] -> [N]; of as many as the bank holds, where these are fewer."""
        places = scores.shape[1]
        filled = tf.range(places) < self.bank_size
        scores = tf.where(filled, scores, -math.inf)
        largest = tf.math.top_k(scores, min(self.neighbours, places)).values
        counted = tf.math.is_finite(largest)
        total = tf.reduce_sum(tf.where(counted, largest, 0.0), axis=-1)
        return tf.math.divide_no_nan(total, tf.reduce_sum(tf.cast(counted, tf.float32), axis=-1))
