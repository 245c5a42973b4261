import re

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.models.mvlt.grid_masking import MASKED_PIXEL, draw_grid, grid_of_orders, paint
from tests import mvlt_golden

GOLDEN = mvlt_golden.arrays("grid_mask")
GIVEN = [name.removesuffix("/grid") for name in GOLDEN if name.endswith("/grid")]


def orders_of_the_release(seed, cells):
    """The two shuffles as its code draws them, of lists from NumPy's global generator."""
    random = np.random.RandomState(seed)
    flags = list(range(cells**2))
    random.shuffle(flags)
    rows = [list(range(cells)) for _ in range(cells)]
    for row in rows:
        random.shuffle(row)
    return tf.constant(flags), tf.constant(rows)


@pytest.mark.parametrize("name", GIVEN)
def test_masks_of_the_release(name):
    size, share, cell, seed = map(float, re.findall(r"[\d.]+", name))
    orders = orders_of_the_release(int(seed), int(size / cell))
    grid = grid_of_orders(*orders, share, step=1).numpy()
    np.testing.assert_array_equal(grid, GOLDEN[f"{name}/grid"])
    assert grid.mean() == pytest.approx(GOLDEN[f"{name}/masked_fraction"])


def test_how_much_the_release_masks():
    drawn = [draw_grid(tf.constant([s, 3]), 16, 0.5, "release").numpy() for s in range(300)]
    shares = [grid.mean() for grid in drawn]
    mean, spread, least, most = GOLDEN["fraction_stats_256_0.5_16/seeds0-1999/mean_std_min_max"]
    assert np.mean(shares) == pytest.approx(mean, abs=4 * spread / np.sqrt(300))
    assert np.std(shares) == pytest.approx(spread, rel=0.15)
    assert min(shares) < 0.3 and max(shares) > 0.7 and least < 0.12 < 0.8 < most


@pytest.mark.parametrize(("cells", "share"), [(16, 0.5), (6, 0.25), (3, 0.0), (3, 1.0)])
def test_the_exact_mask_has_its_share(cells, share):
    grids = [draw_grid(tf.constant([7, s]), cells, share, "exact").numpy() for s in range(5)]
    assert all(grid.sum() == int(share * cells**2) for grid in grids)
    if 0 < share < 1:
        assert any((grids[0] != grid).any() for grid in grids)
        rows = np.stack([grid.mean(axis=1) for grid in grids])
        assert np.std(rows) > 0  # not a fixed number a row


def test_masked_pixels_of_the_release():
    image, mask = GOLDEN["apply/image"], GOLDEN["apply/mask"]
    cells = mask.reshape(-1, *mask.shape[-2:])[:1, ::8, ::8].astype(bool)
    photos = mvlt_golden.channels_last(image.reshape(-1, *image.shape[-3:]))
    masked = paint(tf.constant(photos), tf.constant(cells)).numpy()
    expected = GOLDEN["apply/masked_image"].reshape(-1, *image.shape[-3:])
    np.testing.assert_array_equal(masked, mvlt_golden.channels_last(expected))
    assert masked.min() == np.float32(MASKED_PIXEL)
