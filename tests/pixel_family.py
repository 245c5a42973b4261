"""A toy family of pixels that gives each step to one task: all that a new family has to bring."""

import dataclasses
import hashlib
from typing import ClassVar

import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf import families
from kaleido_tf.data.batch_parts import WHOLE, batches_of_part, rows_of_part
from kaleido_tf.losses import ClassificationLoss
from kaleido_tf.models.config import ModelConfig


@dataclasses.dataclass(frozen=True)
class PixelConfig(ModelConfig):
    MODEL_TYPE: ClassVar[str] = "toypixels"
    vocab_size: int = 30522
    text_seq_len: int = 9
    side: int = 6


class PixelModel(tf.Module):
    TASKS = ("colour", "place")
    step_tasks: ClassVar[dict] = {"colour": 2, "place": 1}
    loss_names = ("colour_loss", "place_loss")
    total_is_linear = True
    needs_whole_batch = ""
    TASK_LAYERS = {}
    fast_variables = ()

    def __init__(self, config, tasks=None, text_length=None, loss_weights=None):
        super().__init__(name=config.model_type)
        self.config, self.tasks = config, self.TASKS
        heads = {task: tf_keras.layers.Dense(3, name=task) for task in self.TASKS}
        self.named_layers = {"trunk": tf_keras.layers.Dense(8, name="trunk"), **heads}
        pixels = tf_keras.Input([config.side, config.side, 3], name="pixels")
        hidden = self.named_layers["trunk"](tf.reshape(pixels, [-1, 3 * config.side**2]))
        self.trunk = tf_keras.Model(pixels, {task: heads[task](hidden) for task in self.TASKS})

    @classmethod
    def check_settings(cls, config, tasks, loss_weights):
        """Nothing is refused."""

    def prepare(self, examples):
        """Nothing is measured."""

    def losses(self, batch, task=None, training=False):
        results = {}
        logits = self.trunk(batch["pixels"], training=training)
        for name in self.TASKS if task is None else (task,):
            result = ClassificationLoss()(logits[name], batch[name])
            results |= {f"{name}_loss": result["loss"], f"{name}_accuracy": result["accuracy"]}
        return results

    def total(self, losses):
        return sum(losses.values()), {}

    def figures(self, sums):
        return {}


class PixelExamples:
    """Images from a `.npz`: pixels [N, side, side, 3] and a label [N] of each task."""

    def __init__(self, path, settings):
        self.arrays, self.seed = dict(np.load(path)), settings.seed
        self.digest = int(hashlib.sha256(self.arrays["pixels"].tobytes()).hexdigest()[:15], 16)

    def __len__(self):
        return len(self.arrays["pixels"])

    def describe(self):
        return f"{len(self)} drawn images"

    def notes(self):
        return []

    def training_batches(self, batch_size, start=0, part=WHOLE):
        def order():
            epoch, skip = divmod(start, len(self))
            while True:
                yield from np.random.default_rng([self.seed, epoch]).permutation(len(self))[skip:]
                epoch, skip = epoch + 1, 0

        numbers = tf.data.Dataset.from_generator(
            order, output_signature=tf.TensorSpec([], tf.int64)
        )
        images = {name: tf.constant(array) for name, array in self.arrays.items()}
        pick = numbers.map(lambda n: {name: value[n] for name, value in images.items()})
        return batches_of_part(rows_of_part(pick, batch_size, part), batch_size, part)

    def evaluation_batches(self, batch_size, part=WHOLE):
        rows = tf.data.Dataset.from_tensor_slices(self.arrays)
        mine = rows_of_part(rows, batch_size, part, len(self))
        return batches_of_part(mine, batch_size, part, len(self))


def draw(path, count, seed):
    """Images of one of three colours in one of three rows; the labels say which."""
    generator = np.random.default_rng(seed)
    colour, place = generator.integers(0, 3, [2, count]).astype(np.int32)
    pixels = generator.normal(0, 0.1, [count, 6, 6, 3]).astype(np.float32)
    for number in range(count):
        pixels[number, 2 * place[number] : 2 * place[number] + 2, :, colour[number]] += 1
    np.savez(path, pixels=pixels, colour=colour, place=place)
    return str(path)


FAMILY = families.Family(
    PixelConfig, PixelModel, lambda path, settings, *_: PixelExamples(path, settings)
)


def register():
    """The one line that makes a family of it."""
    families.FAMILIES[PixelConfig.MODEL_TYPE] = FAMILY
