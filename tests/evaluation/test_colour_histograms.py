"""Shares of colours, by hand."""

import numpy as np

from kaleido_tf.evaluation.colour_histograms import colour_histograms


def test_shares_of_colours():
    black_and_red = np.zeros([2, 2, 3], np.uint8)
    black_and_red[0, 0] = (255, 0, 63)  # the last step of red, the first of blue
    grey = np.full([2, 2, 3], 130, np.uint8)
    found = colour_histograms(np.stack([black_and_red, grey])).numpy()
    expected = np.zeros([2, 64], np.float32)
    expected[0, 0], expected[0, 48] = np.sqrt(3 / 4), np.sqrt(1 / 4)
    expected[1, 2 * 16 + 2 * 4 + 2] = 1
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose((found**2).sum(axis=1), 1)
