"""TF1 checkpoints into our models: wholly for use, as far as they go for a start, never silently in
part.
"""

import json
import pathlib

import numpy as np
import pytest

from kaleido_tf.compat.checkpoints.checkpoint_names import original_variables
from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.compat.checkpoints.tf1_checkpoint import Tf1Checkpoint, write_tf1_checkpoint
from kaleido_tf.compat.checkpoints.weights import load_weights, model_for_weights
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_config
from tests.golden_files import checkpoint_in, golden_folder, kaleido_bert, training_checkpoint


@pytest.fixture(scope="module")
def golden():
    return kaleido_bert()


def new_model(golden, tasks=None):
    return model_for_weights(read_config(golden / "config.json"), tasks)


def tensors_of(prefix):
    checkpoint = Tf1Checkpoint(str(prefix))
    return {name: checkpoint.read(name) for name in checkpoint.shapes}


def arrays(model):
    return {
        name: entry.to_original(entry.variable.numpy())
        for name, entry in original_variables(model).items()
    }


def test_training_checkpoint_with_slots_is_read_and_they_are_counted(golden, capsys):
    model = new_model(golden)
    load_weights(model, training_checkpoint())
    final = np.load(pathlib.Path(training_checkpoint()).parent / "final_weights.npz")
    for name, array in arrays(model).items():
        np.testing.assert_array_equal(array, final[name])
    assert (
        f"{2 * len(final) + 2} variables of its optimizer are left alone" in capsys.readouterr().out
    )


def test_heads_that_the_model_has_not_are_reported(golden, capsys):
    load_weights(new_model(golden, tasks=("rotation", "jigsaw")), checkpoint_in(golden))
    assert (
        "not used: kaleido_bert_pre_trained_model/cls/img_blankmask/blanmask_output_weights"
        in capsys.readouterr().out
    )


def test_missing_variable_is_refused_and_nothing_changes(golden, tmp_path):
    tensors = tensors_of(checkpoint_in(golden))
    del tensors["kaleido_bert_pre_trained_model/bert/pooler/dense/bias"]
    write_tf1_checkpoint(tmp_path / "model.ckpt-1", tensors)
    model = new_model(golden)
    before = arrays(model)
    with pytest.raises(InputError, match="does not fit .* Not found: 1 .*bert/pooler/dense/bias"):
        load_weights(model, str(tmp_path / "model.ckpt-1"))
    for name, array in arrays(model).items():
        np.testing.assert_array_equal(array, before[name])


def test_start_from_googles_bert_takes_the_text_side(golden, tmp_path, capsys):
    """Their names are ours below the scope; embeddings, encoder, pooler and both text heads are
    theirs.
    """
    scope = "kaleido_bert_pre_trained_model/"
    bert = {
        name.removeprefix(scope): array
        for name, array in tensors_of(checkpoint_in(golden)).items()
        if name.startswith(scope)
    }
    bert = {
        name: array
        for name, array in bert.items()
        if "img_" not in name
        and "_embeddings/" not in name.replace("bert/embeddings/", "")
        and "position_dense" not in name
    }
    bert["bert/embeddings/word_embeddings/adam_m"] = bert["bert/embeddings/word_embeddings"]
    write_tf1_checkpoint(tmp_path / "bert_model.ckpt", bert)
    model = new_model(golden)
    random = arrays(model)
    load_start(model, str(tmp_path / "bert_model.ckpt"))
    after, loaded = arrays(model), 0
    for name, array in after.items():
        below = name.removeprefix(scope)
        expected = bert.get(below, random[name])
        loaded += below in bert
        np.testing.assert_array_equal(array, expected)
    output = capsys.readouterr().out
    # All of theirs but the slot.
    assert loaded == len(bert) - 1 and f"start: {loaded} of {len(after)} variables" in output
    assert "with random weights: bert/blank_embeddings/blankmaskEmbLayerNorm/beta" in output


def test_one_family_can_start_from_another(golden, capsys):
    model = new_model(golden)
    prefix = checkpoint_in(golden_folder() / "fashionbert_tiny")
    load_start(model, prefix)
    theirs = tensors_of(prefix)
    name = "bert/encoder/layer_0/output/dense/kernel"
    np.testing.assert_array_equal(
        arrays(model)[f"kaleido_bert_pre_trained_model/{name}"],
        theirs[f"image_bert_pre_trained_model/{name}"],
    )
    assert (
        "not used: image_bert_pre_trained_model/bert/image_embeddings/ImageEmbLayerNorm/beta"
        in capsys.readouterr().out
    )


def test_start_of_another_shape_or_of_nothing_is_refused(golden, tmp_path):
    config = json.loads((golden / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps({**config, "hidden_size": config["hidden_size"] // 2})
    )
    smaller = model_for_weights(read_config(tmp_path / "config.json"), None)
    with pytest.raises(
        InputError, match=r"does not fit .* Of another shape: \d+ .* needs .*, found "
    ):
        load_start(smaller, checkpoint_in(golden))
    write_tf1_checkpoint(tmp_path / "other.ckpt", {"weights": np.zeros([2, 3], np.float32)})
    with pytest.raises(InputError, match="needs the encoder's weights under BERT's names"):
        load_start(smaller, str(tmp_path / "other.ckpt"))
