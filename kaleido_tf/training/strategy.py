"""Where a run computes: GPUs of this machine, or its CPU as one or several replicas."""

import tensorflow as tf
import tf_keras

from kaleido_tf.errors import InputError

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def make_strategy(worker_gpus: int, cpu_replicas: int = 1) -> tf.distribute.Strategy:
    """A MirroredStrategy over `worker_gpus` GPUs, or over logical CPU devices where there is no
    GPU.

    Fewer GPUs than asked for are used with one line that says so.
    Raises: InputError if TensorFlow has started already and its CPU can no longer be divided.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if worker_gpus > len(gpus):
        print(
            f"--workerGPU={worker_gpus}: this machine has {len(gpus)} GPU(s); using"
            f" {f'{len(gpus)} of them' if gpus else 'the CPU'}"
        )
    if gpus and worker_gpus:
        return tf.distribute.MirroredStrategy(
            [f"/gpu:{n}" for n in range(min(worker_gpus, len(gpus)))]
        )
    divide_cpu(worker_gpus, cpu_replicas)
    return tf.distribute.MirroredStrategy([f"/cpu:{n}" for n in range(cpu_replicas)])


def divide_cpu(worker_gpus: int, cpu_replicas: int) -> None:
    """Makes `cpu_replicas` logical devices where no GPU is used. TensorFlow allows it only before
    it has computed anything, so a command does this before it reads its data.

    Raises: InputError if it is too late.
    """
    if cpu_replicas < 2 or (worker_gpus and tf.config.list_physical_devices("GPU")):
        return
    count, cpu = cpu_replicas, tf.config.list_physical_devices("CPU")[0]
    there = tf.config.get_logical_device_configuration(cpu)
    if there and len(there) >= count:
        return
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * count
        )
    except RuntimeError as error:
        raise InputError(
            f"{count} CPU replicas are needed, but TensorFlow has started with fewer: {error}"
        ) from error


def set_precision(precision: str) -> None:
    """Sets the precision of activations: float32, bfloat16 or float16; weights and losses stay
    float32.
    """
    if precision not in PRECISIONS:
        raise InputError(
            f"--precision must be one of {', '.join(PRECISIONS)}. Received: {precision}"
        )
    tf_keras.mixed_precision.set_global_policy(PRECISIONS[precision])
