"""Trains the captioner of `data_prep.alignment.show_attend_tell` on the photos and texts of
records.

`model_dir` holds `settings.json` (what decides the result), `maps/` (the photos' convolutional
maps), what `kaleido_tf.training.epoch_run` leaves, and `captioner.safetensors`, the best epoch so
far by BLEU-4.
"""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf
import tf_keras

from data_prep.alignment.captions import Speaker
from data_prep.alignment.evidence_training import learn_evidence
from data_prep.alignment.mapped_records import MappedRecords, RecordMaps
from data_prep.alignment.show_attend_tell import (
    Captioner,
    CaptionerSettings,
    TrainedCaptioner,
    caption_loss,
    inputs_of,
    save_captioner,
    targets_of,
)
from data_prep.features.backbones import Backbone
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.caption_metrics import bleu_4, words_in
from kaleido_tf.files.claimed_folders import claim_settings
from kaleido_tf.settings import check_settings, setting
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.epoch_run import EpochRun, WarmCosine

WEIGHTS_NAME = "captioner.safetensors"
_SHOWN = 6  # captions in TensorBoard
# batches whose captions are sorted by length, so that short ones do not wait for long ones
_SORTED = 8


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """A run of the captioner; sizes as in `CaptionerSettings`. The rate rises over the first epoch
    and falls to 0 along a cosine. `clip`: of the gradients' norm.
    """

    cells: int = setting(14, "cells", "Cells a side of the convolutional map: 14, or 7.", lowest=1)
    embedding: int = setting(128, "embedding", "Floats of a word piece.", lowest=1)
    units: int = setting(256, "units", "Hidden units of the LSTM.", lowest=1)
    attention_units: int = setting(
        128, "attention_units", "Units of the attention's layer.", lowest=1
    )
    longest: int = setting(
        60, "longest", "Most word pieces of a caption; longer texts are cut.", lowest=1
    )
    epochs: int = setting(20, "epochs", "Passes over the training photos.", lowest=1)
    batch_size: int = setting(32, "batch_size", "Photos a step.", lowest=1)
    learning_rate: float = setting(2e-3, "learning_rate", "Of Adam, at its height.", above=0)
    dropout: float = setting(
        0.4, "dropout", "Of embeddings, states and the output layer.", lowest=0, largest=0.99
    )
    regularizer: float = setting(
        0.1, "regularizer", "Weight of the doubly stochastic regularisation.", lowest=0
    )
    clip: float = 5.0
    bleu_photos: int = setting(
        500, "bleu_photos", "Held-out photos that are captioned after each epoch.", lowest=1
    )
    seed: int = setting(0, "seed", "Of the first weights, the order and dropout.", lowest=0)

    def __post_init__(self):
        check_settings(self)


def train(
    records_folder: str,
    valid_folder: str,
    model_dir: str,
    backbone: Backbone,
    settings: TrainSettings,
    catalogue: str = "",
) -> dict[str, float]:
    """Trains on one folder of records, chooses the best epoch on another and returns that epoch's
    figures. The word evidence of the same photos is written beside the captioner.

    Args: backbone: the one of the records. catalogue: where the photos are now, if not where the
      records say.
    Raises: InputError if the backbone is another, photos or records cannot be had, or `model_dir`
      holds another run.
    """
    folder = pathlib.Path(model_dir)
    records = {
        split: RecordMaps(path, backbone, settings.cells, catalogue)
        for split, path in (("train", records_folder), ("valid", valid_folder))
    }
    digests = [part.dataset["vocabulary_digest"] for part in records.values()]
    if digests[0] != digests[1]:
        raise InputError(
            f"{records_folder} and {valid_folder} hold word pieces of different vocabularies"
            f" ({digests[0][:12]} and {digests[1][:12]})"
        )
    identities = {split: part.identity for split, part in records.items()}
    claim_settings(
        folder,
        {**dataclasses.asdict(settings), "backbone_digest": backbone.digest, **identities},
        "a run with other settings or records",
        "--model_dir",
    )
    data = {split: part.read(folder / "maps" / split, split) for split, part in records.items()}
    vocabulary = Vocabulary(pathlib.Path(records_folder) / "vocab.txt")
    evidence = learn_evidence(
        folder, data["train"], vocabulary, backbone, settings.cells, settings.longest
    )
    tf_keras.utils.set_random_seed(settings.seed)
    names = ("cells", "embedding", "units", "attention_units", "longest")
    network = CaptionerSettings(
        pieces=evidence.settings.pieces,
        backbone=backbone.name,
        backbone_digest=backbone.digest,
        vocabulary_digest=digests[0],
        channels=backbone.map_channels,
        **{name: getattr(settings, name) for name in names},
    )
    print(
        f"{len(data['train'].texts)} photos to learn from, {len(data['valid'].texts)} held out,"
        f" {len(network.pieces)} pieces to say",
        flush=True,
    )
    model = Captioner(network, settings.dropout)
    model.standardise(evidence.evidence.mean, evidence.evidence.scale)
    return _Run(folder, settings, model, data, vocabulary).to_the_end()


class _Run:
    """One run: what an epoch learns from, and what it is judged by."""

    def __init__(
        self,
        folder: pathlib.Path,
        settings: TrainSettings,
        model: Captioner,
        data: dict[str, MappedRecords],
        vocabulary: Vocabulary,
    ):
        self._settings, self._model, self._data, self._vocabulary = (
            settings,
            model,
            data,
            vocabulary,
        )
        steps = -(-len(data["train"].texts) // settings.batch_size)
        self._steps = steps
        self._optimizer = tf_keras.optimizers.Adam(
            WarmCosine(settings.learning_rate, steps, steps * settings.epochs),
            global_clipnorm=settings.clip,
        )
        self._optimizer.build(model.trainable_variables)
        network = model.settings
        pixels = tf.TensorSpec([None, network.cells, network.cells, network.channels])
        pieces = tf.TensorSpec([None, None], tf.int32)
        self._step = tf.function(
            self._learn, [pixels, pieces, pieces, tf.TensorSpec([2], tf.int64)]
        )
        self._entropy = tf.function(
            lambda maps, inputs, targets: caption_loss(*model(maps, inputs), targets, 0.0)[1],
            [pixels, pieces, pieces],
        )
        self._run = EpochRun(folder, settings.epochs, "bleu_4", model, self._optimizer)
        self._best_path = folder / WEIGHTS_NAME
        self._speaker = Speaker(TrainedCaptioner(network, model), beam=1)

    def to_the_end(self) -> dict[str, float]:
        return self._run.to_the_end(
            self._train_epoch,
            self._evaluate,
            lambda: save_captioner(self._best_path, self._model),
            _epoch_line,
        )

    def _train_epoch(self, epoch: int) -> float:
        """One pass in a random order; returns the mean loss of its steps."""
        data, settings = self._data["train"], self._settings
        losses = []
        for number, batch in enumerate(
            batches_of(
                [len(text) for text in data.texts],
                settings.batch_size,
                np.random.default_rng([settings.seed, epoch]),
            )
        ):
            targets = targets_of([data.texts[n] for n in batch], self._model.settings)
            seed = tf.constant([settings.seed, epoch * self._steps + number], tf.int64)
            losses.append(float(self._step(data.maps[batch], inputs_of(targets), targets, seed)))
        return float(np.mean(losses))

    def _learn(self, maps, inputs, targets, seed):
        with tf.GradientTape() as tape:
            loss, _ = caption_loss(
                *self._model(maps, inputs, seed), targets, self._settings.regularizer
            )
        self._optimizer.apply_gradients(
            zip(
                tape.gradient(loss, self._model.trainable_variables),
                self._model.trainable_variables,
            )
        )
        return loss

    def _evaluate(self, writer, epoch: int) -> dict[str, float]:
        """`valid_loss` (cross entropy a piece) and `bleu_4` (0 to 100, of greedy captions) on the
        held-out photos.
        """
        data, size = self._data["valid"], 2 * self._settings.batch_size
        total = pieces = 0.0
        for batch in np.array_split(np.arange(len(data.texts)), -(-len(data.texts) // size)):
            targets = targets_of([data.texts[n] for n in batch], self._model.settings)
            count = float((targets > 0).sum())
            total += count * float(self._entropy(data.maps[batch], inputs_of(targets), targets))
            pieces += count
        chosen = np.unique(
            np.linspace(0, len(data.texts) - 1, self._settings.bleu_photos).astype(int)
        )
        captions = [
            caption
            for batch in np.array_split(chosen, -(-len(chosen) // size))
            for caption in self._speaker.describe(data.maps[batch])
        ]
        captions = [words_in(caption.token_ids, self._vocabulary) for caption in captions]
        texts = [words_in(data.texts[n], self._vocabulary) for n in chosen]
        with writer.as_default(epoch):
            for number, (ours, theirs) in enumerate(list(zip(captions, texts))[:_SHOWN]):
                tf.summary.text(f"caption/{number}", f"{ours}\n\n(its text: {theirs})")
        return {"valid_loss": total / pieces, "bleu_4": bleu_4(captions, texts)}


def _epoch_line(values: dict[str, float]) -> str:
    return (
        f"loss {values['loss']:.4f}, valid loss {values['valid_loss']:.4f}, BLEU-4"
        f" {values['bleu_4']:.2f}"
    )


def batches_of(lengths: list[int], size: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Record numbers in batches: random, but captions of like length together; every
    number once.
    """
    order = generator.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), _SORTED * size):
        chunk = sorted(order[start : start + _SORTED * size], key=lambda n: lengths[n])
        batches += [np.array(chunk[i : i + size]) for i in range(0, len(chunk), size)]
    return [batches[i] for i in generator.permutation(len(batches))]
