import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.data import data_service
from kaleido_tf.data.data_service import DataService
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.pipeline import RecordExamples, text_inputs
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.data.sampling import ExampleOrder, row_seed
from kaleido_tf.errors import InputError, input_errors_as_themselves
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.parsing import parse_record
from kaleido_tf.text import Vocabulary
from tests import data_services, small_records
from tests.free_ports import free_hosts

COUNT, SEED = 23, 3


class SmallBlocks(RecordExamples):
    """Two shards of 5 records at most are a block, so that an epoch has three."""

    def training_order(self, batch_size=0):
        del batch_size
        return ExampleOrder(self.table, SEED, block_bytes=17000)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = small_records.write(tmp_path_factory.mktemp("records"), COUNT, per_shard=5)
    size, vocabulary = small_records.FEATURE_SIZE, Vocabulary()
    table = read_record_table(find_files(str(folder)), vocabulary, 9, size)

    def make(row):
        record = parse_record(row["record"], size)
        return {
            "features": record["patch_features"],
            "other_id": tf.strings.length(row["donor"]),
            **text_inputs(row["input_ids"], row["used"]),
            "draw": tf.random.stateless_uniform([2], row_seed(row, SEED)),
        }

    return SmallBlocks(table, make, ExamplesConfig(seed=SEED), donors=True)


@pytest.fixture(scope="module")
def address():
    with data_services.running(workers=2) as there:
        yield there


def taken(dataset, count=99):
    return list(dataset.take(count).as_numpy_iterator())


def assert_equal(batches, others):
    assert len(batches) == len(others) > 0
    for one, other in zip(batches, others):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_the_epochs_have_several_blocks(examples):
    blocks = examples.training_order().blocks(0, epochs=1)
    assert [len(block.files) for block in blocks] == [2, 2, 1]


def test_batches_are_those_without_a_service(examples, address):
    served = examples.through_service(address, 1, timeout=20)
    expected = taken(examples.training_batches(4), 8)  # into the second epoch
    assert_equal(taken(served.training_batches(4), 8), expected)
    assert_equal(taken(served.training_batches(4, start=12), 4), expected[3:7])
    assert_equal(taken(served.evaluation_batches(5)), taken(examples.evaluation_batches(5)))


def test_workers_that_share_a_block_change_no_order(examples, address, monkeypatch):
    monkeypatch.setattr(data_service, "TRANSFER", 2)
    served = examples.through_service(address, 3, timeout=20)
    expected = taken(examples.training_batches(4), 5)
    assert_equal(taken(served.training_batches(4), 5), expected)


def test_each_worker_of_a_run_has_its_part(examples, address):
    served = examples.through_service(address, 1, timeout=20)
    whole, part = taken(examples.training_batches(6, 12), 3), (1, 2)
    mine = [{name: values[3:] for name, values in batch.items()} for batch in whole]
    assert_equal(taken(served.training_batches(6, 12, part), 3), mine)


def test_two_runs_each_have_every_example(examples, address):
    served = examples.through_service(address, 1, timeout=20)
    one, other = (iter(served.training_batches(4).as_numpy_iterator()) for _ in range(2))
    in_turns = [(next(one), next(other)) for _ in range(6)]
    assert_equal(*zip(*in_turns))


def test_nobody_is_waited_for_without_end(examples):
    (nobody,) = free_hosts(1)
    with pytest.raises(InputError, match=f"a dispatcher that answers within .*=1 sec.*{nobody}"):
        DataService(nobody, timeout=1).check()
    idle = data_services.idle()
    with pytest.raises(InputError, match=f"needs a worker .*=1 seconds.*{idle}"):
        examples.through_service(idle, 1, timeout=1)


def test_a_worker_that_is_killed_ends_the_run_in_time(examples, monkeypatch):
    monkeypatch.setattr(data_service, "PATIENCE", 0.2)
    address = data_services.idle()
    with data_services.worker_of(address) as worker:
        batches = iter(examples.through_service(address, 1, timeout=20).training_batches(4))
        next(batches)
        worker.kill()
        worker.wait()
        needed = f"--data_service={address} must give examples .*=20 seconds. None came"
        with pytest.raises(InputError, match=needed), input_errors_as_themselves():
            for _ in range(50):  # those that were read ahead come first
                next(batches)
