"""MVLT's training step against a plain PyTorch implementation of the same step.

`python -m benchmarks.mvlt_step [--batch_size=8] [--precision=float32]` (PyTorch is the extra
`bench`): the release's base model (PVT-tiny, 256 pixels, 128 words), all three losses, gradients
and AdamW, on one drawn batch, without chance. Both start from the same weights; their losses must
agree before anything is timed. Each runs in a process of its own, in turns; printed are medians and
the peak memory of each process.
"""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import app, flags

from benchmarks.same_step import LOSSES, SIDES, check_agreement, draw_batch

flags.DEFINE_integer("batch_size", 8, "Examples a step.")
flags.DEFINE_integer("steps", 2, "Steps a turn.")
flags.DEFINE_integer("turns", 5, "Turns; the median is reported.")
flags.DEFINE_enum("precision", "float32", ["float32", "bfloat16"], "Of activations.")
flags.DEFINE_string("side", None, "Of the processes that the command starts: which one it is.")
flags.DEFINE_string("folder", None, "Of the same: where weights and batch lie.")
FLAGS = flags.FLAGS

RATE, DECAY = 1e-4, 0.01
AGREEMENT = {"float32": 1e-4, "bfloat16": 3e-2}


def make_config():
    from kaleido_tf.models.mvlt.config import MvltConfig

    return MvltConfig(hidden_dropout_prob=0.0, drop_path_prob=0.0)


def tensorflow_step(folder: pathlib.Path):
    """Writes weights and batch; a function that makes a step and gives its losses."""
    import tensorflow as tf
    import tf_keras

    from kaleido_tf.compat.checkpoints.weights import weights_of
    from kaleido_tf.models.mvlt.model import Mvlt
    from kaleido_tf.training.optimizer import AdamW
    from kaleido_tf.training.strategy import PRECISIONS
    from kaleido_tf.training.trainer import Trainer

    tf_keras.utils.set_random_seed(1)
    tf_keras.mixed_precision.set_global_policy(PRECISIONS[FLAGS.precision])
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    with strategy.scope():
        model = Mvlt(make_config())
        optimizer = AdamW(RATE, DECAY)
        optimizer.build(model.trainable_variables)
    batch = draw_batch(model.config, FLAGS.batch_size)
    np.savez(folder / "batch.npz", **batch)
    state = weights_of(model, "a new model", 0).tensors
    np.savez(folder / "weights.npz", **{key: read() for key, read in state.items()})
    trainer = Trainer(
        model,
        optimizer,
        strategy,
        global_batch=FLAGS.batch_size,
        log_steps=1,
        last_step=1,
        clip_norm=0.0,
    )
    update = trainer.compiled_update(None)
    batch = {name: tf.constant(value) for name, value in batch.items()}
    return lambda: {name: float(value) for name, value in update(batch).items() if name in LOSSES}


def pytorch_step(folder: pathlib.Path):
    """A function that makes a step and gives its losses."""
    import torch

    from benchmarks.torch_mvlt import TorchMvlt

    model = TorchMvlt(make_config())
    weights, batch = dict(np.load(folder / "weights.npz")), dict(np.load(folder / "batch.npz"))
    wanted = model.state_dict()
    model.load_state_dict({name: torch.from_numpy(np.array(weights[name])) for name in wanted})
    batch = {name: torch.from_numpy(value) for name, value in batch.items()}
    batch = {n: v.long() if v.dtype == torch.int32 else v for n, v in batch.items()}
    for name in ("images", "image_targets"):
        batch[name] = batch[name].permute(0, 3, 1, 2).contiguous()
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": DECAY},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE, fused=True)
    model.train()

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=FLAGS.precision == "bfloat16"):
            losses = model.losses(batch)
        (
            losses["masked_lm_loss"] + losses["next_sentence_loss"] + 10 * losses["image_loss"]
        ).backward()
        optimizer.step()
        return {name: float(value.detach()) for name, value in losses.items()}

    return step


def work(side: str, folder: pathlib.Path) -> None:
    """One of the two processes: answers each line with the figures of a turn."""
    step = {"tensorflow": tensorflow_step, "pytorch": pytorch_step}[side](folder)
    losses = [step(), step()]
    for _ in sys.stdin:
        start = time.perf_counter()
        for _ in range(FLAGS.steps):
            step()
        seconds = (time.perf_counter() - start) / FLAGS.steps
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({"losses": losses, "seconds": seconds, "gib": memory}), flush=True)


def start(side: str, folder: pathlib.Path) -> subprocess.Popen:
    given = {"batch_size": FLAGS.batch_size, "steps": FLAGS.steps, "precision": FLAGS.precision}
    arguments = [f"--{name}={value}" for name, value in given.items()]
    command = [sys.executable, "-m", "benchmarks.mvlt_step", f"--side={side}", f"--folder={folder}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([*command, *arguments], text=True, **pipes)


def turn(process: subprocess.Popen) -> dict:
    process.stdin.write("go\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise SystemExit("a process ended early: is PyTorch there (pip install -e '.[bench]')?")
    return json.loads(line)


def main(_):
    if FLAGS.side:
        return work(FLAGS.side, pathlib.Path(FLAGS.folder))
    with tempfile.TemporaryDirectory() as name:
        folder, processes, figures = pathlib.Path(name), {}, {}
        for side in SIDES:  # the first writes what the second reads
            processes[side] = start(side, folder)
            figures[side] = turn(processes[side])
        check_agreement(figures, AGREEMENT[FLAGS.precision])
        seconds = {side: [] for side in SIDES}
        for _ in range(FLAGS.turns):
            for side in SIDES:
                figures[side] = turn(processes[side])
                seconds[side].append(figures[side]["seconds"])
        for process in processes.values():
            process.stdin.close()
            process.wait()
    middle = {side: float(np.median(values)) for side, values in seconds.items()}
    print(f"PVT-tiny, 256 pixels, 128 words, batch {FLAGS.batch_size}, {FLAGS.precision}")
    for side in SIDES:
        print(
            f"  {side:10s} {FLAGS.batch_size / middle[side]:6.2f} examples/s"
            f"   {middle['pytorch'] / middle[side]:5.2f} x PyTorch"
            f"   peak memory {figures[side]['gib']:.2f} GiB"
        )
    return None


if __name__ == "__main__":
    app.run(main)
