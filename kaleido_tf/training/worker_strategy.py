"""Training by several workers as if they were one: the strategy over the devices of all, the part
of a batch that each computes, and what happens when one is lost.
"""

import contextlib
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import tensorflow as tf
from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
from tensorflow.python.eager import context

from kaleido_tf.errors import InputError, tensorflow_reason
from kaleido_tf.training.cluster import Cluster
from kaleido_tf.training.meeting import meet
from kaleido_tf.training.run_config import DeviceConfig
from kaleido_tf.training.strategy import gpus_used, make_strategy

LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)
"""What a step of several workers fails with when one of them is no longer there."""


def connect(device: DeviceConfig, facts: Mapping[str, str]) -> None:
    """Connects the workers of `device.cluster` once they have met. TensorFlow allows it only before
    it has computed anything, so a command does this before it reads its data.

    Args: facts: what must be the same for all workers, by what messages call it.
    Raises: InputError as `meet`.
    """
    gpus = gpus_used(device)
    meet(device.cluster, {**facts, "number of GPUs": str(gpus)})
    _strategy_of_workers(device.cluster, gpus)


def make_training_strategy(device: DeviceConfig) -> tf.distribute.Strategy:
    """As `make_strategy`; of several workers, who are connected, a MultiWorkerMirroredStrategy over
    the devices of all.
    """
    if device.cluster is None:
        return make_strategy(device)
    return _strategy_of_workers(device.cluster, gpus_used(device))


def agree(cluster: Cluster | None, facts: Mapping[str, str]) -> None:
    """Holds what the workers have found against one another, once they are connected. Raises:
    InputError naming the first difference, in all workers.
    """
    if cluster is None:
        return
    service = context.context()
    with lost_workers_as_input_errors(cluster):
        service.set_config_key_value(f"facts/{cluster.index}", json.dumps(dict(facts)))
        there = [
            json.loads(service.get_config_key_value(f"facts/{n}", 1000 * cluster.timeout))
            for n in range(len(cluster.hosts))
        ]
    for index, found in enumerate(there):
        for name, value in there[0].items():
            if found[name] != value:
                raise InputError(
                    f"All workers need the same {name}. Received: {value} at {cluster.name(0)},"
                    f" {found[name]} at {cluster.name(index)}"
                )


@functools.cache
def _strategy_of_workers(cluster: Cluster, gpus: int) -> tf.distribute.Strategy:
    # TensorFlow's own settings set no end to the wait for a worker that dies while all connect.
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader="/job:worker/replica:0/task:0",
        cluster_register_timeout_in_ms=1000 * cluster.timeout,
        heartbeat_timeout_in_ms=1000 * cluster.silence,
        coordinated_jobs=[
            coordination_config_pb2.CoordinatedJob(name="worker", num_tasks=len(cluster.hosts))
        ],
    )
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.hosts)}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": gpus},
        rpc_layer="grpc",
    )
    return tf.distribute.MultiWorkerMirroredStrategy(resolver)


def distributed(
    strategy: tf.distribute.Strategy,
    device: DeviceConfig,
    batches: Callable[[tuple[int, int]], tf.data.Dataset],
) -> tf.distribute.DistributedDataset:
    """Global batches, each replica's part of them where it is used.

    Args: batches: makes what the part (index, how many) holds of each global batch, part by part in
      their order; (0, 1) is the whole.
    """
    if device.cluster is None:
        return strategy.experimental_distribute_dataset(batches((0, 1)))
    replicas = strategy.num_replicas_in_sync // len(device.cluster.hosts)

    def of_replicas(batch):
        def of_replica(number):
            rows = tf.shape(tf.nest.flatten(batch)[0], tf.int64)[0]
            mine = slice(-(-rows * number // replicas), -(-rows * (number + 1) // replicas))
            return tf.nest.map_structure(lambda value: value[mine], batch)

        return tf.data.Dataset.range(replicas).map(of_replica)

    def of_this_worker(_):
        mine = batches(device.cluster.part)
        return mine if replicas == 1 else mine.flat_map(of_replicas)

    return strategy.distribute_datasets_from_function(of_this_worker)


def take_over_from_chief(
    strategy: tf.distribute.Strategy, device: DeviceConfig, variables: Sequence[tf.Variable]
) -> None:
    """Gives all workers the chief's values: what each has computed by itself may differ in its last
    digits.
    """
    if device.cluster is None:
        return

    def of_chief():
        replica_context = tf.distribute.get_replica_context()
        is_first = replica_context.replica_id_in_sync_group == 0
        mine = [tf.where(is_first, each, tf.zeros_like(each)) for each in variables]
        return replica_context.all_reduce(tf.distribute.ReduceOp.SUM, mine)

    shared = tf.function(lambda: strategy.run(of_chief), autograph=False)()
    for variable, value in zip(variables, shared):
        variable.assign(strategy.experimental_local_results(value)[0])


def wait_for_all(name: str, cluster: Cluster) -> None:
    """Returns when all workers have come to the same place of the program. Raises: InputError if
    one is lost or does not come in time.
    """
    with lost_workers_as_input_errors(cluster):
        context.context().wait_at_barrier(name, 1000 * cluster.timeout)


@contextlib.contextmanager
def lost_workers_as_input_errors(cluster: Cluster | None) -> Iterator[None]:
    """Raises: InputError for what TensorFlow raises when another worker is gone."""
    try:
        yield
    except LOST as error:
        if cluster is None:
            raise
        raise InputError(
            "All workers must stay to the end of a run. One of them is lost"
            f" ({_reason(error)}): start all of them again, and the run goes on from its"
            " last checkpoint"
        ) from error


def _reason(error: tf.errors.OpError) -> str:
    """What stands behind "Graph execution error" and the program's lines below it."""
    found = re.search(r"aborted by: ([^\n]*)", error.message)
    return found[1][:300] if found else tensorflow_reason(error)
