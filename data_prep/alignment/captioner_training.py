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

from data_prep.alignment import word_evidence
from data_prep.alignment.captions import Speaker
from data_prep.alignment.feature_maps import CropMaps, KeptMaps, keep_maps
from data_prep.alignment.show_attend_tell import (
    UNKNOWN,
    Captioner,
    CaptionerSettings,
    TrainedCaptioner,
    caption_loss,
    inputs_of,
    pieces_of,
    save_captioner,
    targets_of,
)
from data_prep.features.backbones import Backbone, check_backbone
from data_prep.record_writing.record_photos import RecordPhotos
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.caption_metrics import bleu_4, words_in
from kaleido_tf.files.claimed_folders import claim_settings
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.dataset_json import layout_of, read_dataset_json
from kaleido_tf.records.record import KALEIDO
from kaleido_tf.records.shards import read_shards
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.epoch_run import EpochRun, WarmCosine

WEIGHTS_NAME = "captioner.safetensors"
_SHOWN = 6  # captions in TensorBoard
_DECISIVE = (
    "products_digest",
    "catalogue_digest",
    "vocabulary_digest",
    "foreground",
    "foreground_digest",
    "foreground_masks",
    "crop_size",
    "shards",
)
"""What `dataset.json` says of photos, crops, texts and their order."""
# batches whose captions are sorted by length, so that short ones do not wait for long ones
_SORTED = 8


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """`cells`, `embedding`, `units`, `attention_units`, `longest`: as in `CaptionerSettings`.
    `learning_rate`: of Adam, at its height; it rises over the first epoch and falls to 0 along a
    cosine. `dropout`: of embeddings, states and the output layer. `regularizer`:
    weight of the attention's evenness. `clip`: of the gradients' norm. `bleu_photos`: held-out
    photos that are captioned each epoch.
    """

    cells: int = 14
    embedding: int = 128
    units: int = 256
    attention_units: int = 128
    longest: int = 60
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 2e-3
    dropout: float = 0.4
    regularizer: float = 0.1
    clip: float = 5.0
    bleu_photos: int = 500
    seed: int = 0

    def __post_init__(self):
        counts = (
            self.cells,
            self.embedding,
            self.units,
            self.attention_units,
            self.longest,
            self.epochs,
            self.batch_size,
            self.bleu_photos,
        )
        fits = (
            min(counts) >= 1
            and 0 < self.learning_rate < np.inf
            and 0 < self.clip < np.inf
            and 0 <= self.dropout < 1
            and 0 <= self.regularizer < np.inf
        )
        if not fits:
            raise InputError(f"Numbers must be above 0 and `dropout` below 1. Received: {self}")


@dataclasses.dataclass(frozen=True)
class CaptionData:
    """The photos of a split: `texts` (vocabulary ids), `maps` in the same order."""

    texts: list[list[int]]
    maps: KeptMaps


def train(
    records_folder: str,
    valid_folder: str,
    model_dir: str,
    backbone: Backbone,
    settings: TrainSettings,
    catalogue: str = "",
) -> dict[str, float]:
    """Trains on one folder of records, chooses the best epoch on another and returns that epoch's
    figures.

    Args: backbone: the one of the records. catalogue: where the photos are now, if not where the
      records say.
    Raises: InputError if the backbone is another, photos or records cannot be had, or `model_dir`
      holds another run.
    """
    folder = pathlib.Path(model_dir)
    datasets = {
        split: _dataset(path)
        for split, path in (("train", records_folder), ("valid", valid_folder))
    }
    for path, dataset in zip((records_folder, valid_folder), datasets.values()):
        check_backbone(backbone, dataset, path)
    if datasets["train"]["vocabulary_digest"] != datasets["valid"]["vocabulary_digest"]:
        raise InputError(
            f"{records_folder} and {valid_folder} hold word pieces of different vocabularies"
            f" ({datasets['train']['vocabulary_digest'][:12]} and"
            f" {datasets['valid']['vocabulary_digest'][:12]})"
        )
    vocabulary = Vocabulary(pathlib.Path(records_folder) / "vocab.txt")
    crops = {
        split: CropMaps(RecordPhotos(datasets[split], path, catalogue), backbone, settings.cells)
        for split, path in (("train", records_folder), ("valid", valid_folder))
    }
    identities = {
        split: {name: dataset.get(name) for name in _DECISIVE}
        # only where it is said: runs on records of an older version stay what they are
        | {name: dataset[name] for name in ("content_digest",) if name in dataset}
        for split, dataset in datasets.items()
    }
    claim_settings(
        folder,
        {**dataclasses.asdict(settings), "backbone_digest": backbone.digest, **identities},
        "a run with other settings or records",
        "--model_dir",
    )
    data = {
        split: _read(path, crops[split], folder / "maps" / split, split)
        for split, path in (("train", records_folder), ("valid", valid_folder))
    }
    tf_keras.utils.set_random_seed(settings.seed)
    sizes = {
        name: getattr(settings, name)
        for name in ("cells", "embedding", "units", "attention_units", "longest")
    }
    network = CaptionerSettings(
        pieces=pieces_of(data["train"].texts, vocabulary),
        backbone=backbone.name,
        backbone_digest=backbone.digest,
        vocabulary_digest=datasets["train"]["vocabulary_digest"],
        channels=backbone.feature_size,
        **sizes,
    )
    print(
        f"{len(data['train'].texts)} photos to learn from, {len(data['valid'].texts)} held out,"
        f" {len(network.pieces)} pieces to say",
        flush=True,
    )
    return _Run(
        folder, settings, Captioner(network, settings.dropout), data, vocabulary
    ).to_the_end()


def _dataset(folder: str) -> dict:
    dataset = read_dataset_json(folder)
    if layout_of(dataset, folder) != KALEIDO:
        raise InputError(
            f"Captions are of the crops of kaleido records. {folder} holds records of layout"
            f" {dataset['layout']}"
        )
    return dataset


def _read(folder: str, crops: CropMaps, maps_folder: pathlib.Path, name: str) -> CaptionData:
    shards = find_files(folder)
    records = read_shards(shards)
    maps = keep_maps(shards, crops, maps_folder, name)
    if len(maps) != len(records):
        raise InputError(
            f"{maps_folder} holds maps of {len(maps)} photos, {folder} {len(records)} records:"
            " delete that folder to make them again"
        )
    return CaptionData([record.token_ids for record in records], maps)


class _Run:
    """One run: what an epoch learns from, and what it is judged by."""

    def __init__(
        self,
        folder: pathlib.Path,
        settings: TrainSettings,
        model: Captioner,
        data: dict[str, CaptionData],
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
        if not self._run.has_begun:  # later it is in the checkpoint
            evidence = word_evidence.fit(
                self._data["train"].maps,
                self._data["train"].texts,
                self._model.settings.pieces,
                silent=UNKNOWN + 1,
            )
            self._model.keep_evidence(evidence)
            best = [
                self._vocabulary.tokens[self._model.settings.pieces[n]]
                for n in np.argsort(-evidence.visible)[:8]
            ]
            print(
                f"{(evidence.visible > 0).sum()} word pieces can be seen in photos left out, best:"
                f" {', '.join(best)}",
                flush=True,
            )
        return self._run.to_the_end(
            self._train_epoch,
            self._evaluate,
            lambda: save_captioner(self._best_path, self._model),
            _told,
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
        said = [words_in(caption.token_ids, self._vocabulary) for caption in captions]
        meant = [words_in(data.texts[n], self._vocabulary) for n in chosen]
        with writer.as_default(epoch):
            for number, (ours, theirs) in enumerate(list(zip(said, meant))[:_SHOWN]):
                tf.summary.text(f"caption/{number}", f"{ours}\n\n(its text: {theirs})")
        return {"valid_loss": total / pieces, "bleu_4": bleu_4(said, meant)}


def _told(values: dict[str, float]) -> str:
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
