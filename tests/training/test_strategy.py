import pytest
import tensorflow as tf

from kaleido_tf.errors import InputError
from kaleido_tf.training.run_config import DeviceConfig
from kaleido_tf.training.strategy import make_strategy


def test_fewer_gpus_than_asked_for_are_told_in_one_line(capsys, monkeypatch):
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind=None: [] if kind == "GPU" else ["cpu"]
    )
    assert make_strategy(DeviceConfig(worker_gpus=4)).num_replicas_in_sync == 1
    assert capsys.readouterr().out == "--workerGPU=4: this machine has 0 GPU(s); using the CPU\n"


def test_several_replicas_on_the_cpu():
    assert make_strategy(DeviceConfig(worker_gpus=0, cpu_replicas=2)).num_replicas_in_sync == 2


def test_two_runs_on_two_replicas_in_one_process():
    """A run after another one, or a prediction after a training: sums of other shapes."""
    for width in (7, 13):
        strategy = make_strategy(DeviceConfig(worker_gpus=0, cpu_replicas=2))

        @tf.function
        def total(strategy=strategy, width=width):
            def step():
                context = tf.distribute.get_replica_context()
                return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.ones([width]))

            return strategy.experimental_local_results(strategy.run(step))

        assert [list(values.numpy()) for values in total()] == [[2.0] * width] * 2


def test_cpu_that_can_no_longer_be_divided_is_told():
    tf.constant(1) + 1  # TensorFlow has started
    with pytest.raises(InputError, match="5 CPU replicas are needed"):
        make_strategy(DeviceConfig(worker_gpus=0, cpu_replicas=5))


def test_unknown_precision_is_named():
    with pytest.raises(InputError, match="float32, bfloat16, float16, auto. Received: int8"):
        DeviceConfig(precision="int8")
