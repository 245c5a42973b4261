"""A training run counted in epochs: saved after each, the best one kept, resumed where it was
stopped.

Its folder holds `checkpoints/` (the last epoch, with the optimizer's state), `metrics.jsonl` (a
line an epoch) and `logs/` for TensorBoard. What an epoch draws must depend on the seed and its
number alone; then a killed run ends as one that was not.
"""

import pathlib
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf.errors import InputError, tensorflow_reason
from kaleido_tf.training.checkpoints import Checkpoint, CheckpointManager
from kaleido_tf.training.metrics_log import MetricsLog, read_metrics


class EpochRun:
    """Args:
    folder: a claimed one (`record_writer.claim_settings`). epochs: how many.
    best_by: name of the figure whose highest value is the best epoch; among equals the one with the
      lowest `valid_loss`. An epoch in which one of the two is no number is never the best.
    flag: that named the folder, for messages.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        epochs: int,
        best_by: str,
        model: tf_keras.Model,
        optimizer: tf_keras.optimizers.Optimizer,
        flag: str = "--model_dir",
    ):
        self._folder, self._epochs, self._best_by, self._flag = folder, epochs, best_by, flag
        self._epoch = tf.Variable(0, dtype=tf.int64)
        self._best = tf.Variable([-1.0, 0.0])  # its figure, and its loss with the sign turned
        checkpoint = Checkpoint(
            model=model, optimizer=optimizer, epoch=self._epoch, best=self._best
        )
        self._manager = CheckpointManager(checkpoint, str(folder / "checkpoints"), max_to_keep=1)

    @property
    def has_begun(self) -> bool:
        """Whether there is an epoch to go on after."""
        return self._manager.latest_checkpoint is not None

    def to_the_end(
        self,
        learn: Callable[[int], float],
        judge: Callable,
        keep: Callable[[], None],
        tell: Callable[[dict], str],
    ) -> dict[str, float]:
        """Runs the epochs that are missing and returns the figures of the best one, with its number
        as `epoch`.

        Args:
          learn: epoch (from 1) -> mean training loss. judge: (TensorBoard writer, epoch) -> figures
            by name.
          keep: writes the model as the best so far. tell: the figures in words.
        Raises: InputError if the loss is no number, or the `valid_loss` of every epoch, or a
          checkpoint cannot be read.
        """
        self._restore()
        log = MetricsLog(self._folder / "metrics.jsonl", int(self._epoch))
        writer = tf.summary.create_file_writer(str(self._folder / "logs"))
        while int(self._epoch) < self._epochs:
            started = time.perf_counter()
            self._epoch.assign_add(1)
            epoch = int(self._epoch)
            loss = learn(epoch)
            if not np.isfinite(loss):
                raise InputError(
                    f"The loss of epoch {epoch} is no number: use a lower --learning_rate"
                )
            values = {"loss": loss, **judge(writer, epoch)}
            rank = np.array(self._rank(values), np.float32)
            better = tuple(rank) > tuple(self._best.numpy())
            if better:
                keep()
                self._best.assign(rank)
            # before the checkpoint: a line without one is dropped at the next start
            log.write("epoch", epoch, values)
            self._manager.save(epoch)
            with writer.as_default(epoch):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
            writer.flush()
            took = time.perf_counter() - started
            note = ", the best so far" if better else ""
            if rank[0] == -np.inf:
                note = f", not counted: its valid_loss or {self._best_by} is no number"
            print(f"epoch {epoch}/{self._epochs}: {tell(values)}, {took:.1f} s{note}", flush=True)
        return self._best_epoch()

    def _restore(self) -> None:
        latest = self._manager.latest_checkpoint
        if not latest:
            return
        try:
            self._manager.checkpoint.restore(latest).assert_consumed()
        except (tf.errors.OpError, AssertionError, ValueError) as error:
            raise InputError(
                f"{latest} cannot be read: {tensorflow_reason(error)}. Use another {self._flag}"
                " to train anew"
            ) from error
        state = "complete, after" if int(self._epoch) == self._epochs else "going on after"
        print(f"{self._folder}: {state} epoch {int(self._epoch)} of {self._epochs}", flush=True)

    def _rank(self, values: dict[str, float]) -> tuple[float, float]:
        rank = values[self._best_by], -values["valid_loss"]
        return rank if np.isfinite(rank).all() else (-np.inf, -np.inf)

    def _best_epoch(self) -> dict[str, float]:
        lines = read_metrics(self._folder / "metrics.jsonl")
        if not lines:
            raise InputError(
                f"The run in {self._folder} is complete, but its metrics.jsonl is gone. Use another"
                f" {self._flag} to train anew"
            )
        best = max(lines, key=self._rank)
        if self._rank(best)[0] == -np.inf:
            raise InputError(
                f"In no epoch of the run in {self._folder} were both {self._best_by} and valid_loss"
                f" numbers, so there is no best one. Use another {self._flag} and a lower"
                " --learning_rate"
            )
        return {
            "epoch": best["step"],
            **{name: value for name, value in best.items() if name not in ("kind", "step")},
        }


class WarmCosine(tf_keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly over `warmup` steps, then falls to 0 at step `total` along a cosine."""

    def __init__(self, height: float, warmup: int, total: int):
        self._height, self._warmup, self._total = height, float(warmup), float(total)

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        rising = (step + 1) / self._warmup
        falling = 0.5 * (
            1
            + tf.cos(
                np.pi
                * tf.minimum(
                    (step - self._warmup) / tf.maximum(self._total - self._warmup, 1.0), 1.0
                )
            )
        )
        return self._height * tf.where(step < self._warmup, rising, falling)

    def get_config(self):
        return {"height": self._height, "warmup": self._warmup, "total": self._total}
