"""Where a photo shows a word: what every cell of its map says for each word piece, learnt from
texts of whole photos alone.

The attention of a captioner need not look at the thing it names (it can know it from the whole
photo, or from the words before), and on the drawn catalogue, where the truth is known, it sits no
better than chance. So a linear predictor of "does the text hold this piece" is fitted to each
photo's strongest response of every channel (a maximum over the cells), and then asked cell by cell:
class activation maps (Zhou et al. 2016) with words as classes. Pieces that it cannot foretell for a
photo left out are not visible ("weekend", "with") and say nothing.

N = photos, M = cells a side of a map, F = channels, P = pieces.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from data_prep.alignment.feature_maps import KeptMaps

FEWEST = 8
"""Texts that must hold a piece; from fewer nothing can be learnt."""
VISIBLE = 0.05
"""Share of a piece's variance that must be foretold for photos left out."""
_RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # a photo
_PHOTOS, _PIECES = 256, 512  # at once in memory
_DEVIATIONS = 5.0  # responses are cut there, so that one odd channel does not decide


@dataclasses.dataclass(frozen=True)
class WordEvidence:
    """`mean`, `scale` [F]: of the cells of all photos. `weights` [F, P] float32, zero for pieces
    that are not visible. `visible` [P]: share of variance foretold for photos left out, 1 at most;
    0 where nothing is.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    visible: np.ndarray


def fit(
    maps: KeptMaps, texts: Sequence[Sequence[int]], pieces: Sequence[int], silent: int = 0
) -> WordEvidence:
    """Ridge regression with the strength that foretells photos left out best (leave-one-out, in
    closed form).

    Args: texts: of each photo, vocabulary ids. pieces: vocabulary ids of the P pieces. silent: how
      many of the first stand for no word.
    """
    mean, scale = _cell_statistics(maps)
    rows = np.concatenate(
        [standard_cells(maps[batch], mean, scale).max(axis=(1, 2)) for batch in _batches(len(maps))]
    )
    rows -= rows.mean(axis=0)
    values, vectors = np.linalg.eigh(
        sum(rows[batch].astype(np.float64).T @ rows[batch] for batch in _batches(len(rows)))
    )
    # [N, F] along the eigenvectors, so that every ridge is a division
    rows = rows @ vectors.astype(np.float32)
    number_of = {piece: number for number, piece in enumerate(pieces)}
    held = [
        np.unique([number_of[int(piece)] for piece in text if int(piece) in number_of]).astype(int)
        for text in texts
    ]
    counts = np.bincount(np.concatenate(held), minlength=len(pieces))
    known = np.flatnonzero(
        (counts >= FEWEST)
        & (counts <= len(texts) - FEWEST)
        & ~np.isin(np.arange(len(pieces)), range(silent))
    )
    weights, visible = (
        np.zeros([rows.shape[1], len(pieces)], np.float32),
        np.zeros(len(pieces), np.float32),
    )
    if len(known):
        foretold, products = (
            np.concatenate(parts, axis=-1) for parts in zip(*_foretell(known, held, rows, values))
        )
        best = int(np.maximum(foretold, 0).mean(axis=1).argmax())
        seen = foretold[best] > VISIBLE
        weights[:, known[seen]] = vectors @ (
            products[:, seen] / _divisor(values, _RIDGES[best], len(rows))[:, None]
        )
        visible[known[seen]] = foretold[best][seen]
    return WordEvidence(mean, scale, weights, visible)


def _divisor(values: np.ndarray, ridge: float, count: int) -> np.ndarray:
    return np.maximum(values, 0) + ridge * count


def _foretell(known, held, rows, values):
    """Yields (share of variance foretold when left out [ridges, n], products of rows and texts [F,
    n]) of the known pieces, some at a time.
    """
    divisors = [_divisor(values, ridge, len(rows)) for ridge in _RIDGES]
    leverages = [
        (rows**2) @ (1 / divisor).astype(np.float32) + 1 / len(rows) for divisor in divisors
    ]
    for start in range(0, len(known), _PIECES):
        some = known[start : start + _PIECES]
        holds = np.stack([np.isin(some, numbers) for numbers in held]).astype(np.float32)
        holds -= holds.mean(axis=0)
        products, variance = rows.T @ holds, (holds**2).sum(axis=0)
        foretold = []
        for divisor, leverage in zip(divisors, leverages):
            left_out = (holds - rows @ (products / divisor[:, None]).astype(np.float32)) / (
                1 - leverage
            )[:, None]
            foretold.append(1 - (left_out**2).sum(axis=0) / variance)
        yield np.array(foretold), products


def _batches(count: int) -> list[np.ndarray]:
    return [np.arange(start, min(start + _PHOTOS, count)) for start in range(0, count, _PHOTOS)]


def _cell_statistics(maps: KeptMaps) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation [F] over the cells of all photos; a channel that never answers gets 1."""
    total = squares = cells = 0.0
    for batch in _batches(len(maps)):
        flat = maps[batch].astype(np.float64)
        total, squares, cells = (
            total + flat.sum((0, 1, 2)),
            squares + (flat**2).sum((0, 1, 2)),
            cells + flat[..., 0].size,
        )
    mean = total / cells
    deviation = np.sqrt(np.maximum(squares / cells - mean**2, 0))
    return mean.astype(np.float32), np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32)


def standard_cells(maps, mean, scale):
    """Maps [..., F], NumPy's or TensorFlow's, in deviations from the mean of all photos' cells."""
    standard = (maps - mean) / scale
    return (
        tf.clip_by_value(standard, -_DEVIATIONS, _DEVIATIONS)
        if tf.is_tensor(standard)
        else np.clip(standard, -_DEVIATIONS, _DEVIATIONS)
    )


def cells_say(maps: np.ndarray, pieces: Sequence[int], evidence: WordEvidence) -> np.ndarray:
    """What each cell of one photo [M, M, F] says for the pieces of a text (numbers among the P):
    [pieces, M, M] float32, above 0 for.

    Words that come together ("hoodie", "drawstring", "pocket") all speak of the place that tells
    such products from others (the hood). So a cell speaks for a piece as far as it does so more
    than for the text's visible pieces on the whole.
    """
    chosen = evidence.weights[:, list(pieces)]
    lengths = np.linalg.norm(chosen, axis=0)
    said = np.moveaxis(
        standard_cells(maps, evidence.mean, evidence.scale) @ (chosen / np.maximum(lengths, 1e-9)),
        -1,
        0,
    )
    seen = lengths > 0
    if seen.sum() > 1:
        said[seen] -= said[seen].mean(axis=0)
    return said
