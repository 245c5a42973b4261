"""Where a run computes: GPUs of this machine, or its CPU as one or several replicas."""

import functools

import tensorflow as tf
import tf_keras

from kaleido_tf.errors import InputError
from kaleido_tf.training.precision_choice import choose_precision
from kaleido_tf.training.run_config import DeviceConfig

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def make_strategy(device: DeviceConfig) -> tf.distribute.Strategy:
    """A MirroredStrategy over `worker_gpus` GPUs, or over `cpu_replicas` logical CPU devices where
    there is no GPU. A process has one for the same devices, however often it asks.

    Fewer GPUs than asked for are used with one line that says so. What one of several workers
    computes by itself it computes on one device: TensorFlow uses the variables of a strategy in no
    other one.
    Raises: InputError if TensorFlow has started already and its CPU can no longer be divided.
    """
    if device.cluster is not None:
        return tf.distribute.get_strategy()
    count = gpus_used(device)
    if count:
        return _strategy_over(tuple(f"/gpu:{n}" for n in range(count)))
    divide_cpu(device)
    return _strategy_over(tuple(f"/cpu:{n}" for n in range(device.cpu_replicas)))


def gpus_used(device: DeviceConfig) -> int:
    """GPUs of this machine that are used; fewer than asked for with one line that says so."""
    gpus = tf.config.list_physical_devices("GPU")
    if device.worker_gpus > len(gpus):
        _report_fewer_gpus(device.worker_gpus, len(gpus))
    return min(device.worker_gpus, len(gpus))


@functools.cache
def _strategy_over(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """One a process: every strategy numbers its reductions from the same number on, but TensorFlow
    knows them by that number as long as the process lives. In a second strategy over the same
    devices the first reduction meets the shape of the first strategy's, and the step fails.
    """
    return tf.distribute.MirroredStrategy(list(devices))


@functools.cache
def _report_fewer_gpus(asked: int, there: int) -> None:
    """Once a process, however many strategies are made in it."""
    used = f"{there} of them" if there else "the CPU"
    print(f"--workerGPU={asked}: this machine has {there} GPU(s); using {used}")


def divide_cpu(device: DeviceConfig) -> None:
    """Makes `cpu_replicas` logical devices where no GPU is used. TensorFlow allows it only before
    it has computed anything, so a command does this before it reads its data.

    Raises: InputError if it is too late.
    """
    count = device.cpu_replicas
    if count < 2 or (device.worker_gpus and tf.config.list_physical_devices("GPU")):
        return
    cpu = tf.config.list_physical_devices("CPU")[0]
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
    """Sets the precision of activations: float32, bfloat16, float16 or auto, which is measured
    (`choose_precision`); weights and losses stay float32.
    """
    precision = choose_precision() if precision == "auto" else precision
    tf_keras.mixed_precision.set_global_policy(PRECISIONS[precision])
