"""Workers that meet are threads here; each has its own idea of who they are."""

import json
import socket
import time
from concurrent import futures

import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.training.cluster import Cluster
from kaleido_tf.training.meeting import meet
from tests.free_ports import free_hosts


def result_of(cluster, facts):
    """The message that a worker ends with; None: it has met the others."""
    try:
        return meet(cluster, facts)
    except InputError as error:
        return str(error)


def together(clusters, facts=None, before=lambda: None):
    facts = facts or [{"--seed": "5"}] * len(clusters)
    with futures.ThreadPoolExecutor(len(clusters)) as pool:
        found = [pool.submit(result_of, *each) for each in zip(clusters, facts, strict=True)]
        before()
        return [each.result(timeout=20) for each in found]


def of_hosts(hosts, indices, timeout=10):
    return [Cluster(hosts, index, timeout) for index in indices]


def test_all_go_on_when_all_have_come():
    assert together(of_hosts(free_hosts(3), (2, 1, 0))) == [None] * 3


def test_all_are_told_who_never_came():
    hosts = free_hosts(4)
    messages = together(of_hosts(hosts, (0, 2), timeout=1))
    assert messages[0] == messages[1]
    assert "All 4 workers must come within --worker_timeout=1 seconds" in messages[0]
    missing = f"{hosts[1]} (--task_index=1), {hosts[3]} (--task_index=3)"
    assert messages[0].endswith(f"Never came: {missing}")


def test_without_a_chief_nobody_waits_longer():
    hosts = free_hosts(2)
    start = time.monotonic()
    (message,) = together(of_hosts(hosts, (1,), timeout=1))
    assert f"The first worker, {hosts[0]} (--task_index=0), must answer within" in message
    assert time.monotonic() - start < 5


def test_other_facts_are_refused_by_both():
    hosts = free_hosts(2)
    messages = together(of_hosts(hosts, (0, 1)), [{"--seed": "5"}, {"--seed": "6"}])
    assert messages[0] == messages[1]
    assert f"the same --seed. Received: 5 at {hosts[0]} (--task_index=0), 6 at" in messages[0]


def test_other_lists_of_workers_are_refused_by_both():
    hosts = free_hosts(3)
    other = (hosts[0], hosts[2])
    messages = together([Cluster(hosts[:2], 0, 10), Cluster(other, 1, 10)])
    assert messages[0] == messages[1]
    assert "All workers need the same list of workers" in messages[0]
    assert ",".join(hosts[:2]) in messages[0] and ",".join(other) in messages[0]


def test_two_that_say_they_are_one_are_refused():
    messages = together(of_hosts(free_hosts(3), (0, 1, 1)))
    assert len(set(messages)) == 1
    assert "a --task_index of its own. Received twice: 1" in messages[0]


def met_after(strangers, clusters):
    """Of the chief and other workers, which come when `strangers` have come to it, each said its
    line, and left.
    """
    name, port = clusters[0].hosts[0].split(":")
    with futures.ThreadPoolExecutor(len(clusters)) as pool:
        found = [pool.submit(result_of, clusters[0], {"--seed": "5"})]
        for line in strangers:
            while not found[0].done():
                try:
                    with socket.create_connection((name, int(port))) as stranger:
                        stranger.sendall(line + b"\n")
                    break
                except ConnectionRefusedError:  # the chief does not listen yet
                    time.sleep(0.05)
        found += [pool.submit(result_of, cluster, {"--seed": "5"}) for cluster in clusters[1:]]
        return [each.result(timeout=20) for each in found]


def test_what_is_no_worker_is_passed_over():
    strangers = b"GET / HTTP/1.1", b"[1]", b'{"index": 1}'
    assert met_after(strangers, of_hosts(free_hosts(2), (0, 1))) == [None, None]


def hello(hosts, index):
    return json.dumps({"index": index, "hosts": hosts, "facts": {"--seed": "5"}}).encode()


def test_who_left_never_came():
    """The chief waits for the second; by the end of that the first has left for certain."""
    hosts = free_hosts(3)
    messages = met_after([hello(hosts, 1)], of_hosts(hosts, (0, 2), timeout=4))
    assert messages[0] == messages[1]
    assert messages[0].endswith(f"Never came: {hosts[1]} (--task_index=1)")


def test_who_left_may_come_again():
    hosts = free_hosts(3)
    assert met_after([hello(hosts, 1)] * 2, of_hosts(hosts, (0, 1, 2))) == [None] * 3


def test_a_port_that_is_taken_is_named():
    hosts = free_hosts(2)
    with socket.socket() as taken:
        taken.bind(("", int(hosts[0].split(":")[1])))
        taken.listen()
        (message,) = together(of_hosts(hosts, (0,), timeout=1))
    assert f"A port that is free is needed. Received: {hosts[0]}" in message


@pytest.mark.parametrize("index", [0, 1])
def test_a_port_can_be_used_again_at_once(index):
    hosts = free_hosts(2)
    for _ in range(2):
        assert together(of_hosts(hosts, (index, 1 - index))) == [None, None]
