"""Show, Attend and Tell (Xu et al. 2015) with soft attention: a caption piece by piece, and where
it looked for each.

Kaleido-BERT takes its words and heat maps from this network (section 3.3). It speaks in the word
pieces of the records, those that its training texts hold. Where it departs from the original: maps
are standardised, since those of different backbones have different scales, and the attention's
regularisation reaches its minimum (see `caption_loss`).

N = captions, T = pieces of a caption, M = cells a side of a map, L = M * M places, F = channels, E
= embedding, H = hidden units, P = pieces it can say.
"""

import dataclasses
import os

import numpy as np
import tensorflow as tf
import tf_keras

from data_prep.alignment.pieces import END, PAD, START, UNKNOWN, numbers_of
from data_prep.alignment.word_evidence import standard_cells
from kaleido_tf.errors import InputError
from kaleido_tf.files.network_file import network_digest, read_network, write_network

_KIND = "captioner of kaleido_tf"


@dataclasses.dataclass(frozen=True)
class CaptionerSettings:
    """`pieces`: vocabulary ids of the P pieces, the first four as above. `backbone`,
    `backbone_digest`, `vocabulary_digest`: of the records it learnt from; others mean other
    features and other pieces. `cells`: M. `channels`: F. `units`: H, of the LSTM;
    `attention_units` and `embedding`: of the attention's layer and of a piece. `longest`: most
      pieces of a caption.
    """

    pieces: tuple[int, ...]
    backbone: str
    backbone_digest: str
    vocabulary_digest: str
    channels: int
    cells: int = 14
    embedding: int = 128
    units: int = 256
    attention_units: int = 128
    longest: int = 60

    def __post_init__(self):
        object.__setattr__(self, "pieces", tuple(self.pieces))  # JSON has lists
        sizes = (
            self.channels,
            self.cells,
            self.embedding,
            self.units,
            self.attention_units,
            self.longest,
        )
        if min(sizes) < 1 or len(self.pieces) <= UNKNOWN:
            raise InputError(
                f"a captioner's sizes must be at least 1 and its pieces more than {UNKNOWN}."
                f" Received: {sizes}, {len(self.pieces)}"
            )


class AttentionCell(tf_keras.layers.Layer):
    """One step: looks where the state says (equations 4 to 6, with the gate of section 4.2.1), then
    an LSTM step on the piece and what was seen.

    Called with the piece's share of the gates [N, 4H] and, as constants, the maps [N, L, F] and
    their projection [N, L, A].
    Output: the hidden state [N, H], what was seen [N, F] and the attention [N, L] side by side.
    """

    def __init__(self, channels: int, units: int, attention_units: int, places: int, **kwargs):
        super().__init__(**kwargs)
        self.state_size = (units, units)
        self.output_size = units + channels + places
        dense = tf_keras.layers.Dense
        self._of_state = dense(attention_units, use_bias=False, name="attention_state")
        self._score = dense(1, use_bias=False, name="attention_score")
        self._gate = dense(1, name="gate")
        self._seen_gates = dense(4 * units, use_bias=False, name="lstm_seen")
        self._state_gates = dense(
            4 * units, use_bias=False, kernel_initializer="orthogonal", name="lstm_state"
        )

    def call(self, inputs, states, constants):
        hidden, memory = states
        maps, projected = constants
        scores = self._score(tf.tanh(projected + self._of_state(hidden)[:, None]))[..., 0]
        attention = tf.nn.softmax(scores)
        seen = tf.sigmoid(self._gate(hidden)) * tf.einsum("nl,nlf->nf", attention, maps)
        enters, forgets, shows, offers = tf.split(
            inputs + self._seen_gates(seen) + self._state_gates(hidden), 4, axis=1
        )
        # 1: remembers from the start
        memory = tf.sigmoid(forgets + 1.0) * memory + tf.sigmoid(enters) * tf.tanh(offers)
        hidden = tf.sigmoid(shows) * tf.tanh(memory)
        return tf.concat([hidden, seen, attention], axis=1), (hidden, memory)


class Captioner(tf_keras.Model):
    """The decoder; the convolutions before it are the records' backbone and stay as they are."""

    def __init__(self, settings: CaptionerSettings, dropout: float = 0.0):
        super().__init__(name="captioner")
        self.settings, self._dropout = settings, dropout
        layers, pieces = tf_keras.layers, len(settings.pieces)
        self._project = layers.Dense(settings.attention_units, name="attention_map")
        self._embed = layers.Embedding(pieces, settings.embedding, name="pieces")
        self._piece_gates = layers.Dense(4 * settings.units, name="lstm_piece")
        self._first_hidden = layers.Dense(settings.units, "tanh", name="first_hidden")
        self._first_memory = layers.Dense(settings.units, "tanh", name="first_memory")
        self._cell = AttentionCell(
            settings.channels,
            settings.units,
            settings.attention_units,
            settings.cells**2,
            name="cell",
        )
        self._recurrence = layers.RNN(self._cell, return_sequences=True, name="decoder")
        self._of_hidden = layers.Dense(settings.embedding, name="output_hidden")
        self._of_seen = layers.Dense(settings.embedding, use_bias=False, name="output_seen")
        self._to_pieces = layers.Dense(pieces, name="output_pieces")
        size = [settings.channels]
        self._mean = self.add_weight("map_mean", size, trainable=False, initializer="zeros")
        self._scale = self.add_weight("map_scale", size, trainable=False, initializer="ones")
        maps = tf.zeros([1, settings.cells, settings.cells, settings.channels])
        self(maps, tf.zeros([1, 1], tf.int32))  # makes the weights

    def standardise(self, mean: np.ndarray, scale: np.ndarray) -> None:
        """Takes mean and scale [F] of the cells of the training photos, in which maps are read."""
        self._mean.assign(mean)
        self._scale.assign(scale)

    def call(self, maps, inputs, seed=None):
        """Reads captions along with their photos ("teacher forcing").

        Args: maps: [N, M, M, F] float32. inputs: [N, T] int32, `START` and all pieces but the last.
          seed: [2] int, for dropout; None: none.
        Returns: logits [N, T, P] of the piece that follows each, attention [N, T, L] behind it.
        """
        places, projected, states = self.begin(maps)
        embedded = self._drop(self._embed(inputs), seed, 0)
        outputs = self._recurrence(
            self._piece_gates(embedded), initial_state=states, constants=[places, projected]
        )
        return self._say(embedded, outputs, seed)

    def begin(self, maps):
        """Maps to (places [N, L, F], their projection [N, L, A], first states ([N, H], [N, H]))."""
        maps = standard_cells(maps, self._mean, self._scale)
        places = tf.reshape(maps, [-1, self.settings.cells**2, self.settings.channels])
        mean = tf.reduce_mean(places, axis=1)
        return places, self._project(places), [self._first_hidden(mean), self._first_memory(mean)]

    def step(self, piece, states, places, projected):
        """One piece [N] int32 further: (log probabilities [N, P] of the next, attention [N, L],
        states).
        """
        embedded = self._embed(piece)
        output, states = self._cell(self._piece_gates(embedded), states, [places, projected])
        logits, attention = self._say(embedded, output, None)
        return tf.nn.log_softmax(logits), attention, list(states)

    def _say(self, embedded, outputs, seed):
        """The deep output (equation 7): from the piece before, the state and what was seen."""
        hidden, seen, attention = tf.split(
            outputs, [self.settings.units, self.settings.channels, self.settings.cells**2], axis=-1
        )
        deep = tf.tanh(
            embedded + self._of_hidden(self._drop(hidden, seed, 1)) + self._of_seen(seen)
        )
        return self._to_pieces(self._drop(deep, seed, 2)), attention

    def _drop(self, values, seed, number: int):
        if seed is None or not self._dropout:
            return values
        return tf.nn.experimental.stateless_dropout(
            values, self._dropout, tf.random.experimental.stateless_fold_in(seed, number)
        )


def caption_loss(logits, attention, targets, regularizer: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Cross entropy a piece and the doubly stochastic regularisation (section 4.2.1, equation 14):
    (total, cross entropy), scalars.

    The original asks that the attention on each place sums to 1 over the caption, which T pieces on
    L places cannot reach unless T = L; here it asks for T / L, so that every place is looked at as
    often as any other when it is met.
    Args: logits [N, T, P], attention [N, T, L]; targets [N, T] int32, `PAD` after the end, does not
      count.
    """
    counts = tf.cast(targets != PAD, tf.float32)
    entropy = tf.reduce_sum(
        tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits) * counts
    ) / tf.reduce_sum(counts)
    looked = tf.einsum("ntl,nt->nl", attention, counts)
    share = tf.reduce_mean(looked, axis=1, keepdims=True)  # T / L of each caption
    uneven = tf.reduce_sum((looked - share) ** 2) / tf.reduce_sum(counts)
    return entropy + regularizer * uneven, entropy


class TrainedCaptioner:
    """A captioner to be used. Attributes: settings; model; `digest`: sha256 over both."""

    def __init__(self, settings: CaptionerSettings, model: Captioner):
        self.settings, self.model = settings, model
        self.digest = network_digest(settings, model)


def save_captioner(path: str | os.PathLike, model: Captioner) -> None:
    """Writes one safetensors file (see `network_file`)."""
    write_network(path, _KIND, model.settings, model)


def load_captioner(path: str | os.PathLike) -> TrainedCaptioner:
    """Reads what `save_captioner` wrote. Raises: InputError as `network_file.read_network`."""
    return TrainedCaptioner(
        *read_network(
            path,
            _KIND,
            CaptionerSettings,
            Captioner,
            "a captioner (a file that data_prep.train_captioner wrote)",
        )
    )


def targets_of(
    texts: list[list[int]], settings: CaptionerSettings, length: int | None = None
) -> np.ndarray:
    """Texts (vocabulary ids) as targets [N, T] int32: own numbers of the pieces, `END`, then `PAD`;
    cut to `longest` or `length` pieces.

    Pieces that no training text held become `UNKNOWN`.
    """
    longest = min(settings.longest, max(len(text) for text in texts)) if length is None else length
    targets = np.full([len(texts), longest + 1], PAD, np.int32)
    for row, text in zip(targets, texts):
        kept = numbers_of(text[:longest], settings.pieces)
        row[: len(kept) + 1] = [*kept, END]
    return targets


def inputs_of(targets: np.ndarray) -> np.ndarray:
    """What is read before each target is said: `START`, then the targets shifted by one, [N, T]
    int32.
    """
    return np.concatenate([np.full([len(targets), 1], START, np.int32), targets[:, :-1]], axis=1)
