"""The trainer with a model of two matrices."""

import pytest
import tensorflow as tf
from tensorflow.python.eager.polymorphic_function import polymorphic_function

from kaleido_tf.training.optimizer import AdamW, BertAdam
from kaleido_tf.training.trainer import Trainer
from kaleido_tf.training.transformers_adamw import TransformersAdamW

BATCH = {"rows": tf.ones([2, 3])}
WRITES = ("AssignSubVariableOp", "ResourceApplyAdam")


class TwoMatrices:
    named_layers, fast_variables, needs_whole_batch = {}, (), ""
    loss_names, total_is_linear = ("square_loss",), True

    def __init__(self, tasks=()):
        self.step_tasks = dict.fromkeys(tasks, 1.0)
        self.trainable_variables = [tf.Variable(tf.ones([3, 3]), name=name) for name in "ab"]

    def losses(self, batch, task=None, training=False):
        first, second = self.trainable_variables
        squares = (batch["rows"] @ first @ second) ** 2
        return {"square_loss": (tf.reduce_sum(squares), tf.cast(tf.size(squares), tf.float32))}

    def total(self, losses):
        return losses["square_loss"], {}


def ancestors(operation):
    """All operations that run before one."""
    found, left = set(), [operation]
    while left:
        current = left.pop()
        for before in (*(value.op for value in current.inputs), *current.control_inputs):
            if before not in found:
                found.add(before)
                left.append(before)
    return found


def trainer_of(optimizer_class, tasks=(), replicas=1, **settings):
    strategy = tf.distribute.MirroredStrategy([f"/cpu:{number}" for number in range(replicas)])
    with strategy.scope():
        model = TwoMatrices(tasks)
        optimizer = optimizer_class(0.1, weight_decay_ratio=0.01)
        optimizer.build(model.trainable_variables)
    sizes = dict(global_batch=2, log_steps=1, last_step=1)
    return Trainer(model, optimizer, strategy, **sizes, **settings)


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
@pytest.mark.parametrize("optimizer_class", [BertAdam, AdamW, TransformersAdamW])
def test_no_weight_is_written_while_a_pass_may_read_it(optimizer_class, clip_norm, replicas):
    trainer = trainer_of(optimizer_class, replicas=replicas, clip_norm=clip_norm)
    graph = trainer.compiled_update(None).get_concrete_function(BATCH).graph
    operations = graph.get_operations()
    needed = set().union(*(ancestors(output.op) for output in graph.outputs))
    products = {op for op in needed if op.type == "MatMul"}
    assert len(products) == 5 * replicas  # two forward; the rows need no gradient
    writes = [op for op in operations if op.type in WRITES]
    assert len(writes) >= 4
    for write in writes:
        if write.type == "ResourceApplyAdam" or write.inputs[1].shape == (3, 3):
            assert products <= ancestors(write), write


@pytest.fixture
def warnings_of_tensorflow(monkeypatch, caplog):
    """As in a new process: TensorFlow repeats this warning only so often."""
    manager = polymorphic_function._FrequentTracingDetectorManager()
    monkeypatch.setattr(polymorphic_function, "_frequent_tracing_detector_manager", manager)
    tf.get_logger().addHandler(caplog.handler)
    yield caplog
    tf.get_logger().removeHandler(caplog.handler)


def test_six_tasks_are_traced_without_a_warning(warnings_of_tensorflow):
    trainer = trainer_of(AdamW, tasks="abcdef")
    for task in trainer.model.step_tasks:
        trainer.compiled_update(task)(BATCH)
    assert not warnings_of_tensorflow.messages
