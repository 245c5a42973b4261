import cv2
import numpy as np
import pytest
import tensorflow as tf

from data_prep.photo_graphs.resizing import resize, shrink

RESIZE = tf.function(resize, reduce_retracing=True)
SHRINK = tf.function(shrink, reduce_retracing=True)
SIZES = {  # (height, width) before and after
    "smaller": ((90, 61), (64, 43)),
    "larger": ((37, 51), (64, 80)),
    "halved": ((64, 96), (32, 48)),
    "a third and a half": ((96, 64), (32, 32)),
    "one side grows": ((77, 128), (96, 64)),
    "the other grows": ((130, 40), (128, 48)),
    "the same": ((33, 32), (33, 32)),
}


@pytest.mark.parametrize("name", SIZES)
def test_pixels_are_opencvs(name):
    before, (height, width) = SIZES[name]
    picture = np.random.default_rng(len(name)).integers(0, 256, (*before, 3)).astype(np.uint8)
    for function, method in ((RESIZE, cv2.INTER_LINEAR), (SHRINK, cv2.INTER_AREA)):
        found = function(tf.constant(picture), tf.constant(height), tf.constant(width)).numpy()
        expected = cv2.resize(picture, (width, height), interpolation=method)
        difference = np.abs(found.astype(int) - expected)
        assert difference.max() <= 1 and (difference > 0).mean() < 2e-4


def test_probabilities_are_interpolated_too():
    values = np.random.default_rng(1).random((31, 47)).astype(np.float32)
    found = RESIZE(tf.constant(values[..., None]), tf.constant(60), tf.constant(50))[..., 0]
    expected = cv2.resize(values, (50, 60), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(found, expected, atol=2e-5)
