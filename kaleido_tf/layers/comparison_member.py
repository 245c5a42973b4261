"""One way of comparing texts with images below the encoder: word by word with patches, and as a
whole.

B = pairs, T = texts, I = images, S = text length, P = patches that are compared, F = feature size,
V = vocabulary, D = width of the comparison, W = width of the towers, M = products of the bank.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras

TEMPERATURE = 0.1
"""How softly the best patch of a word is chosen."""
LEAST_SPREAD = 0.02
"""Keeps a word that fits all images alike from fitting one of them far better than the others."""
WORD_BLOCK = 64


class TextSide(NamedTuple):
    """Texts to be compared: `words` [..., S, D] of length 1, `weights` [..., S] that add up to 1
    over the words of a text (0: no word), and `whole` [..., W] of length 1.
    """

    words: tf.Tensor
    weights: tf.Tensor
    whole: tf.Tensor


class ImageSide(NamedTuple):
    """Images to be compared: `patches` [..., P, D] of length 1, `whole` [..., W] of length 1."""

    patches: tf.Tensor
    whole: tf.Tensor


class ComparisonMember(tf_keras.layers.Layer):
    """How well texts and images agree, from word pieces and patch features alone. Not in the
    original.

    Two scores that err differently are added. The first asks of every word how well it fits the
    patch that it fits best, and averages by weights that the words learn. The second compares the
    weighted sum of a text's words with one dense layer over the first patches. Both are divided by
    their spread over pairs that do not match (`spreads`). All in float32.

    Args: size: D. tower_size: W. num_patches: P. tower_patches: of these, how many the towers see,
      from the first on. bank_products: M, whose image sides are kept. number: among the members of
      a comparison; the names of its weights end in it, from 1 on. tells_fits: whether it keeps how
      well each word fits images on average, which `fits` needs.
    """

    def __init__(
        self,
        vocab_size: int,
        feature_size: int,
        size: int,
        tower_size: int,
        num_patches: int,
        tower_patches: int,
        bank_products: int,
        number: int = 0,
        tells_fits: bool = False,
    ):
        super().__init__(name=f"member_{number}", dtype="float32")
        self._sizes = (feature_size, size, tower_size, num_patches, tower_patches)
        self.num_patches, self.tower_patches = num_patches, tower_patches
        self._ending = f"_{number}" if number else ""
        self.words = self._table("words", [vocab_size, size], size)
        self.word_weights = self._zeros("word_weights", [vocab_size], trainable=True)
        self.projection = self._table("projection", [feature_size, size], feature_size)
        self.places = self._table("places", [num_patches, size], 100 * size)
        self.tower_words = self._table("tower_words", [vocab_size, tower_size], tower_size)
        self.rarity = self._zeros("rarity", [vocab_size])
        inputs = tower_patches * feature_size
        self.tower_projection = self._table("tower_projection", [inputs, tower_size], inputs)
        self.spreads = self.add_weight(
            f"spreads{self._ending}", [2], initializer="ones", trainable=False
        )
        self.bank_patches = self._zeros("bank_patches", [bank_products, num_patches, size])
        self.bank_images = self._zeros("bank_images", [bank_products, tower_size])
        if tells_fits:
            self.fit_means = self._zeros("fit_means", [vocab_size])
            self.fit_spreads = self._zeros("fit_spreads", [vocab_size])

    def _table(self, name, shape, inputs):
        initializer = tf_keras.initializers.RandomNormal(stddev=inputs**-0.5)
        return self.add_weight(name + self._ending, shape, initializer=initializer)

    def _zeros(self, name, shape, trainable=False):
        return self.add_weight(name + self._ending, shape, initializer="zeros", trainable=trainable)

    @property
    def bank(self) -> ImageSide:
        """The images of training that are kept, [M, ...]."""
        return ImageSide(self.bank_patches, self.bank_images)

    def of_words(self, ids) -> "ComparisonMember":
        """A member with copies of these weights that knows only the words `ids` [U]: each by its
        place there, and U for all others, which have no weight. In training it spares the updates
        of tens of thousands of words that no text has.
        """
        few = ComparisonMember(len(ids) + 1, *self._sizes, bank_products=1)
        for ours, its in self._by_words(few):
            its.assign(tf.pad(tf.gather(ours, ids), [[0, 1]] + [[0, 0]] * (len(ours.shape) - 1)))
        for ours, its in self._beside_words(few):
            its.assign(ours)
        return few

    def take(self, few: "ComparisonMember", ids) -> None:
        """The weights of `of_words(ids)` back after its training."""
        for ours, its in self._by_words(few):
            ours.assign(tf.tensor_scatter_nd_update(ours, ids[:, None], its[:-1]))
        for ours, its in self._beside_words(few):
            ours.assign(its)

    def _by_words(self, other):
        names = ("words", "word_weights", "tower_words", "rarity")
        return [(getattr(self, name), getattr(other, name)) for name in names]

    def _beside_words(self, other):
        names = ("projection", "places", "tower_projection")
        return [(getattr(self, name), getattr(other, name)) for name in names]

    def pairs(self, text: TextSide, image: ImageSide) -> tf.Tensor:
        """[B]: of each text with the image at its place."""
        by_word = tf.reduce_sum(_best_of_pairs(text, image) * text.weights, axis=1)
        return self._added(by_word, tf.reduce_sum(text.whole * image.whole, axis=1))

    def fits(self, input_ids, text: TextSide, image: ImageSide) -> tf.Tensor:
        """[B, S]: how well each word fits its best patch of the image at its text's place, in
        spreads above the mean of what this word reaches over images of training; 0 where no word
        is.
        """
        means, spreads = (tf.gather(part, input_ids) for part in (self.fit_means, self.fit_spreads))
        above = (_best_of_pairs(text, image) - means) / (spreads + LEAST_SPREAD)
        return tf.where(text.weights > 0, above, 0.0)

    def shares(self, text: TextSide, image: ImageSide, images: int) -> tf.Tensor:
        """[B, S]: of each word, by how much it raises the score of its text with the image at its
        place above what it adds to the first `images` of the bank on average; 0 where no word is.
        """
        bank = best_patches(tf.einsum("bsd,mpd->bsmp", text.words, self.bank_patches[:images]))
        above = _best_of_pairs(text, image) - tf.reduce_mean(bank, axis=-1)
        return above * text.weights / self.spreads[0]

    def measure_fits(self, images: int) -> None:
        """Fills the means and spreads of `fits` from the first `images` of the bank."""
        used = np.flatnonzero(self.word_weights.numpy() > 0)
        means, spreads = (np.zeros(self.words.shape[0], np.float32) for _ in range(2))
        for start in range(0, len(used), WORD_BLOCK):
            block = used[start : start + WORD_BLOCK]
            words = tf.math.l2_normalize(tf.gather(self.words, block), -1)
            best = best_patches(tf.einsum("nd,mpd->nmp", words, self.bank_patches[:images]))
            means[block], spreads[block] = (part.numpy() for part in _mean_and_spread(best))
        self.fit_means.assign(means)
        self.fit_spreads.assign(spreads)

    def all_pairs(self, text: TextSide, image: ImageSide) -> tf.Tensor:
        """[T, I]: of every text with every image."""
        return self._added(*self.scores(text, image))

    def _added(self, by_word, whole):
        return by_word / self.spreads[0] + whole / self.spreads[1]

    def text_side(self, input_ids, input_mask) -> TextSide:
        """[T, S] int each. A word counts once, however often it stands there."""
        counted = _first_of_their_kind(input_ids) & (input_mask > 0)
        weights = tf.nn.relu(tf.gather(self.word_weights, input_ids))
        weights *= tf.cast(counted, tf.float32)
        total = tf.reduce_sum(weights, axis=-1, keepdims=True)
        rarity = tf.gather(self.rarity, input_ids) * tf.cast(counted, tf.float32)
        whole = tf.einsum("ts,tsw->tw", rarity, tf.gather(self.tower_words, input_ids))
        return TextSide(
            tf.math.l2_normalize(tf.gather(self.words, input_ids), -1),
            tf.math.divide_no_nan(weights, total),
            tf.math.l2_normalize(whole, -1),
        )

    def image_side(self, features) -> ImageSide:
        """[I, P', F] float, normalised as the model's projections get them."""
        features = tf.cast(features[:, : self.num_patches], tf.float32)
        patches = tf.einsum("ipf,fd->ipd", features, self.projection) + self.places
        seen = features[:, : self.tower_patches]
        flat = tf.reshape(seen, [-1, self.tower_patches * features.shape[-1]])
        return ImageSide(
            tf.math.l2_normalize(patches, -1),
            tf.math.l2_normalize(tf.matmul(flat, self.tower_projection), -1),
        )

    def scores(self, text: TextSide, image: ImageSide) -> tuple[tf.Tensor, tf.Tensor]:
        """Of every text with every image, ([T, I], [T, I]): word by word, and as a whole; neither
        divided by its spread.
        """
        texts = tf.shape(text.weights, out_type=tf.int64)[0]
        used = tf.where(text.weights > 0)  # most places of most texts hold no word
        words = tf.gather_nd(text.words, used)
        best = best_patches(tf.einsum("nd,ipd->nip", words, image.patches))
        weighted = best * tf.gather_nd(text.weights, used)[:, None]
        by_word = tf.math.unsorted_segment_sum(weighted, used[:, 0], texts)
        return by_word, tf.matmul(text.whole, image.whole, transpose_b=True)


def _best_of_pairs(text: TextSide, image: ImageSide):
    """[B, S]: of each word with the image at its text's place."""
    return best_patches(tf.einsum("bsd,bpd->bsp", text.words, image.patches))


def _mean_and_spread(values):
    mean, variance = tf.nn.moments(values, axes=[-1])
    return mean, tf.sqrt(variance)


def best_patches(similarity):
    """[..., P] -> [...]: a soft maximum over the patches."""
    return TEMPERATURE * tf.reduce_logsumexp(similarity / TEMPERATURE, axis=-1)


def _first_of_their_kind(ids):
    """[T, S] bool: whether no earlier place of the text holds the same word piece."""
    same = ids[:, :, None] == ids[:, None]
    earlier = tf.linalg.band_part(tf.ones(tf.shape(same)[1:], tf.bool), -1, 0)
    own = tf.eye(tf.shape(ids)[1], dtype=tf.bool)
    return ~tf.reduce_any(same & earlier & ~own, axis=-1)
