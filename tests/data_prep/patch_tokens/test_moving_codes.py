"""Codes move as NumPy says, and start anew where they are not in use."""

import numpy as np
import tensorflow as tf

from data_prep.patch_tokens.moving_codes import (
    CodeAverages,
    averages_of,
    moved,
    restarted,
    set_averages,
)
from kaleido_tf.models.fashion_vil.patch_tokenizer import Codebook

CODES, LENGTH, VECTORS = 5, 3, 7


def drawn(seed=2):
    random = np.random.default_rng(seed)
    sizes = random.uniform(0.5, 4, CODES).astype(np.float32)
    codes, sums = random.normal(size=[2, CODES, LENGTH]).astype(np.float32)
    z = random.normal(size=[VECTORS, LENGTH]).astype(np.float32)
    return CodeAverages(*map(tf.constant, (codes, sizes, sums))), z


def test_averages_move_as_an_oracle_says():
    averages, z = drawn()
    nearest = np.array([1, 4, 1, 1, 0, 4, 3], np.int32)
    got = moved(averages, tf.constant(z), tf.constant(nearest), decay=0.8)
    sizes, sums = averages.sizes.numpy().copy(), averages.sums.numpy().copy()
    for code in range(CODES):
        own = z[nearest == code]
        sizes[code] = 0.8 * sizes[code] + 0.2 * len(own)
        sums[code] = 0.8 * sums[code] + 0.2 * own.sum(0)
    total = sizes.sum()
    smoothed = (sizes + 1e-5) / (total + CODES * 1e-5) * total
    np.testing.assert_allclose(got.sizes, sizes, rtol=1e-5)
    np.testing.assert_allclose(got.sums, sums, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got.codes, sums / smoothed[:, None], rtol=1e-5, atol=1e-6)


def test_code_comes_to_the_mean_of_its_vectors():
    averages, z = drawn()
    z = tf.constant(z[:2])
    for _ in range(200):
        averages = moved(averages, z, tf.constant([3, 3]), decay=0.9)
    np.testing.assert_allclose(averages.codes[3], tf.reduce_mean(z, 0), atol=1e-3)


def test_unused_codes_become_vectors_of_the_step():
    averages, z = drawn()
    sizes = tf.constant([0.2, 3.0, 0.69, 0.71, 0.0])  # 0.5 of the average is 0.7
    averages = averages._replace(sizes=sizes)
    seed = tf.constant([3, 8], tf.int64)
    got = restarted(averages, tf.constant(z), 0.5, seed)
    new = [True, False, True, False, True]
    for code, is_new in enumerate(new):
        if is_new:
            place = np.flatnonzero((z == got.codes[code].numpy()).all(1))
            assert len(place) == 1
            assert float(got.sizes[code]) == np.float32(VECTORS / CODES)
            expected = z[place[0]] * np.float32(VECTORS / CODES)
            np.testing.assert_allclose(got.sums[code], expected, rtol=1e-6)
        else:
            for part, before in zip(got, averages):
                np.testing.assert_array_equal(part[code], before[code])
    again = restarted(averages, tf.constant(z), 0.5, seed)
    np.testing.assert_array_equal(got.codes, again.codes)
    other = restarted(averages, tf.constant(z), 0.5, seed + 1)
    assert (other.codes.numpy() != got.codes.numpy()).any()


def test_all_codes_of_a_new_codebook_start_anew():
    codebook, z = Codebook(CODES, LENGTH), tf.constant(drawn()[1])
    set_averages(codebook, restarted(averages_of(codebook), z, 0.1, tf.constant([0, 0], tf.int64)))
    rows = {tuple(row) for row in z.numpy()}
    assert all(tuple(row) in rows for row in codebook.weight.numpy())
    np.testing.assert_allclose(codebook.embed_avg, codebook.weight * VECTORS / CODES, rtol=1e-6)
