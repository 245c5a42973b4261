"""All directions on the golden models: equal weights, equal logits, nothing half done."""

import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.compat.checkpoints.checkpoint_names import original_variables
from kaleido_tf.compat.checkpoints.conversion import convert
from kaleido_tf.compat.checkpoints.tf1_checkpoint import Tf1Checkpoint, write_tf1_checkpoint
from kaleido_tf.compat.checkpoints.weights import (
    find_weights,
    load_weights,
    model_for_weights,
    named_variables,
)
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_config
from kaleido_tf.files.safetensors_file import SafetensorsFile, write_safetensors
from kaleido_tf.objectives.class_list import ClassList, read_class_list
from kaleido_tf.text import SPECIAL_TOKENS
from kaleido_tf.training.checkpoints import find_checkpoint, is_own_checkpoint, load_own_checkpoint
from tests.golden_batches import pretraining_batch
from tests.golden_files import (
    checkpoint_in,
    checkpoint_step,
    golden_folder,
    kaleido_bert,
    read_json,
    recognition,
    training_checkpoint,
    variable_bytes,
    variable_shapes,
)
from tests.tiny_models import tiny_config

SCOPE = "kaleido_bert_pre_trained_model/"
VARIABLES, BYTES = len(variable_shapes(kaleido_bert())), variable_bytes(kaleido_bert())
STEP = checkpoint_step(checkpoint_in(kaleido_bert()))
DIRECTIONS = {  # result: (input, --to)
    "tf1_own": ("golden", "own"),
    "own_tf1": ("tf1_own", "tf1"),
    "own_safetensors": ("tf1_own", "safetensors"),
    "tf1_safetensors": ("golden", "safetensors"),
    "safetensors_own": ("tf1_safetensors", "own"),
    "safetensors_tf1": ("tf1_safetensors", "tf1"),
}


@pytest.fixture(scope="module")
def source():
    return kaleido_bert()


@pytest.fixture(scope="module")
def converted(source, tmp_path_factory):
    """{direction: (folder, what was reported)}, each made of an earlier one."""
    folder, results = tmp_path_factory.mktemp("converted"), {}
    for name, (before, kind) in DIRECTIONS.items():
        path = source if before == "golden" else folder / before
        results[name] = folder / name, convert(str(path), str(folder / name), kind)
    return results


@pytest.fixture(scope="module")
def model(source):
    return model_for_weights(read_config(source / "config.json"), None)


@pytest.fixture(scope="module")
def logits(model, source):
    batch = pretraining_batch(
        dict(np.load(source.parent / "inputs.npz")), model.config.patch_feature_size
    )
    return lambda: {
        name: value.numpy()
        for name, value in model.pretrainer(batch, training=False)["logits"].items()
    }


def load(model, folder):
    load_weights(model, find_weights(str(folder)))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_weights_and_logits_are_equal(source, converted, model, logits, direction):
    load_weights(model, checkpoint_in(source))
    expected, weights = (
        logits(),
        {name: entry.variable.numpy() for name, entry in original_variables(model).items()},
    )
    for entry in original_variables(model).values():
        entry.variable.assign(tf.zeros_like(entry.variable))
    folder, report = converted[direction]
    load(model, folder)
    for name, entry in original_variables(model).items():
        np.testing.assert_array_equal(entry.variable.numpy(), weights[name], err_msg=name)
    for name, value in logits().items():
        np.testing.assert_array_equal(value, expected[name])
    assert report.variables == VARIABLES and report.num_bytes == 4 * sum(
        array.size for array in weights.values()
    )
    assert report.step == STEP and report.ignored == 0 and report.unused == ()


@pytest.mark.parametrize(
    "direction, file",
    [
        ("tf1_own", f"model.ckpt-{STEP}.index"),
        ("own_tf1", f"model.ckpt-{STEP}.index"),
        ("own_safetensors", "model.safetensors"),
    ],
)
def test_what_a_result_holds(source, converted, direction, file):
    folder, report = converted[direction]
    assert (folder / file).is_file() and (folder / "vocab.txt").read_bytes() == (
        source / "vocab.txt"
    ).read_bytes()
    assert read_config(folder / "config.json") == read_config(source / "config.json")
    assert report.notes == ()
    assert f"converted: {VARIABLES} variables, {BYTES:,} bytes, global step {STEP}" in str(report)
    assert "0 optimizer variables" in str(report) and "not used: 0" in str(report)


def test_configs_are_written_for_their_reader(source, converted):
    ours, theirs = (
        json.loads((converted[name][0] / "config.json").read_text())
        for name in ("tf1_own", "own_tf1")
    )
    assert ours["box_unit"] == "pixel" and ours["matching_similarity"] is False
    assert set(theirs) == set(json.loads((source / "config.json").read_text()))


def test_step_and_kinds(converted):
    assert is_own_checkpoint(find_checkpoint(str(converted["safetensors_own"][0])))
    tensors = Tf1Checkpoint(converted["safetensors_tf1"][0] / f"model.ckpt-{STEP}")
    assert tensors.read("global_step") == STEP and tensors.dtypes["global_step"] == tf.int64
    metadata = SafetensorsFile(converted["own_safetensors"][0] / "model.safetensors").metadata
    assert metadata["global_step"] == str(STEP) and metadata["model_type"] == "kaleidobert"
    assert metadata["tasks"] == "rotation,jigsaw,camouflage,grey_to_color,blank_to_color"


def test_optimizer_slots_are_counted_and_left_out(tmp_path):
    prefix = training_checkpoint()
    report = convert(prefix, str(tmp_path / "x"), "tf1")
    assert (report.ignored, report.variables) == (2 * VARIABLES + 2, VARIABLES)
    assert report.step == checkpoint_step(prefix)
    assert "no vocab.txt there, so none was written" in report.notes
    assert len(Tf1Checkpoint(checkpoint_in(tmp_path / "x")).shapes) == VARIABLES + 1


def test_fashion_bert_goes_round(tmp_path):
    source = golden_folder() / "fashionbert_tiny"
    before = source
    for kind in ("own", "safetensors", "tf1"):
        report = convert(str(before), str(tmp_path / kind), kind)
        before = tmp_path / kind
    expected, written = (
        Tf1Checkpoint(checkpoint_in(source)),
        Tf1Checkpoint(checkpoint_in(tmp_path / "tf1")),
    )
    assert written.shapes == expected.shapes
    for name in expected.shapes:
        np.testing.assert_array_equal(written.read(name), expected.read(name))
    length = read_json(source / "config.json")["max_position_embeddings"]
    assert any(f"--input_sequence_length={length}" in note for note in report.notes)
    configs = [
        json.loads((folder / "config.json").read_text()) for folder in (tmp_path / "tf1", source)
    ]
    assert set(configs[0]) == set(configs[1])


@pytest.fixture(scope="module")
def departing(tmp_path_factory):
    """A run of a model that the original could not be: further weights, relative boxes, one kaleido
    task, a head that it was fine-tuned with."""
    folder = tmp_path_factory.mktemp("run")
    config = tiny_config(matching_similarity=True, patch_feature_norm="whiten")
    model = model_for_weights(config, ("jigsaw",))
    model.named_layers["similarity"].bias.assign(0.75)
    model.named_layers["feature_normalisation"].measure(
        np.random.default_rng(0).normal(size=[40, 5])
    )
    saved = tf.Module()
    saved.named_layers = {**model.named_layers, "further_dense": tf.Module()}
    saved.named_layers["further_dense"].bias = tf.Variable([1.0, 2.0])
    optimizer = tf.Module(name="optimizer")
    optimizer.rate = tf.Variable(0.5)
    step = tf.Variable(9, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(
        model=saved, step=step, optimizer=optimizer, means=tf.Variable(1.0)
    )
    tf.train.CheckpointManager(checkpoint, str(folder), 1, checkpoint_name="model.ckpt").save(
        checkpoint_number=9
    )
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    words = [*SPECIAL_TOKENS, *(f"w{number}" for number in range(config.vocab_size - 5))]
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words))
    return folder, {name: entry.variable.numpy() for name, entry in named_variables(model).items()}


def test_weights_of_ours_travel_in_safetensors(departing, tmp_path):
    folder, expected = departing
    report = convert(str(folder), str(tmp_path / "safe"), "safetensors")
    assert (
        report.ignored == 1
        and report.unused == ("means", "model/named_layers/further_dense/bias")
        and report.step == 9
    )
    file = SafetensorsFile(tmp_path / "safe" / "model.safetensors")
    own = {name for name in file.shapes if not name.startswith(SCOPE)}
    assert own == {
        f"named_layers/{name}"
        for name in (
            "similarity/log_scale",
            "similarity/bias",
            "feature_normalisation/mean",
            "feature_normalisation/spread",
            "feature_normalisation/directions",
        )
    }
    assert file.metadata["tasks"] == "jigsaw"
    convert(str(tmp_path / "safe"), str(tmp_path / "own"), "own")
    again = model_for_weights(read_config(tmp_path / "own" / "config.json"), ("jigsaw",))
    load_own_checkpoint(again, str(tmp_path / "own" / "model.ckpt-9"))
    for name, entry in named_variables(again).items():
        np.testing.assert_array_equal(entry.variable.numpy(), expected[name], err_msg=name)


def test_what_the_original_cannot_be_is_no_tf1_checkpoint(departing, tmp_path):
    folder, _ = departing
    with pytest.raises(
        InputError,
        match="the original has no named_layers/.*similarity/bias.* would compute other numbers",
    ):
        convert(str(folder), str(tmp_path / "tf1"), "tf1")
    convert(str(folder), str(tmp_path / "safe"), "safetensors")
    with pytest.raises(InputError, match="the original has no named_layers/"):
        convert(str(tmp_path / "safe"), str(tmp_path / "tf1"), "tf1")
    assert sorted(os.listdir(tmp_path)) == ["safe"]


def rewritten(converted, folder, config=None, metadata=None, **changes):
    """A copy of the golden model as safetensors with some tensors changed (None: left out), config
    keys changed.
    """
    source = converted["own_safetensors"][0]
    file = SafetensorsFile(source / "model.safetensors")
    tensors = {name: file.read(name) for name in file.shapes}
    tensors.update({SCOPE + name: array for name, array in changes.items()})
    tensors = {name: array for name, array in tensors.items() if array is not None}
    write_safetensors(folder / "model.safetensors", tensors, {**file.metadata, **(metadata or {})})
    content = json.loads((source / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, **(config or {})}))
    return folder


def test_departures_of_the_config_are_said(converted, tmp_path):
    settings = {
        "box_unit": "relative",
        "grey_target": "per_patch",
        "reconstruct_scale": 0.5,
        "hidden_gelu": "erf",
        "layer_norm_eps": 1e-5,
    }
    report = convert(
        str(rewritten(converted, tmp_path / "in", settings)), str(tmp_path / "out"), "tf1"
    )
    said = "\n".join(report.notes)
    assert (
        "box_unit is relative here: the original feeds raw pixels and will compute other numbers"
        in said
    )
    assert "grey_target is per_patch here" in said and "reconstruct_scale is 0.5 here" in said
    assert "hidden_gelu is erf here: the original approximates gelu" in said
    assert "layer_norm_eps is 1e-05 here" in said
    assert "box_unit" not in (tmp_path / "out" / "config.json").read_text()


def test_heads_that_were_not_trained_are_no_tf1_checkpoint(converted, tmp_path):
    folder = rewritten(
        converted,
        tmp_path / "in",
        metadata={"tasks": "rotation,camouflage,grey_to_color,blank_to_color"},
    )
    with pytest.raises(
        InputError,
        match="the original restores all heads, and this model was trained without those of jigsaw",
    ):
        convert(str(folder), str(tmp_path / "out"), "tf1")


def test_missing_and_wrong_weights_are_listed_and_nothing_is_written(converted, tmp_path):
    dense, more = "bert/pooler/dense", np.zeros(3, np.float32)
    hidden = read_json(kaleido_bert() / "config.json")["hidden_size"]
    changes = {
        f"{dense}/kernel": None,
        f"{dense}/bias": np.zeros(hidden - 1, np.float32),
        "bert/more": more,
    }
    folder = rewritten(converted, tmp_path / "in", **changes)
    message = (
        r"Not found: 1 \(\S*bert/pooler/dense/kernel\). "
        rf"Of another shape: 1 \(\S*bert/pooler/dense/bias needs \[{hidden}\], found"
        rf" \[{hidden - 1}\]\). Not used: 1"
        r" \(\S*bert/more\)"
    )
    with pytest.raises(InputError, match=message):
        convert(str(folder), str(tmp_path / "out"), "own")
    assert os.listdir(tmp_path) == ["in"]


def test_further_weights_are_named_and_not_counted(converted, tmp_path):
    folder = rewritten(converted, tmp_path / "in", **{"bert/more": np.zeros(3, np.float32)})
    report = convert(str(folder), str(tmp_path / "out"), "own")
    assert (
        report.unused == (SCOPE + "bert/more",)
        and report.variables == VARIABLES
        and report.num_bytes == BYTES
    )
    assert f"not used: 1\n    {SCOPE}bert/more" in str(report)


def test_config_from_elsewhere(source, tmp_path):
    for ending in (".index", ".data-00000-of-00001"):
        shutil.copy(checkpoint_in(source) + ending, tmp_path / f"m{ending}")
    report = convert(str(tmp_path / "m"), str(tmp_path / "bare"), "safetensors")
    assert any("no config.json there" in note for note in report.notes) and report.step == STEP
    with pytest.raises(InputError, match="A model needs its config.json. Not found: .*config.json"):
        convert(str(tmp_path / "m"), str(tmp_path / "own"), "own")
    with pytest.raises(
        InputError, match="--input_config must be a config.json. Not found: gone.json"
    ):
        convert(str(tmp_path / "m"), str(tmp_path / "own"), "own", "gone.json")
    convert(str(tmp_path / "m"), str(tmp_path / "full"), "safetensors", str(source / "config.json"))
    assert sorted(os.listdir(tmp_path / "full")) == [
        "config.json",
        "model.safetensors",
        "vocab.txt",
    ]


def test_inputs_that_are_none_or_too_many(converted, tmp_path):
    with pytest.raises(
        InputError, match="--input must be a checkpoint prefix .* Found at .*: nothing"
    ):
        convert(str(tmp_path), str(tmp_path / "out"), "own")
    with pytest.raises(
        InputError, match="--to must be one of own, tf1, safetensors, hf. Received: pickle"
    ):
        convert(str(converted["tf1_own"][0]), str(tmp_path / "out"), "pickle")
    with pytest.raises(InputError, match="--output must be a new folder"):
        convert(str(converted["tf1_own"][0]), str(converted["own_tf1"][0]), "tf1")
    for name in ("a", "b"):
        write_tf1_checkpoint(tmp_path / name, {"x": np.zeros(3)})
    os.remove(tmp_path / "checkpoint")
    with pytest.raises(InputError, match=r"holds 2 \(.*a, .*b\)"):
        convert(str(tmp_path), str(tmp_path / "out"), "safetensors")
    os.remove(tmp_path / "b.index")
    write_safetensors(tmp_path / "s.safetensors", {"x": np.zeros(3)}, {"global_step": "many"})
    with pytest.raises(
        InputError, match=r"One checkpoint or file of weights is needed.*a, .*s.safetensors"
    ):
        convert(str(tmp_path), str(tmp_path / "out"), "safetensors")
    with pytest.raises(InputError, match="`global_step` must be a whole number. Received: 'many'"):
        convert(str(tmp_path / "s.safetensors"), str(tmp_path / "out"), "tf1")
    assert not (tmp_path / "out").exists()


def test_a_step_in_the_name_counts_where_the_checkpoint_holds_none(tmp_path):
    write_tf1_checkpoint(tmp_path / "model.ckpt-37", {"x": np.zeros(3)})
    assert convert(str(tmp_path), str(tmp_path / "out"), "safetensors").step == 37


@pytest.mark.parametrize("direction", ["tf1_own", "tf1_safetensors", "golden"])
def test_text_side_is_the_same_from_every_kind(source, converted, tmp_path, direction):
    folder = source if direction == "golden" else converted[direction][0]
    report = convert(str(folder), str(tmp_path / "out"), "hf")
    checkpoint, written = (
        Tf1Checkpoint(checkpoint_in(source)),
        SafetensorsFile(tmp_path / "out" / "model.safetensors"),
    )
    assert written.metadata == {"format": "pt"} and len(written.shapes) == report.variables
    assert {*report.unused} < {*checkpoint.shapes} and report.notes == ()
    assert len(report.unused) == VARIABLES - report.variables
    np.testing.assert_array_equal(
        written.read("bert.encoder.layer.0.intermediate.dense.weight"),
        checkpoint.read(SCOPE + "bert/encoder/layer_0/intermediate/dense/kernel").T,
    )
    content = read_json(tmp_path / "out" / "config.json")
    assert content["model_type"] == "bert" and content["hidden_act"] == "gelu_new"
    with pytest.raises(InputError, match="--input must be a model of this project.* text encoder"):
        convert(str(tmp_path / "out"), str(tmp_path / "again"), "own")


def test_text_side_needs_config_vocabulary_and_fitting_weights(converted, tmp_path):
    folder = rewritten(converted, tmp_path / "in", {"hidden_size": 64})
    message = "A text encoder needs its vocab.txt. Not found: .*in/vocab.txt"
    with pytest.raises(InputError, match=message):
        convert(str(folder), str(tmp_path / "out"), "hf")
    shutil.copy(converted["own_safetensors"][0] / "vocab.txt", folder)
    with pytest.raises(InputError, match=r"does not have the sizes.*needs \[\d+, 64\], found"):
        convert(str(folder), str(tmp_path / "out"), "hf")
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match="A model needs its config.json"):
        convert(str(folder), str(tmp_path / "out"), "hf")
    assert not (tmp_path / "out").exists()


def test_fine_tuned_model_keeps_its_head_both_ways(tmp_path):
    """TF1 to ours, to safetensors, to TF1 again: the head, its task, and equal weights."""
    folder = recognition()
    meta, before = read_json(folder / "meta.json"), Tf1Checkpoint(checkpoint_in(folder))
    source = folder
    for kind in ("own", "safetensors", "tf1"):
        report = convert(str(source), str(tmp_path / kind), kind)
        listed = read_class_list(tmp_path / kind)
        assert (listed.task, listed.num_classes) == (meta["task"], meta["classes"])
        # The original's checkpoint also holds the heads of pre-training, which are not of it.
        assert all(meta["task"] not in name for name in report.unused)
        source = tmp_path / kind
    after = Tf1Checkpoint(checkpoint_in(tmp_path / "tf1"))
    assert f"{meta['task']}_dense/kernel" in after.shapes
    for name in after.shapes:
        np.testing.assert_array_equal(after.read(name), before.read(name), err_msg=name)


def test_head_needs_its_task_and_a_class_list_of_its_size(tmp_path):
    folder, task = recognition(), read_json(recognition() / "meta.json")["task"]
    convert(str(folder), str(tmp_path / "own"), "own")
    ClassList(task, "both", 3).write(tmp_path / "own")
    with pytest.raises(InputError, match=rf"a head of {task} with \d+ classes.*{task} with 3"):
        convert(str(tmp_path / "own"), str(tmp_path / "out"), "safetensors")
    (tmp_path / "own" / "classes.json").unlink()
    with pytest.raises(InputError, match="fine-tuned for recognition, and its classes.json or"):
        convert(str(tmp_path / "own"), str(tmp_path / "out"), "safetensors")
    (tmp_path / "own" / "flags.cfg").write_text(f"--task={task}\n")
    convert(str(tmp_path / "own"), str(tmp_path / "out"), "safetensors")


def test_vocabulary_is_held_against_config_and_weights(converted, tmp_path):
    folder = rewritten(converted, tmp_path / "in")
    source = (converted["own_safetensors"][0] / "vocab.txt").read_text()
    size = len(source.splitlines())
    (folder / "vocab.txt").write_text(source + "one_more\n")
    with pytest.raises(InputError, match=f"vocab.txt must have the {size} word pieces.*{size + 1}"):
        convert(str(folder), str(tmp_path / "out"), "own")
    first, second, *rest = source.splitlines(keepends=True)
    (folder / "vocab.txt").write_text("".join([*rest[-2:], first, second, *rest[:-2]]))
    with pytest.raises(InputError, match="was trained with another vocabulary than .*vocab.txt"):
        convert(str(folder), str(tmp_path / "out"), "own")
    (folder / "vocab.txt").write_text(source)
    convert(str(folder), str(tmp_path / "out"), "own")
