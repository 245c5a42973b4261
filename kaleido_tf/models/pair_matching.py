"""How a model of the BERT-like families scores pairs of texts and images, beside pre-training: with
its encoder and, where its config says so, with a comparison below it.

B = batch, T = texts, I = images, S = text length, P = patches that a comparison sees, F = feature
size.
"""

import functools

import tensorflow as tf
import tf_keras

from kaleido_tf.layers.comparison import TextImageComparison


class PairMatching:
    """The part of `CrossModalBert` that ranks; it has no part in pre-training."""

    COMPARED_PATCHES: tuple[int, int] | None = None
    """How many patches, from the first on, a comparison and its towers see; None: all."""

    @functools.cached_property
    def matcher(self) -> tf_keras.Model:
        """Functional model of `encoder_inputs`, and of `comparison_hubness` [B] where the model
        compares below its encoder, to [B, 2] float32 logits of (mismatch, match). Of a model that
        reads its comparison they are (0, score of `list_scorer`).
        """
        inputs = self.encoder_inputs()
        if not self.compares:
            return tf_keras.Model(inputs, self._matched(inputs), name="matcher")
        hubness = tf_keras.Input([], name="comparison_hubness")
        compared = self.named_layers["comparison"](
            inputs["input_ids"], inputs["input_mask"], self.compared_features(inputs), hubness
        )
        if self.reads_comparison:
            score = self._read(inputs, *compared)
            logits = tf.stack([tf.zeros_like(score), score], axis=1)
        else:
            logits = self._matched(inputs)
            logits += tf.stack([tf.zeros_like(compared), compared], axis=1)
        return tf_keras.Model({**inputs, "comparison_hubness": hubness}, logits, name="matcher")

    @functools.cached_property
    def list_scorer(self) -> tf_keras.Model:
        """Functional model of `encoder_inputs`, `comparison_score` [B] and `comparison_fits` [B, S,
        3] (as `TextImageComparison` gives them, from whichever comparison) to [B] float32, the
        larger the better a pair matches. Of a model that reads its comparison alone.
        """
        inputs = self.encoder_inputs()
        score = tf_keras.Input([], name="comparison_score")
        fits = tf_keras.Input([self.text_length, 3], name="comparison_fits")
        outputs = self._read(inputs, score, fits)
        inputs = {**inputs, "comparison_score": score, "comparison_fits": fits}
        return tf_keras.Model(inputs, outputs, name="list_scorer")

    def _matched(self, inputs):
        """[B, 2]: the encoder's logits."""
        embedded = self._embed(inputs)
        # Matching reads the first place only, so the last block need not compute the others.
        first = self._encode(*embedded, inputs, output_range=1)
        return self._match(first, *embedded, inputs)

    def _read(self, inputs, score, fits):
        """[B]: the encoder's match logit above its mismatch logit, where it is told of each word
        how well it fits, and the weighted score of the comparison.
        """
        text, image = self._embed(inputs)
        added, score = self.named_layers["comparison_reader"](fits, score)
        first = self._encode(text + added, image, inputs, output_range=1)
        logits = self._match(first, text, image, inputs)
        return logits[:, 1] - logits[:, 0] + score

    @property
    def compares(self) -> bool:
        """Whether a comparison below the encoder has a part in the match logit at ranking."""
        return "comparison" in self.named_layers

    @property
    def has_compared(self) -> bool:
        """Whether the comparison was trained, here or in the checkpoint it came from."""
        return int(self.named_layers["comparison"].bank_size.numpy()) > 0

    @property
    def reads_comparison(self) -> bool:
        """Whether the encoder is told what the comparison found."""
        return "comparison_reader" in self.named_layers

    @property
    def compared_patches(self) -> int:
        """How many patches, from the first on, a comparison sees."""
        return (self.COMPARED_PATCHES or (self.num_patches,))[0]

    def make_comparison(self, members: int | None = None) -> TextImageComparison:
        """A comparison of the config's sizes, with weights of its own. Args: members: None: as many
        as the config says.
        """
        config = self.config
        in_towers = (self.COMPARED_PATCHES or (self.num_patches, self.num_patches))[1]
        return TextImageComparison(
            config.vocab_size,
            config.patch_feature_size,
            config.comparison_size,
            config.comparison_tower_size,
            self.compared_patches,
            in_towers,
            members or config.comparison_members,
            (config.comparison_bank, config.text_seq_len),
            config.comparison_neighbours,
            config.reads_comparison,
            name="comparison",
        )

    def text_hubness(self, input_ids, input_mask) -> tf.Tensor:
        """[T] float32: how near texts [T, S] are to the images of training that are nearest."""
        return self.named_layers["comparison"].text_hubness(input_ids, input_mask)

    def image_hubness(self, inputs) -> tf.Tensor:
        """[I] float32: how near images (as `image_inputs`) are to the texts of training that are
        nearest.
        """
        return self.named_layers["comparison"].image_hubness(self.compared_features(inputs))

    def word_shares(self, feed, inputs) -> tf.Tensor:
        """[B, S] float32 of texts (as `text_vectors`) and images (as `image_inputs`): by how much
        each word raises the score of the comparison. Of a model that has compared.
        """
        return self.named_layers["comparison"].word_shares(
            feed["input_ids"], feed["input_mask"], self.compared_features(inputs)
        )

    @property
    def vector_size(self) -> int:
        """D of `text_vectors` and `image_vectors`."""
        config = self.config
        towers = config.comparison_members * config.comparison_tower_size
        return towers if self.compares else config.hidden_size

    def text_vectors(self, feed) -> tf.Tensor:
        """[T, D] float32 of length 1 of texts (`input_ids`, `input_mask`, `segment_ids` [T, S]): as
        the towers of the comparison see them; where there is none, the mean of their embeddings.
        Texts and images that match are near.
        """
        if self.compares:
            return self.named_layers["comparison"].text_vectors(
                feed["input_ids"], feed["input_mask"]
            )
        text = self.named_layers["text_embedding"](feed["input_ids"], feed["segment_ids"])
        weights = tf.cast(feed["input_mask"], tf.float32)[..., None]
        return tf.math.l2_normalize(tf.reduce_sum(tf.cast(text, tf.float32) * weights, 1), -1)

    def image_vectors(self, inputs) -> tf.Tensor:
        """[I, D] float32 of length 1 of images (as `image_inputs`), as `text_vectors`."""
        if self.compares:
            return self.named_layers["comparison"].image_vectors(self.compared_features(inputs))
        image = tf.cast(self._embed_image(inputs), tf.float32)
        return tf.math.l2_normalize(tf.reduce_mean(image, axis=1), -1)

    def compared_features(self, inputs):
        """The patch features of images (as `image_inputs`) that a comparison sees, [I, P, F],
        normalised.
        """
        return self.normalised_features(self._patch_features(inputs))

    def normalised_features(self, features):
        """Patch features of records, [I, P, F], as the model takes them."""
        return tf.cast(self._normalised(features), tf.float32)
