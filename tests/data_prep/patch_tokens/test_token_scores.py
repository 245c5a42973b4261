"""What a tokenizer is judged by, by hand."""

import numpy as np
import pytest

from data_prep.patch_tokens.token_scores import TokenScores, cell_means, perplexity, psnr


def test_cells_by_their_means():
    photo = np.zeros([1, 4, 4, 1])
    photo[0, 0, :2, 0] = [4, 8]
    photo[0, 2:, 2:, 0] = [[1, 2], [3, 6]]
    expected = [[3, 3, 0, 0], [3, 3, 0, 0], [0, 0, 3, 3], [0, 0, 3, 3]]
    np.testing.assert_array_equal(cell_means(photo, 2)[0, ..., 0], expected)


def test_psnr_and_perplexity():
    assert psnr(1.0) == 0 and psnr(0.01) == pytest.approx(20)
    assert psnr(0.0) == 100  # and no infinity
    assert perplexity(np.array([5, 0, 5, 5])) == pytest.approx(3)
    shares = np.array([0.5, 0.25, 0.25])
    assert perplexity(np.array([4, 2, 2, 0])) == pytest.approx(np.prod(shares**-shares))


def test_batches_of_several_sizes_count_by_their_photos():
    scores, random = TokenScores(num_codes=6, cell=2), np.random.default_rng(0)
    photos, back = random.uniform(size=[2, 5, 4, 4, 3])
    codes = np.array([[0, 1, 1, 5], [1] * 4, [0] * 4, [5] * 4, [5] * 4])
    scores.add(photos[:3], back[:3], codes[:3], loss=2.0)
    scores.add(photos[3:], back[3:], codes[3:], loss=7.0)
    figures = scores.figures()
    assert figures["valid_loss"] == pytest.approx((3 * 2 + 2 * 7) / 5)
    assert figures["psnr"] == pytest.approx(psnr(np.mean((photos - back) ** 2)))
    baseline = np.mean((photos - cell_means(photos, 2)) ** 2)
    assert figures["cell_mean_psnr"] == pytest.approx(psnr(baseline))
    assert figures["codes_used"] == 3
    assert figures["perplexity"] == pytest.approx(perplexity(np.array([5, 6, 0, 0, 0, 9])))
