"""The model of text-guided retrieval as its command uses it: begun, loaded, and asked for vectors.

Q = triplets that ask, I = photos, D = vector size.
"""

import dataclasses

import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf.command_line.session import Session
from kaleido_tf.command_line.text_guided_records import TripletRecords
from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.evaluation.composed_report import Found, baselines, find
from kaleido_tf.evaluation.scoring import score_batches
from kaleido_tf.objectives.text_guided_retrieval import TextGuidedRetrieval
from kaleido_tf.text import Vocabulary, sequence
from kaleido_tf.training.strategy import make_strategy, set_precision

GREY = 128


def build(session: Session, wrong_references: bool = False) -> TextGuidedRetrieval:
    """A new model; called in the strategy's scope."""
    return TextGuidedRetrieval(session.config, session.text_length, wrong_references)


def begin(model: TextGuidedRetrieval, session: Session) -> None:
    """Gives a new model the weights that it begins with."""
    if session.source.starts:
        load_start(model.backbone, *session.source.starts)
    model.backbone.restart_contrast()


def at_its_start(session: Session) -> TextGuidedRetrieval:
    """A model as a run has it before its first step."""
    set_precision(session.run.device.precision)
    tf_keras.utils.set_random_seed(session.run.seed)
    with make_strategy(session.run.device).scope():
        model = build(session)
        begin(model, session)
    return model


def loaded(session: Session) -> TextGuidedRetrieval:
    """The model that a command uses. Raises: InputError if its weights do not fit."""
    set_precision(session.run.device.precision)
    with make_strategy(session.run.device).scope():
        model = build(session)
    load_weights(model.backbone, session.source.start)
    return model


@dataclasses.dataclass(frozen=True)
class Asking:
    """A model that asks for what triplets look for. Args: batch_size: of a replica."""

    model: TextGuidedRetrieval
    records: TripletRecords
    session: Session
    batch_size: int

    def photos(self) -> np.ndarray:
        """[I, D], of the galleries."""
        strategy = make_strategy(self.session.run.device)
        batches = self.records.examples.photo_batches(self._whole_batch(strategy))
        count = len(self.records.photos)
        return score_batches(self.model.photo_vectors, strategy, batches, count, "photos")

    def queries(self, change=None) -> np.ndarray:
        """[Q, D]. Args: change: of a batch, before the model sees it."""
        return self._of_triplets(self.model.query_vectors, change)

    def baselines(self, photos: np.ndarray) -> dict[str, Found]:
        """What the photo alone, the text alone and both added up find, by this model's vectors."""
        texts = self._of_triplets(self.model.text_vectors)
        references = self.records.examples.references
        return baselines(self.records.galleries, references, texts, photos)

    def found(self, photos: np.ndarray) -> dict[str, Found]:
        """What the model finds, and what it finds where it sees no text, or no photo."""
        galleries = self.records.galleries
        ways = {
            "model": None,
            "model_without_text": _without_text(self.session.vocabulary),
            "model_without_photo": _without_photo,
        }
        return {n: find(galleries, self.queries(change), photos) for n, change in ways.items()}

    def _of_triplets(self, compute, change=None) -> np.ndarray:
        strategy = make_strategy(self.session.run.device)
        batches = self.records.examples.evaluation_batches(self._whole_batch(strategy))
        if change:
            batches = batches.map(change)
        return score_batches(compute, strategy, batches, len(self.records.examples), "triplets")

    def _whole_batch(self, strategy) -> int:
        return self.batch_size * strategy.num_replicas_in_sync


def _without_text(vocabulary: Vocabulary):
    def change(batch):
        ids, used = sequence([], batch["input_ids"].shape[1], vocabulary)
        empty = np.arange(len(ids)) < used
        rows = tf.shape(batch["input_ids"])[:1]
        tiles = tf.concat([rows, [1]], 0)
        return {
            **batch,
            "input_ids": tf.tile(tf.constant(ids)[None], tiles),
            "input_mask": tf.tile(tf.constant(empty.astype(np.int32))[None], tiles),
        }

    return change


def _without_photo(batch):
    grey = tf.fill(tf.shape(batch["reference_photo"]), tf.constant(GREY, tf.uint8))
    return {**batch, "reference_photo": tf.ensure_shape(grey, batch["reference_photo"].shape)}
