import io

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_prep.features.patch_features import extract_features
from data_prep.foreground.working_crops import crop_product
from data_prep.photo_graphs.photo_graph import PhotoGraph
from kaleido_tf.records.record import GRIDS, KALEIDO

CROP = 80


def photos():
    """Two PNGs of different proportions, and their pixels."""
    draw = np.random.default_rng(6)
    pixels = [draw.integers(0, 256, size).astype(np.uint8) for size in ((97, 66, 3), (60, 110, 3))]
    pixels = [cv2.GaussianBlur(image, (0, 0), 2) for image in pixels]
    contents = []
    for image in pixels:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        contents.append(stream.getvalue())
    return contents, pixels


@pytest.mark.parametrize(("layout", "patch_size"), [(KALEIDO, None), (GRIDS[4], 35)])
def test_features_are_those_of_records(squeezenet, layout, patch_size):
    contents, pixels = photos()
    graph = PhotoGraph(squeezenet, None, CROP, patch_size, layout)
    spec = tf.TensorSpec([None], tf.string)
    features, boxes = tf.function(graph.__call__, [spec], autograph=False)(contents)
    assert len(graph.variables) == len(squeezenet.model.variables)
    for number, image in enumerate(pixels):
        crop = crop_product(image, "none", CROP).pixels
        blocks = extract_features(crop[None], squeezenet, patch_size, layout)
        expected = blocks["patch_features"][0].astype(np.float16).astype(np.float32)
        np.testing.assert_allclose(features[number], expected, rtol=2e-3, atol=1e-3)
        np.testing.assert_array_equal(boxes[number], layout.boxes(crop.shape[1], crop.shape[0]))
