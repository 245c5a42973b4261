import numpy as np
import pytest

from kaleido_tf import patches


def test_levels_have_55_patches_in_order():
    assert patches.LEVEL_PATCHES == {
        "rotation": 1,
        "jigsaw": 4,
        "camouflage": 9,
        "grey_to_color": 16,
        "blank_to_color": 25,
    }
    assert patches.LEVEL_STARTS == {
        "rotation": 0,
        "jigsaw": 1,
        "camouflage": 5,
        "grey_to_color": 14,
        "blank_to_color": 30,
    }
    assert patches.kaleido_boxes(61, 47).shape == (55, 5)


def test_boxes_row_by_row_by_hand():
    # 7 pixels in three columns: 2, 2, 3; 5 pixels in three rows: 1, 2, 2.
    boxes = patches.level_boxes(width=7, height=5, side=3)
    assert boxes[0].tolist() == [0, 2, 0, 1, 2]
    assert boxes[2].tolist() == [4, 7, 0, 1, 3]
    assert boxes[3].tolist() == [0, 2, 1, 3, 4]
    assert boxes[8].tolist() == [4, 7, 3, 5, 6]


@pytest.mark.parametrize("side", patches.LEVELS)
def test_every_pixel_lies_in_exactly_one_patch(side):
    width, height = 53, 38
    seen = np.zeros([height, width], int)
    for x1, x2, y1, y2, area in patches.level_boxes(width, height, side):
        seen[y1:y2, x1:x2] += 1
        assert area == (x2 - x1) * (y2 - y1)
    assert (seen == 1).all()


def test_patch_sides_differ_by_at_most_one_pixel():
    boxes = patches.level_boxes(53, 38, 5)
    assert set(boxes[:, 1] - boxes[:, 0]) == {10, 11}
    assert set(boxes[:, 3] - boxes[:, 2]) == {7, 8}


def test_crop_smaller_than_grid_is_refused():
    with pytest.raises(ValueError, match=r"at least 5 pixels a side. Received: width=9, height=4"):
        patches.kaleido_boxes(9, 4)


def test_jigsaw_permutations_are_all_24():
    assert patches.JIGSAW_PERMUTATIONS.shape == (24, 4)
    assert len({tuple(row) for row in patches.JIGSAW_PERMUTATIONS}) == 24
    assert patches.JIGSAW_PERMUTATIONS[0].tolist() == [0, 1, 2, 3]
    assert all(sorted(row) == [0, 1, 2, 3] for row in patches.JIGSAW_PERMUTATIONS)
