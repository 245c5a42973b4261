"""What a tokenizer is judged by: how well photos come back from their codes, and how many of the
codes are in use.

B = photos, S = pixels a side.
"""

import math

import numpy as np


def cell_means(photos: np.ndarray, cell: int) -> np.ndarray:
    """The baseline: [B, S, S, C] colours with those of each square of `cell` pixels replaced by
    their mean. It tells three numbers of a cell; a code is one.
    """
    count, side, _, channels = photos.shape
    grid = side // cell
    squares = photos.reshape(count, grid, cell, grid, cell, channels)
    means = squares.mean(axis=(2, 4), keepdims=True)
    return np.broadcast_to(means, squares.shape).reshape(photos.shape)


def psnr(squared_error: float) -> float:
    """Decibels (peak signal-to-noise ratio) of a mean squared error of colours in [0, 1]."""
    return -10 * math.log10(max(squared_error, 1e-10))


def perplexity(counts: np.ndarray) -> float:
    """How many codes are in use, if each were as often: e to the entropy of how often each was.
    [K] -> 1 to K.
    """
    shares = counts[counts > 0] / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


class TokenScores:
    """Sums up batches of held-out photos.

    Args: num_codes: K. cell: pixels of a side of a cell.
    """

    def __init__(self, num_codes: int, cell: int):
        self._cell, self._counts = cell, np.zeros(num_codes, np.int64)
        self._photos, self._loss, self._errors = 0, 0.0, np.zeros(2)

    def add(
        self, photos: np.ndarray, reconstruction: np.ndarray, codes: np.ndarray, loss: float
    ) -> None:
        """A batch: photos and their reconstruction [B, S, S, C] in [0, 1], codes [B, N], and the
        batch's mean loss.
        """
        kinds = reconstruction, cell_means(photos, self._cell)
        self._errors += [len(photos) * np.mean((kind - photos) ** 2) for kind in kinds]
        self._loss += len(photos) * loss
        self._photos += len(photos)
        self._counts += np.bincount(codes.reshape(-1), minlength=len(self._counts))

    def figures(self) -> dict[str, float]:
        """`valid_loss`; `psnr` and `cell_mean_psnr` (the baseline's) in decibels; `perplexity`;
        `codes_used`.
        """
        own, baseline = self._errors / self._photos
        return {
            "valid_loss": self._loss / self._photos,
            "psnr": psnr(own),
            "cell_mean_psnr": psnr(baseline),
            "perplexity": perplexity(self._counts),
            "codes_used": float((self._counts > 0).sum()),
        }
