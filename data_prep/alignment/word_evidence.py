"""Where a photo shows a word: what every cell of its map says for each word piece, learnt from
texts of whole photos alone.

The attention of a captioner need not look at the thing it names (it can know it from the whole
photo, or from the words before), and on the drawn catalogue, where the truth is known, it sits no
better than chance. So a linear predictor of "does the text hold this piece" is fitted to each
photo's strongest response of every channel (a maximum over the cells), and then asked cell by cell:
class activation maps (Zhou et al. 2016) with words as classes. Pieces that it cannot predict for
held-out photos are not visible ("weekend", "with") and count for nothing.

N = photos, M = cells a side of a map, F = channels, P = pieces.
"""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tf_keras

from data_prep.alignment.feature_maps import KeptMaps
from kaleido_tf.errors import InputError
from kaleido_tf.files.network_file import network_digest, read_network, write_network
from kaleido_tf.settings import setting

WEIGHTS_NAME = "word_evidence.safetensors"
_KIND = "word evidence of kaleido_tf"

FEWEST = 8
"""Texts that must hold a piece; from fewer nothing can be learnt."""
VISIBLE = 0.05
"""Share of a piece's variance that must be explained on held-out photos."""
_RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # a photo
_PHOTOS, _PIECES = 256, 512  # at once in memory
_DEVIATIONS = 5.0  # responses are cut there, so that one odd channel does not decide


@dataclasses.dataclass(frozen=True)
class WordEvidence:
    """`mean`, `scale` [F]: of the cells of all photos. `weights` [F, P] float32, zero for pieces
    that are not visible. `visible` [P]: share of variance explained on held-out photos, 1 at most;
    0 where nothing is.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    visible: np.ndarray


def fit(
    maps: KeptMaps, texts: Sequence[Sequence[int]], pieces: Sequence[int], silent: int = 0
) -> WordEvidence:
    """Ridge regression with the strength that predicts held-out photos best (leave-one-out, in
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
        explained, products = (
            np.concatenate(parts, axis=-1) for parts in zip(*_explain(known, held, rows, values))
        )
        best = int(np.maximum(explained, 0).mean(axis=1).argmax())
        seen = explained[best] > VISIBLE
        weights[:, known[seen]] = vectors @ (
            products[:, seen] / _divisor(values, _RIDGES[best], len(rows))[:, None]
        )
        visible[known[seen]] = explained[best][seen]
    return WordEvidence(mean, scale, weights, visible)


def _divisor(values: np.ndarray, ridge: float, count: int) -> np.ndarray:
    return np.maximum(values, 0) + ridge * count


def _explain(known, held, rows, values):
    """Yields (share of variance explained when left out [ridges, n], products of rows and texts [F,
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
        explained = []
        for divisor, leverage in zip(divisors, leverages):
            left_out = (holds - rows @ (products / divisor[:, None]).astype(np.float32)) / (
                1 - leverage
            )[:, None]
            explained.append(1 - (left_out**2).sum(axis=0) / variance)
        yield np.array(explained), products


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


def evidence_of_cells(
    maps: np.ndarray, pieces: Sequence[int], evidence: WordEvidence
) -> np.ndarray:
    """How far each cell of one photo [M, M, F] supports the pieces of a text (numbers among the P):
    [pieces, M, M] float32, above 0 for.

    Words that come together ("hoodie", "drawstring", "pocket") all speak of the place that tells
    such products from others (the hood). So a cell speaks for a piece as far as it does so more
    than for the text's visible pieces on the whole.
    """
    chosen = evidence.weights[:, list(pieces)]
    lengths = np.linalg.norm(chosen, axis=0)
    cells = standard_cells(maps, evidence.mean, evidence.scale)
    support = np.moveaxis(cells @ (chosen / np.maximum(lengths, 1e-9)), -1, 0)
    seen = lengths > 0
    if seen.sum() > 1:
        support[seen] -= support[seen].mean(axis=0)
    return support


@dataclasses.dataclass(frozen=True)
class EvidenceSettings:
    """What evidence was learnt from; with other features or pieces it means nothing.

    Attributes:
      pieces: vocabulary ids of the P pieces, the first four as in `pieces`.
      backbone, backbone_digest, vocabulary_digest: of the records.
      channels: F. cells: M. longest: most pieces of a text that are looked at.
    """

    pieces: tuple[int, ...]
    backbone: str
    backbone_digest: str
    vocabulary_digest: str
    channels: int
    cells: int = setting(14, "cells", "Cells a side of the convolutional map: 14, or 7.", lowest=1)
    longest: int = setting(
        60, "longest", "Most word pieces of a text that are looked at.", lowest=1
    )

    def __post_init__(self):
        object.__setattr__(self, "pieces", tuple(self.pieces))  # JSON has lists
        sizes = (self.channels, self.cells, self.longest, len(self.pieces))
        if min(sizes) < 1:
            raise InputError(f"sizes of word evidence must be at least 1. Received: {sizes}")


@dataclasses.dataclass(frozen=True)
class TrainedEvidence:
    """Evidence to be used. `digest`: sha256 over settings and weights."""

    settings: EvidenceSettings
    evidence: WordEvidence
    digest: str


class _Network(tf_keras.Model):
    """The arrays of `WordEvidence` as weights, for a file."""

    def __init__(self, settings: EvidenceSettings):
        super().__init__(name="word_evidence")
        channels, pieces = settings.channels, len(settings.pieces)
        shapes = {
            "mean": [channels],
            "scale": [channels],
            "weights": [channels, pieces],
            "visible": [pieces],
        }
        self.arrays = {
            name: self.add_weight(name, shape, trainable=False) for name, shape in shapes.items()
        }


def save_evidence(
    path: str | os.PathLike, settings: EvidenceSettings, evidence: WordEvidence
) -> TrainedEvidence:
    """Writes one safetensors file (see `network_file`)."""
    network = _Network(settings)
    for name, weight in network.arrays.items():
        weight.assign(getattr(evidence, name))
    write_network(path, _KIND, settings, network)
    return TrainedEvidence(settings, evidence, network_digest(settings, network))


def load_evidence(path: str | os.PathLike) -> TrainedEvidence:
    """Reads what `save_evidence` wrote. Raises: InputError as `network_file.read_network`."""
    what = "word evidence (a file that data_prep.train_word_evidence wrote)"
    settings, network = read_network(path, _KIND, EvidenceSettings, _Network, what)
    arrays = {name: weight.numpy() for name, weight in network.arrays.items()}
    return TrainedEvidence(settings, WordEvidence(**arrays), network_digest(settings, network))
