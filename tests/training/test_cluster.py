import json

import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.training.cluster import Cluster, WorkerConfig, find_cluster

HOSTS = ("a:21", "b:22", "c:23")


def described(kind="worker", index=1, **cluster):
    cluster = cluster or {"worker": list(HOSTS)}
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


def flags(hosts=HOSTS, index=1, count=None, **more):
    count = len(hosts) if count is None else count
    return WorkerConfig(worker_hosts=hosts, task_index=index, worker_count=count, **more)


def test_flags_and_tf_config_describe_the_same_workers():
    settings = {"worker_timeout": 7, "worker_silence": 5}
    expected = Cluster(HOSTS, 1, timeout=7, silence=5)
    assert find_cluster(flags(**settings), None) == expected
    assert find_cluster(WorkerConfig(**settings), described()) == expected
    assert find_cluster(flags(**settings), described()) == expected
    assert not expected.is_chief and expected.part == (1, 3)


def test_the_chief_of_tf_config_stands_before_its_workers():
    cluster = {"worker": ["b:22", "c:23"], "chief": ["a:21"]}
    given = WorkerConfig()
    assert find_cluster(given, described("chief", 0, **cluster)) == Cluster(HOSTS, 0)
    assert find_cluster(given, described("worker", "1", **cluster)) == Cluster(HOSTS, 2)


@pytest.mark.parametrize(
    "settings, tf_config",
    [
        (WorkerConfig(), None),
        (WorkerConfig(), ""),
        (WorkerConfig(), "{}"),
        (flags(hosts=("localhost:5001",), index=0), None),
        (WorkerConfig(), described(index=0, worker=["a:21"])),
    ],
)
def test_one_process_is_no_cluster(settings, tf_config):
    assert find_cluster(settings, tf_config) is None


@pytest.mark.parametrize(
    "settings, message",
    [
        (flags(count=2), "as many workers as --workerCount=2. Received: 3 (a:21,b:22,c:23)"),
        (flags(hosts=(), index=0, count=2), "--workerCount=2 needs --worker_hosts"),
        (flags(hosts=("a:1", "b:1", "a:1")), "every worker once. Received twice: a:1"),
        (flags(hosts=("a:1", "b")), "as host:port, the port 1 to 65535. Received: 'b'"),
        (flags(hosts=("a:1", "b:0")), "Received: 'b:0'"),
        (flags(hosts=("a:1", ":1")), "Received: ':1'"),
        (flags(index=3), "--task_index must be 0 to 2, one of --worker_hosts. Received: 3"),
        (flags(hosts=(), count=1), "--task_index must be 0 to 0"),
        (flags(job_name="chief"), "--job_name=chief is the first of --worker_hosts"),
    ],
)
def test_flags_that_cannot_be_are_refused(settings, message):
    with pytest.raises(InputError) as error:
        find_cluster(settings, None)
    assert message in str(error.value)


def test_a_job_that_does_not_train_is_refused():
    with pytest.raises(InputError, match="--job_name must be one of chief, worker. Received: ps"):
        WorkerConfig(job_name="ps")


@pytest.mark.parametrize(
    "text, message",
    [
        ("{worker", "TF_CONFIG must be JSON. Received: '{worker'"),
        ("[]", "TF_CONFIG must be a JSON object. Received: []"),
        ('{"cluster": ["a:1"]}', "`cluster` must be a JSON object"),
        (described(worker=["a:1"], ps=["b:1"]), "type chief and worker. Received: 'ps'"),
        (described(worker="a:1"), 'must be a list of "host:port". Received: "a:1"'),
        (described(worker=["a:1", "b"]), "TF_CONFIG must name workers as host:port"),
        (described(worker=["a:1", "b:1"], chief=["a:1"]), "Received twice: a:1"),
        (described(chief=["a:1", "b:1"], worker=["c:1", "d:1"]), "must name one chief"),
        (described(index=3), "must be 0 to 2, a worker of its cluster. Received: 3"),
        (described(index=-1), "Received: -1"),
        (described(index=None), "Received: None"),
        (described(index=True), "Received: True"),
        (described(kind="chief"), "one of its cluster: worker. Received: 'chief'"),
        (json.dumps({"cluster": {"worker": HOSTS}}), "`task` must be a JSON object"),
    ],
)
def test_tf_config_that_cannot_be_is_refused(text, message):
    with pytest.raises(InputError) as error:
        find_cluster(WorkerConfig(), text)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "settings, message",
    [
        (flags(hosts=("a:21", "b:22", "d:1")), "--worker_hosts=a:21,b:22,d:1, and a:21,b:22,c:23"),
        (flags(index=2), "--task_index=2, and 1 in TF_CONFIG"),
        (flags(hosts=(), count=2), "--workerCount=2, and 3 in TF_CONFIG"),
    ],
)
def test_flags_that_contradict_tf_config_are_refused(settings, message):
    with pytest.raises(InputError) as error:
        find_cluster(settings, described())
    assert message in str(error.value)
