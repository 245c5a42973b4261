"""What the release's state dict calls our variables."""

import numpy as np
import pytest

from kaleido_tf.models.mvlt import original
from kaleido_tf.models.mvlt.config import MvltConfig
from kaleido_tf.models.mvlt.model import Mvlt
from tests.golden_files import mvlt, read_json
from tests.mvlt_golden import config


@pytest.mark.parametrize(
    "kind, functional", [("pretrain", "pretrainer"), ("recognition", "classifier")]
)
def test_every_key_of_the_release_is_known_once(kind, functional):
    """At full size, without any weight being drawn at length."""
    model = Mvlt(MvltConfig())
    getattr(model, functional)
    names = original.variable_names(model)
    constants = original.constant_arrays(model)
    ours = {key: (entry.original_shape, "float32") for key, entry in names.items()}
    for key, entry in original.repeated_variables(model).items():
        ours[key] = entry.original_shape, "float32"
        assert entry.variable is names[original.WORDS].variable
    ours |= {key: (array.shape, array.dtype.name) for key, array in constants.items()}
    theirs = read_json(mvlt() / "state_dict_keys.json")[kind]
    assert ours == {
        key: (tuple(shape), kind.removeprefix("torch.")) for key, (shape, kind) in theirs.items()
    }
    assert len({id(entry.variable) for entry in names.values()}) == len(names)


@pytest.mark.parametrize(
    "heads",
    [("next_sentence",), ("masked_lm", "next_sentence", "image"), ("category", "subcategory")],
)
def test_heads_are_built_as_they_stand_together(heads):
    model = Mvlt(config())
    original.build_heads(model, heads)
    keys = original.variable_names(model)
    for head, key in original.HEADS.items():
        assert (key in keys) == (head in heads)
    assert (original.DECODER in original.repeated_variables(model)) == ("masked_lm" in heads)
    for key, entry in keys.items():
        array = np.arange(np.prod(entry.original_shape)).reshape(entry.original_shape)
        np.testing.assert_array_equal(entry.to_original(entry.to_ours(array)), array, err_msg=key)
        assert entry.to_ours(array).shape == tuple(entry.variable.shape)
