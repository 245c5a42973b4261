"""The training step as one program for any runtime of XLA (StableHLO), shapes only: to be timed on
a machine without TensorFlow.

`python -m benchmarks.export_step --output_dir=steps [--batch_sizes=64,128,256,512]` (needs the
extra `xla`) writes a file a batch size and precision, and `steps.json`, which says what is in them;
`benchmarks.run_exported_step` runs them. A program takes the batch, the weights, the optimizer's
moments and its count, and gives the loss and all of these as they are after the step, in place.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
import tf_keras
from absl import flags

from benchmarks.steps import kaleido_bert_step, mvlt_step
from benchmarks.steps.settings import StepSettings
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import write_bytes, write_json
from kaleido_tf.training.dropout import StepDropout
from kaleido_tf.training.strategy import PRECISIONS

STEPS = {"kaleido_bert_step": kaleido_bert_step, "mvlt_step": mvlt_step}

flags.DEFINE_enum("step", "kaleido_bert_step", list(STEPS), "Whose base model takes it.")
flags.DEFINE_list("batch_sizes", ["64", "128", "256", "512"], "Examples a step.")
flags.DEFINE_list("precisions", ["bfloat16", "float32"], "Of activations.")
flags.DEFINE_string("output_dir", None, "Folder of the programs.", required=True)
FLAGS = flags.FLAGS


def training_step(model, optimizer, names: list[str], clip_norm: float):
    """A function of a batch's tensors, in the order of `names`, that makes an update and gives the
    loss, as one XLA program.
    """
    variables = model.trainable_variables
    dropout = StepDropout(list(model.named_layers.values()))

    @tf.function(autograph=False, jit_compile=True)
    def step(*tensors):
        with tf.GradientTape() as tape:
            dropout.at(0, optimizer.iterations)
            sums = model.losses(dict(zip(names, tensors, strict=True)), training=True)
            means = {n: pair.mean() for n, pair in sums.items() if n in model.loss_names}
            loss, _ = model.total(means)
        gradients = [tf.convert_to_tensor(each) for each in tape.gradient(loss, variables)]
        if clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
        optimizer.apply_gradients(zip(gradients, variables))
        return loss

    return step


def program_of(model, optimizer, batch: dict, clip_norm: float) -> bytes:
    """The step as a serialized HloModule. Args: batch: arrays, of which only the shapes count."""
    names = sorted(batch)
    step = training_step(model, optimizer, names, clip_norm)
    tensors = [tf.zeros(batch[name].shape, batch[name].dtype) for name in names]
    return step.experimental_get_compiler_ir(*tensors)(stage="hlo_serialized")


def as_stablehlo(program: bytes) -> bytes:
    """A serialized HloModule as portable StableHLO. Raises: InputError without JAX."""
    try:
        from jax.interpreters.mlir import make_ir_context
        from jaxlib import xla_client
        from jaxlib.mlir import ir
        from jaxlib.mlir.dialects import stablehlo
    except ImportError as error:
        raise InputError(f'StableHLO needs JAX: pip install -e ".[xla]". {error}') from error
    computation = xla_client.XlaComputation(program)
    text = xla_client._xla.mlir.xla_computation_to_mlir_module(computation)
    with make_ir_context() as context:
        context.allow_unregistered_dialects = True  # XLA's remarks and copies
        module = ir.Module.parse(text)
        _without_copies(module, ir)
        return stablehlo.serialize_portable_artifact(module, stablehlo.get_current_version())


def _without_copies(module, ir) -> None:
    """Takes out XLA's own copies of results, which StableHLO does not know and no result needs."""
    copies = []

    def collect(operation):
        if operation.name == "mhlo.copy":
            copies.append(operation)
        return ir.WalkResult.ADVANCE

    module.operation.walk(collect)
    for copy in copies:
        copy.results[0].replace_all_uses_with(copy.operands[0])
        copy.erase()


def main(_):
    folder, module = pathlib.Path(FLAGS.output_dir), STEPS[FLAGS.step]
    folder.mkdir(parents=True, exist_ok=True)
    programs = []
    for precision in FLAGS.precisions:
        tf_keras.mixed_precision.set_global_policy(PRECISIONS[precision])
        settings = StepSettings(FLAGS.step, 1, precision, dropout=True, folder=folder)
        model = module.make_model(settings)
        optimizer = module.make_optimizer(model, settings)
        for size in map(int, FLAGS.batch_sizes):
            batch = module.draw_batch(model, size)
            name = f"{FLAGS.step}-{precision}-{size}.stablehlo"
            program = as_stablehlo(program_of(model, optimizer, batch, module.CLIP))
            write_bytes(folder / name, program)
            programs.append({"file": name, "precision": precision, "batch_size": size})
            print(f"{folder / name}: {len(program) / 2**20:.1f} MiB", flush=True)
    write_json(folder / "steps.json", {"step": FLAGS.step, "programs": programs})


if __name__ == "__main__":
    run_command(main)
