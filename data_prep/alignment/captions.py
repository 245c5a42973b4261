"""What a captioner says of photos, and where it looked: decoded freely (greedy or by beam) or read
from the product's own text.

N = photos, B = beam, T = pieces of a caption, M = cells a side of a map, P = pieces the captioner
can say.
"""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
import tensorflow as tf

from data_prep.alignment.alignments import RASTER, Region
from data_prep.alignment.pieces import END, PAD, START, UNKNOWN
from data_prep.alignment.show_attend_tell import TrainedCaptioner, inputs_of, targets_of
from kaleido_tf.text import Vocabulary
from kaleido_tf.words import words_of


@dataclasses.dataclass(frozen=True)
class Caption:
    """`token_ids`: T vocabulary ids. `attention` [T, M, M] float32: where the captioner looked for
    each, sums of 1; None where no captioner read or made it. `score`: mean log probability a piece,
    with the end.
    """

    token_ids: tuple[int, ...]
    attention: np.ndarray | None = None
    score: float = float("nan")


class Speaker:
    """A captioner at work on batches of maps [N, M, M, F] float32.

    Args: beam: captions kept at every step; 1 is greedy. The one with the highest mean log
      probability a piece is returned.
    """

    def __init__(self, captioner: TrainedCaptioner, beam: int = 3):
        self._settings, self._model, self._beam = captioner.settings, captioner.model, beam
        self._begin = tf.function(lambda maps: self._model.begin(maps), reduce_retracing=True)
        self._step = tf.function(self._one_step, reduce_retracing=True)
        self._read = tf.function(
            lambda maps, inputs: self._model(maps, inputs), reduce_retracing=True
        )

    def describe(self, maps: np.ndarray) -> list[Caption]:
        """Captions of its own words."""
        count, beam = len(maps), self._beam
        places, projected, states = self._begin(tf.constant(maps))
        # Row n * B + b is beam b of photo n. At first all beams of a photo are equal: only one may
        # go on.
        places, projected, *states = (
            tf.repeat(tensor, beam, axis=0) for tensor in (places, projected, *states)
        )
        scores = np.tile(np.where(np.arange(beam) == 0, 0.0, -np.inf), [count, 1])
        last_pieces = np.full([count, beam], START, np.int32)
        lengths, done = np.zeros([count, beam]), np.zeros([count, beam], bool)
        history = []
        parents = np.tile(np.arange(beam), [count, 1])
        for number in range(self._settings.longest + 1):
            rows = (np.arange(count)[:, None] * beam + parents).reshape(-1)
            best, pieces, attention, states = self._step(
                tf.constant(last_pieces.reshape(-1)),
                tf.constant(rows),
                states,
                places,
                projected,
                tf.constant(number == self._settings.longest),
            )
            totals, pieces = _continued(
                scores,
                best.numpy().reshape(count, beam, -1),
                pieces.numpy().reshape(count, beam, -1),
                done,
            )
            parents, last_pieces, scores = _best(totals, pieces, beam)
            lengths, done = (
                np.take_along_axis(lengths, parents, 1),
                np.take_along_axis(done, parents, 1),
            )
            lengths += ~done
            history.append((parents, last_pieces, attention.numpy().reshape(count, beam, -1)))
            done |= last_pieces == END
            if done.all():
                break
        return self._read_back(history, scores / lengths)

    def _one_step(self, last_pieces, rows, states, places, projected, is_last):
        """The B most probable next pieces of every row and their log probabilities, [N * B, B]
        each; the last one can only be the end.
        """
        states = [tf.gather(state, rows) for state in states]
        logarithms, attention, states = self._model.step(last_pieces, states, places, projected)
        numbers = tf.range(len(self._settings.pieces))
        possible = tf.where(is_last, numbers == END, (numbers == END) | (numbers > UNKNOWN))
        best, pieces = tf.math.top_k(
            tf.where(possible, logarithms, -np.inf), min(self._beam, len(self._settings.pieces) - 3)
        )
        return best, pieces, attention, states

    def _read_back(self, history, scores: np.ndarray) -> list[Caption]:
        """Follows the best beam of each photo back through its parents."""
        captions = []
        for photo, beam in enumerate(np.argmax(scores, axis=1)):
            score, pieces, looks = float(scores[photo, beam]), [], []
            for parents, last_pieces, attention in reversed(history):
                piece, beam = int(last_pieces[photo, beam]), parents[photo, beam]
                if piece > UNKNOWN:
                    pieces.append(self._settings.pieces[piece])
                    looks.append(attention[photo, beam])
            captions.append(self._caption(pieces[::-1], looks[::-1], score))
        return captions

    def read(self, maps: np.ndarray, texts: Sequence[Sequence[int]]) -> list[Caption]:
        """The products' own texts (vocabulary ids, cut to `longest` pieces), read along with the
        photos ("teacher forcing").
        """
        texts = [tuple(text[: self._settings.longest]) for text in texts]
        targets = targets_of(texts, self._settings)
        logits, attention = self._read(tf.constant(maps), tf.constant(inputs_of(targets)))
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits).numpy()
        return [
            self._caption(
                text,
                attention[row, : len(text)].numpy(),
                -float(entropy[row, : len(text) + 1].mean()),
            )
            for row, text in enumerate(texts)
        ]

    def _caption(self, token_ids, attention, score) -> Caption:
        cells = self._settings.cells
        return Caption(
            tuple(token_ids), np.asarray(attention, np.float32).reshape(-1, cells, cells), score
        )


def _continued(scores, best, pieces, done):
    """Totals and pieces [N, B, B] of all ways on; a caption that has ended has one: it stays as it
    is.
    """
    totals = scores[:, :, None] + best
    stays = np.arange(best.shape[2]) == 0
    totals = np.where(done[:, :, None], np.where(stays, scores[:, :, None], -np.inf), totals)
    return totals, np.where(done[:, :, None], PAD, pieces)


def _best(totals, pieces, beam):
    """Of all ways on of a photo, the best B: which beam each came from, its piece, its score, [N,
    B].
    """
    ways = totals.shape[2]
    flat = totals.reshape(len(totals), -1)
    chosen = np.argsort(-flat, axis=1, kind="stable")[:, :beam]
    return (
        chosen // ways,
        np.take_along_axis(pieces.reshape(len(totals), -1), chosen, 1),
        np.take_along_axis(flat, chosen, 1),
    )


def heat_maps(cells: np.ndarray, width: int, height: int) -> np.ndarray:
    """Attention or evidence [T, M, M] up-sampled (bilinear) to [T, height, width] float32; a
    working crop's size lays them over its pixels.
    """
    return np.stack(
        [
            cv2.resize(cell.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
            for cell in cells
        ]
    )


def regions_of_words(
    token_ids: Sequence[int], cells: np.ndarray, vocabulary: Vocabulary
) -> list[Region]:
    """A region for every word of a caption, in order: the mean of its pieces' maps, where it is
    above 0. A word without such a cell has none.

    Args: cells [T, M, M]: of each piece, its attention or the evidence for it.
    """
    means = [
        (word.text, np.maximum(cells[word.start : word.end].mean(axis=0), 0))
        for word in words_of(token_ids, vocabulary)
    ]
    return [
        Region(text, heat_maps(mean[None], RASTER, RASTER)[0]) for text, mean in means if mean.any()
    ]
