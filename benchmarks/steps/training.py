"""What the steps of all families share: the trainer here, and a usual training loop in PyTorch."""

import numpy as np

from benchmarks.steps.settings import StepSettings


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
        model, optimizer = module.make_model(settings), module.make_optimizer()
        optimizer.build(model.trainable_variables)
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
    update = trainer.compiled_update(None)
    batch = {name: tf.constant(value) for name, value in batch.items()}
    names = model.loss_names
    return lambda: {name: float(value) for name, value in update(batch).items() if name in names}


def write_weights(model, settings: StepSettings) -> None:
    """Leaves the weights of the start for the other sides, under the original's names."""
    from kaleido_tf.compat.checkpoints.weights import weights_of

    state = weights_of(model, "a new model", 0).tensors
    np.savez(settings.folder / "weights.npz", **{key: read() for key, read in state.items()})


def pytorch_loop(settings: StepSettings, model, optimizer, batch, total, clip_norm, compiled):
    """A function that makes a step and gives its losses by name.

    Args: total: losses by name -> what is minimised. clip_norm: 0: gradients are not clipped.
    """
    import torch

    model.train()
    losses_of = torch.compile(model.losses) if compiled else model.losses

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.is_bfloat16):
            losses = losses_of(batch)
        total(losses).backward()
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        return {name: float(value.detach()) for name, value in losses.items()}

    return step


def torch_batch(folder) -> dict:
    """The batch that the first side left; integers as PyTorch wants them."""
    import torch

    batch = {name: torch.from_numpy(array) for name, array in np.load(folder / "batch.npz").items()}
    return {n: v.long() if v.dtype == torch.int32 else v for n, v in batch.items()}
