"""What the steps of all families share: the trainer here, and a usual training loop in PyTorch."""

import zipfile
from typing import Any, NamedTuple

import numpy as np

from benchmarks.steps.settings import StepSettings


class Rival(NamedTuple):
    """What a training loop in PyTorch needs of a family.

    model: a module with `losses(batch)` by name; with tasks `losses(batch, task)`.
    total: losses by name -> what is minimised. tasks: each of which a step gives an update; without
      any it makes one of all losses.
    """

    model: Any
    optimizer: Any
    batch: dict
    total: Any
    tasks: tuple[str, ...] = ()


def tensorflow_step(module, settings: StepSettings):
    """Writes weights and batch; a function that makes a step and gives its losses by name.

    Args: module: of a family's step.
    """
    import tensorflow as tf
    import tf_keras

    from kaleido_tf.training.strategy import PRECISIONS
    from kaleido_tf.training.trainer import Trainer

    tf_keras.utils.set_random_seed(1)
    tf_keras.mixed_precision.set_global_policy(PRECISIONS[settings.precision])
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    with strategy.scope():
        model = module.make_model(settings)
        optimizer = module.make_optimizer(model, settings)
    trainer = Trainer(
        model,
        optimizer,
        strategy,
        global_batch=settings.batch_size,
        log_steps=1,
        last_step=1,
        clip_norm=module.CLIP,
    )
    batch = module.draw_batch(model, settings.batch_size)
    np.savez(settings.folder / "batch.npz", **batch)
    write_weights(model, settings)
    updates = [trainer.compiled_update(task) for task in model.step_tasks or (None,)]
    batch = {name: tf.constant(value) for name, value in batch.items()}

    def step():
        figures = {name: value for update in updates for name, value in update(batch).items()}
        return {name: float(figures[name]) for name in model.loss_names}

    return step


def write_weights(model, settings: StepSettings) -> None:
    """Leaves the weights of the start for the other sides, under the original's names; one by one,
    so that this side's peak of memory is not that of writing them.
    """
    from kaleido_tf.compat.checkpoints.weights import weights_of

    with zipfile.ZipFile(settings.folder / "weights.npz", "w") as archive:
        for key, read in weights_of(model, "a new model", 0).tensors.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(read()), allow_pickle=False)


def pytorch_step(module, settings: StepSettings, compiled: bool):
    """A function that makes a step and gives its losses by name.

    Args: module: of a family's step.
    """
    import torch

    model, optimizer, batch, total, tasks = module.make_rival(settings)
    model.train()
    losses_of = torch.compile(model.losses) if compiled else model.losses

    def update(*task):
        optimizer.zero_grad(set_to_none=not tasks)  # what other tasks have reached goes on moving
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.is_bfloat16):
            losses = losses_of(batch, *task)
        total(losses).backward()
        if module.CLIP:
            torch.nn.utils.clip_grad_norm_(model.parameters(), module.CLIP)
        optimizer.step()
        return {name: float(value.detach()) for name, value in losses.items()}

    def step():
        results = {}
        for task in [(task,) for task in tasks] or [()]:
            results |= update(*task)
        return results

    return step


def torch_batch(folder) -> dict:
    """The batch that the first side left; integers as PyTorch wants them."""
    import torch

    batch = {name: torch.from_numpy(array) for name, array in np.load(folder / "batch.npz").items()}
    return {n: v.long() if v.dtype == torch.int32 else v for n, v in batch.items()}
