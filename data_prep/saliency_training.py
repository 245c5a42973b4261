"""Trains the U-Net of `data_prep.saliency` on photos and masks.

`model_dir` holds `settings.json` (what decides the result), `checkpoints/` (the last epoch, with the optimizer's state),
`metrics.jsonl` (a line an epoch), `logs/` for TensorBoard and `saliency.safetensors`, the best epoch so far. A killed run
goes on after its last epoch: what an epoch draws depends on the seed and its number alone.

N = photos, S = working side in pixels.
"""

import concurrent.futures
import dataclasses
import hashlib
import pathlib
import time

import numpy as np
import tensorflow as tf
import tf_keras

from data_prep import mask_scores, record_writer
from data_prep.backbones import weights_digest
from data_prep.mask_augmentation import Example, drawn, place
from data_prep.product_crops import crop_of_probabilities
from data_prep.saliency import (THRESHOLD, SaliencyNet, UNetSettings, build_unet, load_encoder_weights, prepare,
                                save_saliency)
from kaleido_tf.errors import InputError
from kaleido_tf.training.metrics_log import MetricsLog, read_metrics

WEIGHTS_NAME = "saliency.safetensors"
_SHOWN = 6  # held-out photos in TensorBoard


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """`learning_rate`: of Adam, at its height; it rises over the first epoch and falls to 0 along a cosine. `encoder_weights`: path
    of SqueezeNet's Keras HDF5 file, or empty for random weights."""

    network: UNetSettings = UNetSettings()
    encoder_weights: str = ""
    epochs: int = 20
    batch_size: int = 8
    learning_rate: float = 1e-3
    seed: int = 0

    def __post_init__(self):
        if self.epochs < 1 or self.batch_size < 1 or self.learning_rate <= 0:
            raise InputError(
                "`epochs` and `batch_size` must be at least 1 and `learning_rate` above 0. Received: "
                f"{self.epochs}, {self.batch_size}, {self.learning_rate}"
            )


def train(examples: dict[str, list[Example]], model_dir: str, settings: TrainSettings) -> dict[str, float]:
    """Trains on `examples["train"]`, chooses the best epoch on `examples["valid"]` and returns that epoch's figures.

    Raises: InputError if a split is empty, or if `model_dir` holds a run with other settings or other photos.
    """
    for split in ("train", "valid"):
        if not examples.get(split):
            raise InputError(f"At least one photo is needed to {'learn from' if split == 'train' else 'hold out'}. Received: none")
    folder = pathlib.Path(model_dir)
    tf_keras.utils.set_random_seed(settings.seed)
    model = build_unet(settings.network)
    if settings.encoder_weights:
        load_encoder_weights(model, settings.encoder_weights)
    _claim(folder, settings, model, examples)
    return _Run(folder, settings, model, examples).to_the_end()


def _claim(folder: pathlib.Path, settings: TrainSettings, model: tf_keras.Model, examples: dict[str, list[Example]]) -> None:
    """Makes `folder` the place of one run, or checks that it already is this one's. Raises: InputError naming what differs."""
    data = hashlib.sha256()
    for split in ("train", "valid"):
        for example in examples[split]:
            data.update(f"{split} {example.name} {example.image.shape}".encode())
            data.update(example.image.tobytes() + example.mask.tobytes())
    now = {**dataclasses.asdict(settings), "photos": {split: len(examples[split]) for split in ("train", "valid")},
           "photos_digest": data.hexdigest(), "initial_weights_digest": weights_digest(model)}
    now.pop("encoder_weights")  # the digest says what they are, wherever they lie
    record_writer.claim_settings(folder, now, "a run with other settings or photos", "--model_dir")


class _Run:
    """One run: its variables, where it stands, and what it writes."""

    def __init__(self, folder: pathlib.Path, settings: TrainSettings, model: tf_keras.Model, examples: dict[str, list[Example]]):
        self._folder, self._settings, self._model, self._examples = folder, settings, model, examples
        steps = -(-len(examples["train"]) // settings.batch_size)
        self._optimizer = tf_keras.optimizers.Adam(_Schedule(settings.learning_rate, steps, steps * settings.epochs))
        self._optimizer.build(model.trainable_variables)
        self._epoch = tf.Variable(0, dtype=tf.int64)
        self._best = tf.Variable(-1.0)
        checkpoint = tf.train.Checkpoint(model=model, optimizer=self._optimizer, epoch=self._epoch, best=self._best)
        self._manager = tf.train.CheckpointManager(checkpoint, str(folder / "checkpoints"), max_to_keep=1)
        square = [None, settings.network.side, settings.network.side]
        self._step = tf.function(self._learn, [tf.TensorSpec(shape, tf.uint8) for shape in ([*square, 3], square, square)])
        self._net = SaliencyNet(settings.network, model)

    def to_the_end(self) -> dict[str, float]:
        latest = self._manager.latest_checkpoint
        if latest:
            try:
                self._manager.checkpoint.restore(latest).assert_consumed()
            except (tf.errors.OpError, AssertionError, ValueError) as error:
                raise InputError(f"{latest} cannot be read: {str(error).splitlines()[0]}. Use another --model_dir to train anew") from error
            done = int(self._epoch) == self._settings.epochs
            state = "complete, after" if done else "going on after"
            print(f"{self._folder}: {state} epoch {int(self._epoch)} of {self._settings.epochs}", flush=True)
        log = MetricsLog(self._folder / "metrics.jsonl", int(self._epoch))
        writer = tf.summary.create_file_writer(str(self._folder / "logs"))
        while int(self._epoch) < self._settings.epochs:
            started = time.perf_counter()
            self._epoch.assign_add(1)
            epoch = int(self._epoch)
            values = {"loss": self._train_epoch(epoch), **self._evaluate(writer, epoch)}
            better = values["mask_iou"] > float(self._best)
            if better:
                save_saliency(self._folder / WEIGHTS_NAME, self._settings.network, self._model)
                self._best.assign(values["mask_iou"])
            self._manager.save(epoch)
            log.write("epoch", epoch, values)
            with writer.as_default(epoch):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
            writer.flush()
            print(
                f"epoch {epoch}/{self._settings.epochs}: loss {values['loss']:.4f}, valid loss {values['valid_loss']:.4f}, mean IoU "
                f"{values['mask_iou']:.3f}, F {values['f_measure']:.3f} (beta^2 {mask_scores.BETA_SQUARED}, threshold {THRESHOLD}), "
                f"crop box IoU {values['box_iou']:.3f}, {time.perf_counter() - started:.1f} s{', the best so far' if better else ''}", flush=True,
            )
        return self._best_epoch()

    def _train_epoch(self, epoch: int) -> float:
        """One pass over the training photos in a random order; returns the mean loss of its steps."""
        examples, settings = self._examples["train"], self._settings
        order = np.random.default_rng([settings.seed, epoch]).permutation(len(examples))
        batches = [order[i : i + settings.batch_size] for i in range(0, len(order), settings.batch_size)]

        def draw(batch) -> tuple[np.ndarray, ...]:
            views = [drawn(examples[n], settings.network.side, np.random.default_rng([settings.seed, epoch, int(n)])) for n in batch]
            return tuple(np.stack(parts) for parts in zip(*views))

        losses = []
        with concurrent.futures.ThreadPoolExecutor(1) as pool:  # draws the next batch while the network learns from this one
            waiting = pool.submit(draw, batches[0])
            for following in [*batches[1:], None]:
                views = waiting.result()
                if following is not None:
                    waiting = pool.submit(draw, following)
                losses.append(float(self._step(*map(tf.constant, views))))
        mean = float(np.mean(losses))
        if not np.isfinite(mean):
            raise InputError(f"The loss of epoch {epoch} is no number: use a lower --learning_rate than {settings.learning_rate}")
        return mean

    def _learn(self, images: tf.Tensor, masks: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = saliency_loss(self._model(prepare(images), training=True)[..., 0], masks, valid)
        self._optimizer.apply_gradients(zip(tape.gradient(loss, self._model.trainable_variables), self._model.trainable_variables))
        return loss

    def _evaluate(self, writer, epoch: int) -> dict[str, float]:
        """`valid_loss` and the means of `mask_scores.scores` over the held-out photos, at the size they are kept in."""
        valid, side = self._examples["valid"], self._settings.network.side
        losses = []
        for start in range(0, len(valid), self._settings.batch_size):
            batch = [place(example, side) for example in valid[start : start + self._settings.batch_size]]
            images, masks, inside = (tf.constant(np.stack(parts)) for parts in zip(*batch))
            losses += [len(batch) * float(saliency_loss(self._model(prepare(images), training=False)[..., 0], masks, inside))]
        maps = self._net.masks([example.image for example in valid])
        rows = [mask_scores.scores(found > THRESHOLD, example.mask > 0, crop_of_probabilities(found)) for found, example in zip(maps, valid)]
        with writer.as_default(epoch):
            for example, found in list(zip(valid, maps))[:_SHOWN]:
                grey = np.repeat(np.stack([found, example.mask.astype(np.float32)])[..., None], 3, axis=-1)
                tf.summary.image(f"photo, found, true/{example.name}", np.concatenate([example.image / 255.0, *grey], axis=1)[None])
        return {"valid_loss": sum(losses) / len(valid), **{name: float(np.mean([row[name] for row in rows])) for name in rows[0]}}

    def _best_epoch(self) -> dict[str, float]:
        lines = read_metrics(self._folder / "metrics.jsonl")
        if not lines:
            raise InputError(f"The run in {self._folder} is complete, but its metrics.jsonl is gone. Use another --model_dir to train anew")
        best = max(lines, key=lambda line: line["mask_iou"])
        return {"epoch": best["step"], **{name: value for name, value in best.items() if name not in ("kind", "step")}}


class _Schedule(tf_keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly over `warmup` steps, then falls to 0 at step `total` along a cosine."""

    def __init__(self, height: float, warmup: int, total: int):
        self._height, self._warmup, self._total = height, float(warmup), float(total)

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        rising = (step + 1) / self._warmup
        falling = 0.5 * (1 + tf.cos(np.pi * tf.minimum((step - self._warmup) / tf.maximum(self._total - self._warmup, 1.0), 1.0)))
        return self._height * tf.where(step < self._warmup, rising, falling)

    def get_config(self):
        return {"height": self._height, "warmup": self._warmup, "total": self._total}


def saliency_loss(logits: tf.Tensor, masks: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Binary cross entropy a pixel plus 1 - soft intersection over union a photo; what lies outside a photo does not count.

    logits: [N, S, S] float; masks, valid: [N, S, S], 0 or 1. Returns: a scalar, the mean over the photos.
    """
    masks, valid = tf.cast(masks, tf.float32), tf.cast(valid, tf.float32)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(masks, logits) * valid
    found = tf.sigmoid(logits) * valid
    area = [1, 2]
    both = tf.reduce_sum(found * masks, area)
    either = tf.reduce_sum(found + masks * valid - found * masks, area)
    # The 1 is a pixel: a photo without foreground then asks for an empty map and divides by no zero.
    overlap = (both + 1) / (either + 1)
    return tf.reduce_mean(tf.reduce_sum(entropy, area) / tf.maximum(tf.reduce_sum(valid, area), 1) + 1 - overlap)
