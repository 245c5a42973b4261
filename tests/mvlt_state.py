"""State dicts of the small MVLT of tests/golden/mvlt_tiny, as its release saves them."""

import numpy as np

from kaleido_tf.compat.checkpoints.filling import Weights
from kaleido_tf.compat.checkpoints.weights import weights_of
from kaleido_tf.models.mvlt import original
from kaleido_tf.models.mvlt.model import Mvlt
from tests.mvlt_golden import recipe, settings
from tests.torch_files import Part, Raw, named, opcodes


def state_for(model: Mvlt) -> dict[str, np.ndarray]:
    """Every key that the release has for a model, with the recipe's weights."""
    repeated = original.repeated_variables(model)
    state = original.constant_arrays(model)
    for key, entry in original.variable_names(model).items():
        state[key] = recipe(key, entry.original_shape, settings()["weight_seed"])
    return state | dict.fromkeys(repeated, state[original.WORDS])


def as_released(state: dict[str, np.ndarray], prefix: str = "") -> dict:
    """What a file of the release holds: the weights (those that are tied in one storage), and what
    is left of the training run.
    """
    arguments = named("argparse", "Namespace") + b")\x81" + opcodes({"lr": 2.5e-4}) + b"b"
    flat = {id(array): np.array(array).reshape(-1) for array in state.values()}
    model = {
        prefix + key: Part(flat[id(array)], array.shape, tuple(_strides(array.shape)))
        for key, array in state.items()
    }
    moments = {"state": {0: {"step": 8, "exp_avg": np.ones(3, np.float32)}}}
    return {"model": model, "optimizer": moments, "epoch": 149, "args": Raw(arguments)}


def _strides(shape):
    return [int(np.prod(shape[place + 1 :])) for place in range(len(shape))]


def assert_same(found: Weights, state: dict[str, np.ndarray]) -> None:
    """Keys, shapes, types and every number."""
    assert set(found.tensors) == set(state)
    for key, array in state.items():
        read = np.asarray(found.tensors[key]())
        assert (read.dtype, read.shape) == (array.dtype, array.shape), key
        assert found.shapes[key] == array.shape, key
        np.testing.assert_array_equal(read, array, err_msg=key)


def state_now(model: Mvlt) -> dict[str, np.ndarray]:
    """The weights that a model has, by the release's keys."""
    weights = weights_of(model, "now", 0)
    return {key: np.array(weights.tensors[key]()) for key in weights.shapes}
