"""Trains a patch tokenizer on the photos of pixel records.

`output_dir` holds `settings.json` (what decides the result), what `kaleido_tf.training.epoch_run`
leaves (the decoder stands in its checkpoint alone), and the best epoch so far, as
`tokenizer_file.load_tokenizer` reads it.
"""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf
import tf_keras

from data_prep.patch_tokens.moving_codes import averages_of, moved, restarted, set_averages
from data_prep.patch_tokens.pixel_photos import PixelPhotos
from data_prep.patch_tokens.token_scores import TokenScores, cell_means
from data_prep.patch_tokens.token_settings import RECONSTRUCTIONS, TokenSettings
from data_prep.patch_tokens.vq_vae import VqVae, straight_through, vq_loss
from kaleido_tf.files.claimed_folders import claim_settings
from kaleido_tf.models.fashion_vil.photo_colours import in_unit_range, normalised
from kaleido_tf.models.fashion_vil.tokenizer_file import save_tokenizer
from kaleido_tf.training.epoch_run import EpochRun, WarmCosine

FLAG = "--output_dir"
_SHOWN = 6  # held-out photos in TensorBoard


def train(photos: PixelPhotos, output_dir: str, settings: TokenSettings) -> dict[str, float]:
    """Trains and returns the figures of the best epoch (`TokenScores.figures`; highest `psnr`).

    Raises: InputError for sizes that do not fit each other or the photos, and if `output_dir` holds
      a run with other settings or photos.
    """
    folder, config = pathlib.Path(output_dir), settings.config(photos.side)
    now = {
        **dataclasses.asdict(settings),
        "image_side": config.image_side,
        "photos": photos.counts,
        "photos_digest": photos.digest,
    }
    claim_settings(folder, now, "a run with other settings or photos", FLAG)
    tf_keras.utils.set_random_seed(settings.seed)
    return _Run(folder, settings, VqVae(config), photos).to_the_end()


class _Run:
    """One run: what an epoch learns from, and what it is judged by."""

    def __init__(
        self, folder: pathlib.Path, settings: TokenSettings, model: VqVae, photos: PixelPhotos
    ):
        self._folder, self._settings, self._model, self._photos = folder, settings, model, photos
        side = model.config.image_side
        model(tf.zeros([1, side, side, 3]))  # makes all weights, before a checkpoint is read
        steps = -(-photos.counts["train"] // settings.batch_size)
        rate = WarmCosine(settings.learning_rate, steps, steps * settings.epochs)
        self._optimizer = tf_keras.optimizers.Adam(rate)
        self._optimizer.build(model.trainable_variables)
        of_photos = [tf.TensorSpec([None, side, side, 3], tf.uint8)]
        self._step = tf.function(self._learn, of_photos, autograph=False)
        self._judged = tf.function(self._judge_batch, of_photos, autograph=False)
        self._run = EpochRun(folder, settings.epochs, "psnr", model, self._optimizer, FLAG)

    def to_the_end(self) -> dict[str, float]:
        """As `EpochRun.to_the_end`."""
        return self._run.to_the_end(
            self._train_epoch,
            self._judge,
            lambda: save_tokenizer(self._folder, self._model.config, self._model.tokenizer),
            told,
        )

    def _train_epoch(self, epoch: int) -> float:
        """One pass over the training photos; the mean loss of its steps."""
        settings = self._settings
        batches = self._photos.training_batches(
            self._model.config.image_side, settings.batch_size, settings.seed, epoch
        )
        return float(np.mean([self._step(photos).numpy() for photos in batches]))

    def _learn(self, photos: tf.Tensor) -> tf.Tensor:
        images, codebook = normalised(photos), self._model.tokenizer.codebook
        with tf.GradientTape() as tape:
            z = self._model.tokenizer.encode(images)
            vectors = tf.stop_gradient(tf.reshape(z, [-1, z.shape[-1]]))
            self._restart(codebook, vectors)
            codes = codebook(z)
            loss = self._loss(images, z, codebook.look_up(codes))[0]
        variables = self._model.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        nearest = tf.reshape(codes, [-1])
        averages = moved(averages_of(codebook), vectors, nearest, self._settings.decay)
        set_averages(codebook, averages)
        return loss

    def _restart(self, codebook, vectors: tf.Tensor) -> None:
        settings = self._settings
        seed = tf.stack([tf.constant(settings.seed, tf.int64), self._optimizer.iterations])
        averages = restarted(averages_of(codebook), vectors, settings.restart_below, seed)
        set_averages(codebook, averages)

    def _loss(self, images, z, z_q) -> tuple[tf.Tensor, tf.Tensor]:
        """The loss, and the photos as they come back."""
        settings = self._settings
        reconstruction = self._model.decode(straight_through(z, z_q))
        power = 1 + RECONSTRUCTIONS.index(settings.reconstruction)
        loss = vq_loss(reconstruction, images, z, z_q, settings.commitment, power)
        return loss, reconstruction

    def _judge(self, writer, epoch: int) -> dict[str, float]:
        """The figures of the held-out photos; some of them go to TensorBoard."""
        config = self._model.config
        scores = TokenScores(config.num_codes, config.stride)
        for number, photos in enumerate(
            self._photos.valid_batches(config.image_side, self._settings.batch_size)
        ):
            loss, reconstruction, codes = (part.numpy() for part in self._judged(photos))
            colours = photos.numpy() / np.float32(255)
            scores.add(colours, reconstruction, codes, float(loss))
            if number == 0:
                views = colours, cell_means(colours, config.stride), reconstruction
                shown = np.concatenate([view[:_SHOWN] for view in views], axis=2)
                with writer.as_default(epoch):
                    tf.summary.image("photo, cell means, of codes", shown, max_outputs=_SHOWN)
        return scores.figures()

    def _judge_batch(self, photos: tf.Tensor) -> tuple[tf.Tensor, ...]:
        images, tokenizer = normalised(photos), self._model.tokenizer
        z = tokenizer.encode(images)
        codes = tokenizer.codebook(z)
        loss, reconstruction = self._loss(images, z, tokenizer.look_up(codes))
        return loss, in_unit_range(reconstruction), codes


def told(values: dict[str, float]) -> str:
    """Figures in words."""
    loss = f"loss {values['loss']:.4f}, " if "loss" in values else ""
    return (
        f"{loss}valid loss {values['valid_loss']:.4f}, PSNR {values['psnr']:.2f} dB (mean colour of"
        f" each cell: {values['cell_mean_psnr']:.2f} dB), perplexity {values['perplexity']:.1f},"
        f" {values['codes_used']:.0f} codes in use"
    )
