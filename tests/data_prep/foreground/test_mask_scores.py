"""Scores of masks that can be counted by hand."""

import numpy as np
import pytest

from data_prep.foreground.crops import Crop
from data_prep.foreground.mask_scores import box_iou, f_measure, mask_iou, scores


def block(x1, x2, y1, y2):
    mask = np.zeros((7, 11), bool)
    mask[y1:y2, x1:x2] = True
    return mask


def test_of_two_blocks():
    mask, truth = block(0, 4, 0, 3), block(2, 5, 0, 3)  # 12 and 9 pixels, 6 in common
    assert mask_iou(mask, truth) == pytest.approx(6 / 15)
    # Precision 1/2, recall 2/3: 1.3 * (1/3) / (0.3 * 1/2 + 2/3).
    assert f_measure(mask, truth) == pytest.approx(1.3 / 3 / (0.15 + 2 / 3))
    assert f_measure(truth, mask) == pytest.approx(1.3 / 3 / (0.2 + 1 / 2))
    assert box_iou((0, 4, 0, 3), (2, 5, 0, 3)) == pytest.approx(6 / 15)
    assert box_iou((0, 4, 0, 3), (5, 6, 0, 3)) == 0
    assert scores(mask, truth, Crop((1, 5, 0, 3), False)) == pytest.approx(
        {"mask_iou": 0.4, "f_measure": 1.3 / 3 / (0.15 + 2 / 3), "box_iou": 9 / 12}
    )


def test_of_empty_masks():
    empty, some = block(0, 0, 0, 0), block(1, 2, 3, 5)
    assert (mask_iou(empty, empty), f_measure(empty, empty)) == (1, 1)
    assert (mask_iou(empty, some), f_measure(empty, some), f_measure(some, empty)) == (0, 0, 0)
    assert scores(empty, empty, Crop((0, 11, 0, 7), True))["box_iou"] == 1
