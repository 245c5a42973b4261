import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.compat.checkpoints.tf1_checkpoint import (
    Tf1Checkpoint,
    is_optimizer_slot,
    write_tf1_checkpoint,
)
from kaleido_tf.errors import InputError
from tests.golden_files import checkpoint_in, kaleido_bert, training_checkpoint, variable_shapes

CHECKPOINTS = (checkpoint_in(kaleido_bert()), training_checkpoint())


def arrays(prefix):
    """What TensorFlow itself reads."""
    reader = tf.train.load_checkpoint(str(prefix))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


@pytest.mark.parametrize("name", CHECKPOINTS, ids=["model", "training"])
def test_round_trip_is_equal_to_the_bit(tmp_path, name):
    source = Tf1Checkpoint(name)
    expected = arrays(name)
    assert source.shapes == {key: array.shape for key, array in expected.items()}
    # Half of them as arrays, half on demand.
    lazy = {key: lambda key=key: source.read(key) for key in source.shapes}
    tensors = {
        key: read if number % 2 else read() for number, (key, read) in enumerate(lazy.items())
    }
    write_tf1_checkpoint(tmp_path / "new" / "model.ckpt-7", tensors)
    written = arrays(tmp_path / "new" / "model.ckpt-7")
    assert set(written) == set(expected)
    for key, array in expected.items():
        assert written[key].dtype == array.dtype and written[key].tobytes() == array.tobytes(), key
    assert sorted(os.listdir(tmp_path / "new")) == [
        "checkpoint",
        "model.ckpt-7.data-00000-of-00001",
        "model.ckpt-7.index",
    ]


def test_a_tf1_saver_restores_what_is_written(tmp_path):
    expected = arrays(CHECKPOINTS[1])
    write_tf1_checkpoint(tmp_path / "model.ckpt-12", expected)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = {
            name: tf.compat.v1.get_variable(name, array.shape, array.dtype)
            for name, array in expected.items()
        }
        tf.compat.v1.train.Saver(variables).restore(
            session, tf.train.latest_checkpoint(str(tmp_path))
        )
        for name, restored in session.run(variables).items():
            np.testing.assert_array_equal(restored, expected[name])


def test_slots_of_a_training_checkpoint():
    training, model = (Tf1Checkpoint(name).shapes for name in CHECKPOINTS[::-1])
    assert {name for name in training if not is_optimizer_slot(name)} == {
        name for name in model if name != "global_step"
    }
    assert sum(map(is_optimizer_slot, training)) == 2 * len(variable_shapes(kaleido_bert())) + 3


@pytest.mark.parametrize(
    "name, expected",
    [
        ("bert/pooler/dense/kernel/Adam", True),
        ("bert/pooler/dense/kernel/Adam_1", True),
        ("x/AdamWeightDecayOptimizer", True),
        ("x/AdamWeightDecayOptimizer_1", True),
        ("bert/x/adam_m", True),
        ("bert/x/adam_v", True),
        ("beta1_power", True),
        ("optimizer/beta2_power", True),
        ("global_step", True),
        ("bert/pooler/dense/kernel", False),
        ("Adam", False),
        ("bert/Adam/kernel", False),
        ("x/adam_maximum", False),
    ],
)
def test_names_of_slots(name, expected):
    assert is_optimizer_slot(name) is expected


def test_the_newest_is_the_latest_and_the_folder_can_be_moved(tmp_path):
    write_tf1_checkpoint(tmp_path / "a" / "model.ckpt-1", {"x": np.zeros(3)})
    write_tf1_checkpoint(tmp_path / "a" / "model.ckpt-2", {"x": np.ones(3)})
    os.rename(tmp_path / "a", tmp_path / "b")
    state = tf.train.get_checkpoint_state(str(tmp_path / "b"))
    assert [os.path.basename(path) for path in state.all_model_checkpoint_paths] == [
        "model.ckpt-1",
        "model.ckpt-2",
    ]
    assert tf.train.latest_checkpoint(str(tmp_path / "b")) == str(tmp_path / "b" / "model.ckpt-2")


def test_an_existing_checkpoint_is_not_replaced(tmp_path):
    write_tf1_checkpoint(tmp_path / "model.ckpt", {"x": np.zeros(3)})
    with pytest.raises(InputError, match="model.ckpt exists already"):
        write_tf1_checkpoint(tmp_path / "model.ckpt", {"x": np.ones(3)})
    assert Tf1Checkpoint(tmp_path / "model.ckpt").read("x").tolist() == [0, 0, 0]


def test_a_failure_leaves_nothing(tmp_path):
    def fails():
        raise KeyError("on the way")

    with pytest.raises(KeyError):
        write_tf1_checkpoint(tmp_path / "model.ckpt-3", {"a": np.zeros(3), "b": fails})
    assert os.listdir(tmp_path) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/model.ckpt could not be written"):
        write_tf1_checkpoint(tmp_path / "file" / "model.ckpt", {"a": np.zeros(3)})
    with pytest.raises(InputError, match="at least one tensor"):
        write_tf1_checkpoint(tmp_path / "model.ckpt-3", {})


@pytest.fixture
def copied(tmp_path):
    for ending in (".index", ".data-00000-of-00001"):
        shutil.copy(CHECKPOINTS[0] + ending, tmp_path / ("m" + ending))
        os.chmod(tmp_path / ("m" + ending), 0o600)
    return tmp_path / "m"


def test_no_checkpoint_at_all(tmp_path):
    with pytest.raises(
        InputError, match="TF1 checkpoint prefix .* is needed. Not found: .*gone.index"
    ):
        Tf1Checkpoint(tmp_path / "gone")


def test_index_without_data(copied):
    os.remove(f"{copied}.data-00000-of-00001")
    with pytest.raises(InputError, match="m.index needs its data files .* Found: 0"):
        Tf1Checkpoint(copied)


def test_damaged_index(copied):
    (copied.parent / "m.index").write_bytes(b"damaged")
    with pytest.raises(InputError, match="m.index is damaged"):
        Tf1Checkpoint(copied)


def test_data_cut_short(copied):
    os.truncate(f"{copied}.data-00000-of-00001", 1000)
    with pytest.raises(
        InputError, match=r"The data of .*m are cut short: needed \d+ bytes, found 1000"
    ):
        Tf1Checkpoint(copied)


def test_data_overwritten(copied):
    path = copied.parent / "m.data-00000-of-00001"
    path.write_bytes(b"\xff" * path.stat().st_size)
    checkpoint = Tf1Checkpoint(copied)
    with pytest.raises(InputError, match="m is damaged at kaleido.*word_embeddings: .*Checksum"):
        checkpoint.read("kaleido_bert_pre_trained_model/bert/embeddings/word_embeddings")
    with pytest.raises(InputError, match="m holds no bert/x"):
        checkpoint.read("bert/x")
