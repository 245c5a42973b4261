"""Scorers of texts against images that a model has to beat, each learnt in minutes from the records
themselves: ridge regression, linear contrastive towers, and a comparison of words with patches.

T = texts, I = images, P = patches, F = feature size. Every scorer gives scores [T, I] of any texts
against any images, larger for a better match.
"""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_ridge import KernelRidge

from kaleido_tf.losses import contrastive_loss

FIRST_SCALE = 10.0
BLOCK = 64
"""Texts that are scored at once."""


def hub_corrected(
    scores: np.ndarray, texts_to_bank: np.ndarray, bank_to_images: np.ndarray, neighbours: int
) -> np.ndarray:
    """Scores [T, I] less the mean score of each text, and of each image, with its nearest
    neighbours among the training products (cross-domain similarity local scaling, Conneau et al.,
    2018): an image that is near to every text is a likely answer to none.

    Args: texts_to_bank: [T, training images]. bank_to_images: [training texts, I].
    """
    of_texts = _mean_of_largest(texts_to_bank, neighbours)
    of_images = _mean_of_largest(bank_to_images.T, neighbours)
    return 2 * scores - of_texts[:, None] - of_images[None]


def _mean_of_largest(scores: np.ndarray, count: int) -> np.ndarray:
    """[N, M] -> [N]: of each row's `count` largest."""
    count = min(count, scores.shape[1])
    return np.partition(scores, -count, axis=1)[:, -count:].mean(axis=1)


class RidgeScorer:
    """Ridge regression from tf-idf words and pairs of words to standardised features [N, P * F];
    the score is the cosine of what is predicted and what is there.
    """

    def __init__(self, texts: list[str], features: np.ndarray, penalty: float):
        self._words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
        flat = features.reshape(len(features), -1)
        self._mean, self._spread = flat.mean(0), flat.std(0) + 1e-3
        words = self._words.fit_transform(texts).toarray()
        self._common = words.mean(0)
        # In the dual, which solves for products instead of words: there are many more features than
        # either. Both sides are centred, so there is no intercept to fit.
        self._model = KernelRidge(alpha=penalty).fit(
            words - self._common, self._standardised(features)
        )

    def _standardised(self, features: np.ndarray) -> np.ndarray:
        return (features.reshape(len(features), -1) - self._mean) / self._spread

    def score(self, texts: list[str], features: np.ndarray) -> np.ndarray:
        """[T, I] cosines."""
        words = self._words.transform(texts).toarray() - self._common
        predicted = self._model.predict(words)
        return _unit(predicted) @ _unit(self._standardised(features)).T


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9)


class LinearTowers:
    """One dense layer a side, tf-idf words (SVD) on one and the features of the first patches on
    the other, trained to tell the own text of an image from the others of a batch.
    """

    SIZE, COMPONENTS, BATCH, EPOCHS, RATE, DECAY, DROPOUT = 256, 600, 256, 60, 1e-3, 0.01, 0.3

    def __init__(self, texts: list[str], features: np.ndarray, seed: int):
        self._words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
        words = self._words.fit_transform(texts)
        self._svd = TruncatedSVD(min(self.COMPONENTS, min(words.shape) - 1), random_state=seed)
        components = self._svd.fit_transform(words)
        self._spread = components.std() + 1e-9
        flat = features.reshape(len(features), -1)
        self._mean, self._deviation = flat.mean(0), flat.std(0) + 1e-2
        sides = self._text_side(texts), self._image_side(features)
        draw = np.random.default_rng(seed)
        self._kernels = [
            _variable(draw, side.shape[1], self.SIZE, spread=side.shape[1] ** -0.5)
            for side in sides
        ]

        def pair_scores(text, image):
            vectors = [
                tf.math.l2_normalize(tf.matmul(tf.nn.dropout(side, self.DROPOUT), kernel), -1)
                for side, kernel in zip((text, image), self._kernels)
            ]
            return tf.matmul(*vectors, transpose_b=True)

        train_contrastively(
            lambda rows: [side[rows] for side in sides],
            pair_scores,
            self._kernels,
            texts,
            (self.BATCH, self.EPOCHS, self.RATE, self.DECAY, seed),
        )

    def _text_side(self, texts: list[str]) -> np.ndarray:
        components = self._svd.transform(self._words.transform(texts))
        return (components / self._spread).astype(np.float32)

    def _image_side(self, features: np.ndarray) -> np.ndarray:
        flat = features.reshape(len(features), -1)
        return ((flat - self._mean) / self._deviation).clip(-10, 10).astype(np.float32)

    def score(self, texts: list[str], features: np.ndarray) -> np.ndarray:
        """[T, I] cosines."""
        sides = self._text_side(texts), self._image_side(features)
        text, image = (_unit(side @ k.numpy()) for k, side in zip(self._kernels, sides))
        return text @ image.T


class WordPatchComparison:
    """For each word of a text its best patches (0.1 times the log of the summed exponentials of
    similarity / 0.1), averaged over the words by a weight that each word learns.

    Args: tokens: word pieces of each text, [N] lists. features: [N, P, F].
    """

    SIZE, BATCH, EPOCHS, RATE, DECAY, DROPOUT = 96, 192, 40, 3e-3, 0.02, 0.3
    HIDDEN_WORDS, TEMPERATURE, LEAST_TEXTS, LEAST_WEIGHT = 0.2, 0.1, 2, 0.05

    def __init__(self, tokens: list[list[int]], features: np.ndarray, seed: int):
        words = [list(dict.fromkeys(text)) for text in tokens]
        pieces, counts = np.unique(np.concatenate(words), return_counts=True)
        seen = counts >= self.LEAST_TEXTS
        self._rows = {int(piece): row for row, piece in enumerate(pieces[seen])}
        rarity = np.log(len(words) / counts[seen]) / 3
        self._mean = features.reshape(-1, features.shape[-1]).mean(0)
        self._spread = features.reshape(-1, features.shape[-1]).std(0) + 1e-2
        draw = np.random.default_rng(seed)

        size, (_, places, depth) = self.SIZE, features.shape
        self._words = _variable(draw, len(rarity), size, spread=size**-0.5)
        self._projection = _variable(draw, depth, size, spread=depth**-0.5)
        self._places = _variable(draw, places, size, spread=0.1 * size**-0.5)
        self._weights = tf.Variable(np.maximum(rarity, self.LEAST_WEIGHT).astype(np.float32))
        variables = [self._words, self._projection, self._places, self._weights]
        known, images = self._known(tokens), self._standardised(features)
        any_words, any_images = (
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, places, depth]),
        )
        self._compare_any = tf.function(  # traced once, whatever the number of words and images
            self._compare, [any_words, any_words, tf.TensorSpec([], tf.int32), any_images]
        )

        def pair_scores(flat, owners, seen):
            kept = tf.random.uniform(tf.shape(flat)) >= self.HIDDEN_WORDS
            flat, owners = tf.boolean_mask(flat, kept), tf.boolean_mask(owners, kept)
            patches = tf.nn.dropout(seen, self.DROPOUT)
            return self._compare(flat, owners, tf.shape(seen)[0], patches)

        train_contrastively(
            lambda rows: [*_flattened([known[row] for row in rows]), images[rows]],
            pair_scores,
            variables,
            tokens,
            (self.BATCH, self.EPOCHS, self.RATE, self.DECAY, seed),
        )

    def _known(self, tokens: list[list[int]]) -> list[np.ndarray]:
        """The different words of each text that were seen often enough, as rows of the table."""
        return [
            np.array([self._rows[t] for t in dict.fromkeys(text) if t in self._rows], np.int32)
            for text in tokens
        ]

    def _standardised(self, features: np.ndarray) -> np.ndarray:
        return ((features - self._mean) / self._spread).clip(-10, 10).astype(np.float32)

    def _compare(self, flat, owners, count, images):
        """[count, I]: words `flat` [W] of the texts `owners` [W] against images [I, P, F]."""
        patches = tf.einsum("ipf,fd->ipd", images, self._projection) + self._places
        patches = tf.math.l2_normalize(patches, -1)
        words = tf.math.l2_normalize(tf.gather(self._words, flat), -1)
        similar = tf.einsum("wd,ipd->wip", words, patches) / self.TEMPERATURE
        best = self.TEMPERATURE * tf.reduce_logsumexp(similar, -1)
        weights = tf.nn.relu(tf.gather(self._weights, flat))
        total = tf.math.unsorted_segment_sum(weights, owners, count)
        summed = tf.math.unsorted_segment_sum(best * weights[:, None], owners, count)
        return tf.math.divide_no_nan(summed, total[:, None])

    def score(self, tokens: list[list[int]], features: np.ndarray) -> np.ndarray:
        """[T, I] weighted means of the words' best similarities."""
        images, known = tf.constant(self._standardised(features)), self._known(tokens)
        parts = []
        for start in range(0, len(known), BLOCK):
            texts = known[start : start + BLOCK]
            flat, owners = (tf.constant(side) for side in _flattened(texts))
            parts.append(self._compare_any(flat, owners, tf.constant(len(texts)), images).numpy())
        return np.concatenate(parts)


def _flattened(texts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Words of texts one after the other, and the number of the text that each is of."""
    owners = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    return np.concatenate(texts).astype(np.int32), owners.astype(np.int32)


def _variable(draw: np.random.Generator, *shape: int, spread: float) -> tf.Variable:
    return tf.Variable(draw.normal(0, spread, shape).astype(np.float32))


def train_contrastively(
    inputs_of: Callable,
    pair_scores: Callable,
    variables: list[tf.Variable],
    texts: list,
    schedule: tuple[int, int, float, float, int],
) -> None:
    """Trains `variables` by AdamW, at a rate that falls to zero, so that scores tell which text of
    a batch belongs to which image.

    Args: inputs_of: rows [B] -> arrays; pair_scores: those as tensors -> [B, B] (text, image).
      texts: of the products; equal ones are no wrong answers. schedule: batch, epochs, rate,
      weight decay, seed.
    """
    batch, epochs, rate, decay, seed = schedule
    tf_keras.utils.set_random_seed(seed)
    numbers: dict = {}
    same = np.array([numbers.setdefault(str(text), len(numbers)) for text in texts])
    batch = min(batch, len(same))
    steps = epochs * (len(same) // batch)
    falling = tf_keras.optimizers.schedules.PolynomialDecay(rate, steps, 0.0)
    optimizer = tf_keras.optimizers.AdamW(falling, weight_decay=decay)
    log_scale = tf.Variable(math.log(FIRST_SCALE))
    variables = [*variables, log_scale]
    optimizer.build(variables)

    @tf.function(reduce_retracing=True)
    def step(inputs, same_text):
        with tf.GradientTape() as tape:
            loss = contrastive_loss(tf.exp(log_scale) * pair_scores(*inputs), same_text)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))

    draw = np.random.default_rng(seed)
    for _ in range(epochs):
        order = draw.permutation(len(same))
        for start in range(0, len(same) - batch + 1, batch):
            rows = order[start : start + batch]
            same_text = same[rows][:, None] == same[rows][None]
            step([tf.constant(side) for side in inputs_of(rows)], tf.constant(same_text))
