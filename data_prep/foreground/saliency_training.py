"""Trains the U-Net of `data_prep.foreground.saliency` on photos and masks.

`model_dir` holds `settings.json` (what decides the result), what `kaleido_tf.training.epoch_run`
leaves, and `saliency.safetensors`, the best epoch so far.

N = photos, S = working side in pixels.
"""

import concurrent.futures
import dataclasses
import hashlib
import pathlib

import numpy as np
import tensorflow as tf
import tf_keras

from data_prep.features.hdf5_weights import weights_digest
from data_prep.foreground import mask_scores
from data_prep.foreground.mask_augmentation import Example, drawn, place
from data_prep.foreground.product_crops import crop_of_probabilities
from data_prep.foreground.saliency import (
    THRESHOLD,
    SaliencyNet,
    UNetSettings,
    build_unet,
    load_encoder_weights,
    prepare,
    save_saliency,
)
from kaleido_tf.errors import InputError
from kaleido_tf.files.claimed_folders import claim_settings
from kaleido_tf.settings import check_settings, setting
from kaleido_tf.training.epoch_run import EpochRun, WarmCosine

WEIGHTS_NAME = "saliency.safetensors"
_SHOWN = 6  # held-out photos in TensorBoard


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """A run of the network. The rate rises over the first epoch and falls to 0 along a cosine."""

    network: UNetSettings = UNetSettings()
    encoder_weights: str = setting(
        "", "encoder_weights", "Keras HDF5 file of SqueezeNet to begin with; empty: random."
    )
    epochs: int = setting(20, "epochs", "Passes over the training photos.", lowest=1)
    batch_size: int = setting(8, "batch_size", "Photos a step.", lowest=1)
    learning_rate: float = setting(1e-3, "learning_rate", "Of Adam, at its height.", above=0)
    seed: int = setting(
        0, "seed", "Of the first weights, the order and the augmentation.", lowest=0
    )

    def __post_init__(self):
        check_settings(self)


def train(
    examples: dict[str, list[Example]], model_dir: str, settings: TrainSettings
) -> dict[str, float]:
    """Trains on `examples["train"]`, chooses the best epoch on `examples["valid"]` and returns that
    epoch's figures.

    Raises: InputError if a split is empty, or if `model_dir` holds a run with other settings or
      other photos.
    """
    for split in ("train", "valid"):
        if not examples.get(split):
            raise InputError(
                "At least one photo is needed to"
                f" {'learn from' if split == 'train' else 'hold out'}. Received: none"
            )
    folder = pathlib.Path(model_dir)
    tf_keras.utils.set_random_seed(settings.seed)
    model = build_unet(settings.network)
    if settings.encoder_weights:
        load_encoder_weights(model, settings.encoder_weights)
    _claim(folder, settings, model, examples)
    return _Run(folder, settings, model, examples).to_the_end()


def _claim(
    folder: pathlib.Path,
    settings: TrainSettings,
    model: tf_keras.Model,
    examples: dict[str, list[Example]],
) -> None:
    """Makes `folder` the place of one run, or checks that it already is this one's. Raises:
    InputError naming what differs.
    """
    data = hashlib.sha256()
    for split in ("train", "valid"):
        for example in examples[split]:
            data.update(f"{split} {example.name} {example.image.shape}".encode())
            data.update(example.image.tobytes() + example.mask.tobytes())
    now = {
        **dataclasses.asdict(settings),
        "photos": {split: len(examples[split]) for split in ("train", "valid")},
        "photos_digest": data.hexdigest(),
        "initial_weights_digest": weights_digest(model),
    }
    now.pop("encoder_weights")  # the digest says what they are, wherever they lie
    claim_settings(folder, now, "a run with other settings or photos", "--model_dir")


class _Run:
    """One run: what an epoch learns from, and what it is judged by."""

    def __init__(
        self,
        folder: pathlib.Path,
        settings: TrainSettings,
        model: tf_keras.Model,
        examples: dict[str, list[Example]],
    ):
        self._settings, self._model, self._examples = settings, model, examples
        steps = -(-len(examples["train"]) // settings.batch_size)
        self._optimizer = tf_keras.optimizers.Adam(
            WarmCosine(settings.learning_rate, steps, steps * settings.epochs)
        )
        self._optimizer.build(model.trainable_variables)
        square = [None, settings.network.side, settings.network.side]
        self._step = tf.function(
            self._learn,
            [tf.TensorSpec(shape, tf.uint8) for shape in ([*square, 3], square, square)],
        )
        self._net = SaliencyNet(settings.network, model)
        self._run = EpochRun(folder, settings.epochs, "mask_iou", model, self._optimizer)
        self._best_path = folder / WEIGHTS_NAME

    def to_the_end(self) -> dict[str, float]:
        return self._run.to_the_end(
            self._train_epoch,
            self._evaluate,
            lambda: save_saliency(self._best_path, self._settings.network, self._model),
            _told,
        )

    def _train_epoch(self, epoch: int) -> float:
        """One pass over the training photos in a random order; returns the mean loss of
        its steps.
        """
        examples, settings = self._examples["train"], self._settings
        order = np.random.default_rng([settings.seed, epoch]).permutation(len(examples))
        batches = [
            order[i : i + settings.batch_size] for i in range(0, len(order), settings.batch_size)
        ]

        def draw(batch) -> tuple[np.ndarray, ...]:
            views = [
                drawn(
                    examples[n],
                    settings.network.side,
                    np.random.default_rng([settings.seed, epoch, int(n)]),
                )
                for n in batch
            ]
            return tuple(np.stack(parts) for parts in zip(*views))

        losses = []
        # draws the next batch while the network learns from this one
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(draw, batches[0])
            for following in [*batches[1:], None]:
                views = waiting.result()
                if following is not None:
                    waiting = pool.submit(draw, following)
                losses.append(float(self._step(*map(tf.constant, views))))
        return float(np.mean(losses))

    def _learn(self, images: tf.Tensor, masks: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = saliency_loss(self._model(prepare(images), training=True)[..., 0], masks, valid)
        self._optimizer.apply_gradients(
            zip(
                tape.gradient(loss, self._model.trainable_variables),
                self._model.trainable_variables,
            )
        )
        return loss

    def _evaluate(self, writer, epoch: int) -> dict[str, float]:
        """`valid_loss` and the means of `mask_scores.scores` over the held-out photos, at the size
        they are kept in.
        """
        valid, side = self._examples["valid"], self._settings.network.side
        losses = []
        for start in range(0, len(valid), self._settings.batch_size):
            batch = [
                place(example, side) for example in valid[start : start + self._settings.batch_size]
            ]
            images, masks, inside = (tf.constant(np.stack(parts)) for parts in zip(*batch))
            losses += [
                len(batch)
                * float(
                    saliency_loss(
                        self._model(prepare(images), training=False)[..., 0], masks, inside
                    )
                )
            ]
        maps = self._net.masks([example.image for example in valid])
        rows = [
            mask_scores.scores(
                probabilities > THRESHOLD, example.mask > 0, crop_of_probabilities(probabilities)
            )
            for probabilities, example in zip(maps, valid)
        ]
        with writer.as_default(epoch):
            for example, probabilities in list(zip(valid, maps))[:_SHOWN]:
                grey = np.repeat(
                    np.stack([probabilities, example.mask.astype(np.float32)])[..., None],
                    3,
                    axis=-1,
                )
                tf.summary.image(
                    f"photo, found, true/{example.name}",
                    np.concatenate([example.image / 255.0, *grey], axis=1)[None],
                )
        return {
            "valid_loss": sum(losses) / len(valid),
            **{name: float(np.mean([row[name] for row in rows])) for name in rows[0]},
        }


def _told(values: dict[str, float]) -> str:
    return (
        f"loss {values['loss']:.4f}, valid loss {values['valid_loss']:.4f}, mean IoU"
        f" {values['mask_iou']:.3f}, F {values['f_measure']:.3f} (beta^2"
        f" {mask_scores.BETA_SQUARED}, threshold {THRESHOLD}), crop box IoU {values['box_iou']:.3f}"
    )


def saliency_loss(logits: tf.Tensor, masks: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Binary cross entropy a pixel plus 1 - soft intersection over union a photo; what lies outside
    a photo does not count.

    logits: [N, S, S] float; masks, valid: [N, S, S], 0 or 1. Returns: a scalar, the mean over the
      photos.
    """
    masks, valid = tf.cast(masks, tf.float32), tf.cast(valid, tf.float32)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(masks, logits) * valid
    probabilities = tf.sigmoid(logits) * valid
    area = [1, 2]
    both = tf.reduce_sum(probabilities * masks, area)
    either = tf.reduce_sum(probabilities + masks * valid - probabilities * masks, area)
    # The 1 is a pixel: a photo without foreground then asks for an empty map and divides by no
    # zero.
    overlap = (both + 1) / (either + 1)
    return tf.reduce_mean(
        tf.reduce_sum(entropy, area) / tf.maximum(tf.reduce_sum(valid, area), 1) + 1 - overlap
    )
