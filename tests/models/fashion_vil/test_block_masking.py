import collections
import random

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.models.fashion_vil.block_masking import draw_block_mask, masked_count, release_mask
from tests.golden_files import fashion_vil

DRAWS = 3000


@pytest.fixture(scope="module")
def golden():
    with np.load(fashion_vil() / "blockwise_masks.npz") as content:
        return dict(content)


@pytest.fixture(scope="module")
def of_release():
    draws = random.Random(5)
    return np.stack([release_mask(draws).reshape(7, 7) for _ in range(DRAWS)])


@pytest.fixture(scope="module")
def drawn():
    return drawn_inside_tf_data(7, 8, DRAWS)


def drawn_inside_tf_data(cells, masked, count):
    masks = tf.data.Dataset.range(count).map(
        lambda number: draw_block_mask(tf.stack([np.int64(11), number]), cells, masked)
    )
    return np.stack(list(masks.as_numpy_iterator()))


def test_masks_of_the_release(golden):
    for seed, mask in zip(golden["python_random_seed"], golden["mask"], strict=True):
        np.testing.assert_array_equal(release_mask(random.Random(int(seed))), mask)


def counts(masks):
    found = collections.Counter(masks.sum(axis=(1, 2)).tolist())
    return np.array([found[size] for size in range(12)])


def test_as_many_cells_as_in_the_release(golden, of_release, drawn):
    expected = golden["hist_masked_count_20000"] / 20000
    for masks in (of_release, drawn):
        spread = np.sqrt(expected * (1 - expected) / DRAWS)
        np.testing.assert_array_less(np.abs(counts(masks) / DRAWS - expected), 4 * spread + 1e-9)


def shapes(masks):
    """How many masks have each (rows, columns) that hold a masked cell, and how many each cell."""
    sides = collections.Counter(
        (int(mask.any(axis=1).sum()), int(mask.any(axis=0).sum())) for mask in masks
    )
    return sides, masks.mean(axis=0)


def test_shapes_and_places_as_in_the_release(of_release, drawn):
    (expected, expected_cells), (sides, cells) = shapes(of_release), shapes(drawn)
    for shape in expected | sides:
        assert abs(expected[shape] - sides[shape]) < 4 * np.sqrt(expected[shape] + sides[shape]) + 4
    assert len(expected) > 15  # blocks, and not one form
    np.testing.assert_allclose(cells, expected_cells, atol=4 * np.sqrt(2 * 0.17 * 0.83 / DRAWS))
    assert cells[3, 3] > 1.5 * cells[0, 0]


def plain_mask(draws, cells, masked):
    """The rules step by step, from rows of four draws: area, aspect, top and left."""
    mask, failures = np.zeros([cells, cells], bool), 0
    for area, aspect, top, left in draws:
        wanted = masked - mask.sum()
        if not wanted or failures == 10:
            break
        least = min(4, masked // 2)
        area, aspect = least + (wanted - least) * area, 0.3 ** (1 - 2 * aspect)
        height, width = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
        failures += 1
        if height < cells and width < cells:
            top, left = int(top * (cells - height + 1)), int(left * (cells - width + 1))
            block = np.zeros_like(mask)
            block[top : top + height, left : left + width] = True
            if 0 < (block & ~mask).sum() <= wanted:
                mask, failures = mask | block, 0
    return mask


@pytest.mark.parametrize(("cells", "masked"), [(7, 8), (14, 32), (5, 4), (4, 14)])
def test_the_loop_against_a_plain_one(monkeypatch, cells, masked):
    for seed in range(12):
        given = np.random.RandomState(seed).uniform(size=[masked * 10, 4]).astype(np.float32)
        monkeypatch.setattr(tf.random, "stateless_uniform", lambda shape, seed, given=given: given)
        mask = draw_block_mask(tf.constant([0, seed]), cells, masked).numpy()
        np.testing.assert_array_equal(mask, plain_mask(given, cells, masked))


@pytest.mark.parametrize(("cells", "masked"), [(2, 1), (3, 1), (6, 6), (7, 8), (14, 32)])
def test_other_grids_have_the_same_share(cells, masked):
    assert masked_count(cells) == masked
    sizes = drawn_inside_tf_data(cells, masked, 40).sum(axis=(1, 2))
    assert sizes.max() == masked and sizes.min() >= masked - 2
    assert (sizes == masked).mean() > 0.8


def test_a_mask_belongs_to_its_seed():
    masks = [draw_block_mask(tf.constant([3, n]), 7, 8).numpy() for n in (1, 2, 3, 1)]
    np.testing.assert_array_equal(masks[0], masks[3])
    assert (masks[0] != masks[1]).any() and (masks[1] != masks[2]).any()


@pytest.mark.parametrize(("cells", "masked"), [(1, 1), (7, 0), (3, 10)])
def test_a_grid_that_no_block_fits(cells, masked):
    for draw in (draw_block_mask, release_mask):
        with pytest.raises(ValueError, match=f"at least 2.*cells={cells}, masked={masked}"):
            draw(None, cells, masked)
