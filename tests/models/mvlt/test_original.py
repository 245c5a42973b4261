"""The release's state dict to our layers and back."""

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.models.mvlt import original
from kaleido_tf.models.mvlt.config import MvltConfig
from kaleido_tf.models.mvlt.model import Mvlt
from tests.golden_files import mvlt, read_json
from tests.mvlt_golden import shared_model


@pytest.fixture(scope="module")
def model():
    return shared_model("sq64")


@pytest.mark.parametrize(
    "kind, functional", [("pretrain", "pretrainer"), ("recognition", "classifier")]
)
def test_every_key_of_the_release_is_known_once(kind, functional):
    """At full size, without any weight being drawn at length."""
    model = Mvlt(MvltConfig())
    getattr(model, functional)
    names = original.variable_names(model)
    ours = {key: entry.original_shape for key, entry in names.items()}
    if kind == "pretrain":
        ours[original.DECODER] = ours[original.WORDS]
    ours |= {key: array.shape for key, array in original.constant_arrays(model).items()}
    theirs = read_json(mvlt() / "state_dict_keys.json")[kind]
    assert ours == {key: tuple(shape) for key, (shape, _) in theirs.items()}
    assert len({id(entry.variable) for entry in names.values()}) == len(names)


def test_state_comes_back_as_it_was(model):
    state = original.state_of(model)
    assert state[original.DECODER] is state[original.WORDS]
    reloaded = Mvlt(model.config)
    _ = reloaded.pretrainer, reloaded.classifier
    original.load_state(reloaded, state)
    again = original.state_of(reloaded)
    assert set(again) == set(state)
    for key, array in state.items():
        np.testing.assert_array_equal(again[key], array, err_msg=key)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda state: state.pop("pos_embed4"), "lacks 1 key.*pos_embed4"),
        (lambda state: state.update(norm=np.ones(3)), "without a place in the model, 1 key.*norm"),
        (
            lambda state: state.update(pos_embed4=np.ones([1, 4, 64])),
            "in another shape.*pos_embed4",
        ),
        (
            lambda state: state.update({original.DECODER: state[original.WORDS] + 1}),
            "must hold the same numbers",
        ),
    ],
)
def test_other_states_are_refused_and_change_nothing(model, change, message):
    before = original.state_of(model)
    state = {key: array + 1 for key, array in before.items()}
    change(state)
    with pytest.raises(InputError, match=message):
        original.load_state(model, state)
    np.testing.assert_array_equal(original.state_of(model)["pos_embed1"], before["pos_embed1"])
