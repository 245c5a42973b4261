"""State dicts of MVLT's release and of PVT into our models."""

import numpy as np
import pytest

from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.compat.checkpoints.weights import find_weights, kind_of, load_weights, open_weights
from kaleido_tf.errors import InputError
from kaleido_tf.files.safetensors_file import write_safetensors
from kaleido_tf.models.mvlt import original
from kaleido_tf.models.mvlt.model import Mvlt
from kaleido_tf.models.mvlt.pyramid_start import check_start, resized_table
from tests.mvlt_golden import arrays, batch_of, channels_first, config, pretraining_feed
from tests.mvlt_state import as_released, state_for, state_now
from tests.torch_files import Raw, called, opcodes, write_torch_file


@pytest.fixture(scope="module")
def model():
    built = Mvlt(config())
    _ = built.pretrainer
    return built


@pytest.fixture(scope="module")
def state(model):
    return state_for(model)


def pyramid_of(state: dict, **changes) -> dict:
    """The state dict of a PVT for images."""
    keys = ("pos_embed", "patch_embed", "block")
    network = {key: array for key, array in state.items() if key.startswith(keys)}
    width = state["patch_embed4.norm.weight"].size
    network |= {"cls_token": np.ones([1, 1, width], np.float32)}
    network |= {f"norm.{part}": np.ones(width, np.float32) for part in ("weight", "bias")}
    return {**network, "head.weight": np.ones([7, width], np.float32), **changes}


def filled(model, number: float) -> dict:
    """The weights after all of them were set to a number."""
    for entry in original.variable_names(model).values():
        entry.variable.assign(np.full(entry.variable.shape, number))
    return state_now(model)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_release_computes_the_golden_numbers(model, state, tmp_path, prefix, capsys):
    filled(model, 0.0)
    path = tmp_path / "checkpoint_retrieval.pth"
    write_torch_file(path, as_released(state, prefix))
    load_weights(model, find_weights(tmp_path))
    told = "read was its entry `model`" + (", without `module.`" if prefix else "")
    out = capsys.readouterr().out
    assert told in out and "not used" not in out
    feed = pretraining_feed(batch_of("sq64", "clean"))
    logits, golden = model.pretrainer(feed, training=False)["logits"], arrays("reduced_outputs")
    used = np.asarray(feed["masked_lm_weights"]) > 0
    assert used.any()
    for name, theirs in (("masked_lm", "mlm"), ("next_sentence", "itm"), ("image", "t2i")):
        expected = golden[f"sq64/clean/{theirs}_logits"]
        expected = expected[used] if name == "masked_lm" else expected
        found = channels_first(logits[name]).reshape(expected.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_state_comes_back_to_the_bit_from_safetensors(model, state, tmp_path):
    filled(model, 0.0)
    path = tmp_path / "m.safetensors"
    write_safetensors(path, {f"module.{key}": array for key, array in state.items()}, {})
    assert kind_of(str(path)) == "safetensors"
    load_weights(model, str(path))
    again = state_now(model)
    assert set(again) == set(state)
    for key, array in state.items():
        np.testing.assert_array_equal(again[key], array, err_msg=key)


def test_heads_that_are_there_are_said(state, tmp_path):
    classes = {"sup_cls_head.linear.weight": state["itm_head.linear.weight"]}
    body = {key: array for key, array in state.items() if "_head" not in key}
    write_torch_file(tmp_path / "recognition.pth", {"state_dict": {**body, **classes}})
    weights = open_weights(find_weights(tmp_path))
    assert (weights.kind, weights.heads, weights.tasks) == ("pth", ("category",), ())
    assert weights.taken == "its entry `state_dict`"
    write_torch_file(tmp_path / "retrieval.pt", as_released(state))
    heads = open_weights(str(tmp_path / "retrieval.pt")).heads
    assert heads == ("masked_lm", "next_sentence", "image")
    with pytest.raises(
        InputError, match="One checkpoint or file .*recognition.pth, .*retrieval.pt"
    ):
        find_weights(tmp_path)
    write_safetensors(tmp_path / "m.safetensors", state, {})
    assert find_weights(tmp_path) == str(tmp_path / "m.safetensors")


SHELL = Raw(called("os", "system", opcodes(("touch made",))))
WRONG = {
    "missing": (lambda state: state.pop("block4.1.mlp.fc2.bias"), "Not found: 1 .*block4.1.mlp"),
    "shape": (
        lambda state: state.update({"text_embed1.0.weight": np.ones([3, 5], np.float32)}),
        r"Of another shape: 1 \(text_embed1.0.weight needs \[16, 48\], found \[3, 5\]",
    ),
    "decoder": (
        lambda state: state.update({original.DECODER: state[original.WORDS] + 1}),
        "mlm_decoder.weight must hold the same numbers as text_embeddings.word_embeddings.weight",
    ),
    "code": (lambda state: state.update(extra=SHELL), "asks for `os.system` at byte"),
}


@pytest.mark.parametrize("slip", WRONG)
def test_other_states_are_refused_and_change_nothing(model, state, tmp_path, monkeypatch, slip):
    monkeypatch.chdir(tmp_path)
    before, (change, message) = filled(model, 0.25), WRONG[slip]
    state = dict(state)
    change(state)
    write_torch_file("m.pth", {"model": state})
    with pytest.raises(InputError, match=message):
        load_weights(model, "m.pth")
    after = state_now(model)
    assert all(np.array_equal(after[key], array) for key, array in before.items())
    assert [path.name for path in tmp_path.iterdir()] == ["m.pth"]


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_pyramid_for_images_starts_a_model(model, state, tmp_path, capsys, kind):
    before, network = filled(model, 0.5), pyramid_of(state)
    path = tmp_path / f"pvt_tiny.{kind}"
    if kind == "pth":
        write_torch_file(path, network)
    else:
        write_safetensors(path, network, {})
    load_start(model, str(path))
    after = state_now(model)
    for key, array in after.items():
        np.testing.assert_array_equal(array, network.get(key, before[key]), err_msg=key)
    out = capsys.readouterr().out
    taken, names = len(set(network) & set(after)), len(original.variable_names(model))
    assert f"start: {taken} of {names} variables from {path}" in out
    assert "so with random weights: itm_head.linear.bias, " in out
    assert "not used: cls_token, head.weight, norm.bias, norm.weight" in out


def test_tables_for_photos_of_another_size_are_resized(model, state, tmp_path, capsys):
    filled(model, 0.5)
    generator = np.random.default_rng(3)
    tables = {  # our model's are of 16 x 16, …, 2 x 2 patches
        "pos_embed1": generator.normal(size=(1, 400, 16)).astype(np.float32),
        "pos_embed4": generator.normal(size=(1, 1 + 9, 64)).astype(np.float32),
    }
    write_torch_file(tmp_path / "pvt.pth", pyramid_of(state, **tables))
    load_start(model, str(tmp_path / "pvt.pth"))
    out, after = capsys.readouterr().out, state_now(model)
    assert "start: pos_embed1 resized from 20 x 20 to 16 x 16 patches" in out
    assert "start: pos_embed4 resized from 3 x 3 to 2 x 2 patches" in out
    assert "pos_embed2 resized" not in out
    np.testing.assert_array_equal(after["pos_embed2"], state["pos_embed2"])
    table, small = tables["pos_embed4"][0], after["pos_embed4"][0]
    np.testing.assert_array_equal(small[0], table[0])  # where PVT has its class token
    # Of three cells in a row, the centres of two lie a quarter of a cell inside the outer ones.
    grid, share = table[1:].reshape(3, 3, -1), np.array([[0.75, 0.25, 0], [0, 0.25, 0.75]])
    expected = np.einsum("ah,bw,hwc->abc", share, share, grid).reshape(4, -1)
    np.testing.assert_allclose(small[1:], expected, atol=1e-6)


def test_a_table_of_the_same_grid_is_not_touched():
    table = np.arange(2 * 5.0, dtype=np.float32).reshape(1, 5, 2)
    np.testing.assert_array_equal(resized_table(table, 1, 2), table)


@pytest.mark.parametrize(
    "depths, found",
    [
        ((3, 4, 6, 3), r"small \(depths 3, 4, 6, 3\)"),
        ((3, 4, 18, 3), "medium"),
        ((3, 8, 27, 3), "large"),
        ((2, 2, 2, 1), r"of its own \(depths 2, 2, 2, 1\)"),
    ],
)
def test_another_pvt_is_refused_by_its_size(depths, found):
    names = [f"block{k}.{j}.norm1.bias" for k, depth in enumerate(depths, 1) for j in range(depth)]
    message = rf"asks for a PVT of size tiny \(depths 2, 2, 2, 2\). x.pth holds one of size {found}"
    with pytest.raises(InputError, match=message):
        check_start(dict.fromkeys(names, (16,)), config(), "x.pth")


def test_a_file_without_a_pyramid_starts_nothing(model, tmp_path):
    write_torch_file(tmp_path / "resnet.pth", {"conv1.weight": np.ones([3, 3], np.float32)})
    with pytest.raises(
        InputError, match="starts from the weights of an MVLT or a PVT .*resnet.pth"
    ):
        load_start(model, str(tmp_path / "resnet.pth"))
