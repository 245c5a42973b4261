import pytest

from benchmarks.same_step import LOSSES, check_agreement, draw_batch
from kaleido_tf.models.mvlt.config import MvltConfig
from kaleido_tf.models.mvlt.model import Mvlt


def figures(losses):
    return {"losses": [dict(zip(LOSSES, step)) for step in losses]}


def test_sides_that_disagree_are_not_timed(capsys):
    given = [[10.0, 0.7, 0.2], [9.0, 0.6, 0.1]]
    near = [[10.0001, 0.7, 0.2], [9.0, 0.60003, 0.1]]
    far = [[10.0, 0.7, 0.2], [9.0, 0.6, 0.11]]
    check_agreement({"tensorflow": figures(near), "pytorch": figures(given)}, 1e-4)
    assert "differ by at most 5.0e-05" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="they must agree"):
        check_agreement({"tensorflow": figures(far), "pytorch": figures(given)}, 1e-4)


def test_the_batch_is_what_the_model_takes():
    config = MvltConfig()
    batch = draw_batch(config, 2)
    inputs = Mvlt(config).pretraining_inputs()
    assert set(batch) == set(inputs)
    for name, array in batch.items():
        assert array.dtype == inputs[name].dtype.as_numpy_dtype, name
        wanted = [2, *inputs[name].shape[1:]]
        assert [w or s for w, s in zip(wanted, array.shape, strict=True)] == list(array.shape), name
