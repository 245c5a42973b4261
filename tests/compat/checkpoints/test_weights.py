"""TF1 checkpoints into our models: wholly for use, as far as they go for a start, never silently in
part.
"""

import json

import numpy as np
import pytest

from kaleido_tf.compat.checkpoints.checkpoint_names import original_variables
from kaleido_tf.compat.checkpoints.tf1_checkpoint import Tf1Checkpoint, write_tf1_checkpoint
from kaleido_tf.compat.checkpoints.weights import load_start, load_weights, model_for_weights
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_config


@pytest.fixture(scope="module")
def golden(golden_dir):
    return golden_dir / "kaleidobert_tiny" / "ptv6"


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


def test_training_checkpoint_with_slots_is_read_and_they_are_counted(golden, golden_dir, capsys):
    model = new_model(golden)
    load_weights(model, str(golden_dir / "optimizer" / "adam_wd0" / "model.ckpt-12"))
    final = np.load(golden_dir / "optimizer" / "adam_wd0" / "final_weights.npz")
    for name, array in arrays(model).items():
        np.testing.assert_array_equal(array, final[name])
    assert (
        f"{2 * len(final) + 2} variables of its optimizer are left alone" in capsys.readouterr().out
    )


def test_heads_that_the_model_has_not_are_reported(golden, capsys):
    load_weights(new_model(golden, tasks=("rotation", "jigsaw")), str(golden / "model.ckpt-1000"))
    assert (
        "not used: kaleido_bert_pre_trained_model/cls/img_blankmask/blanmask_output_weights"
        in capsys.readouterr().out
    )


def test_missing_variable_is_refused_and_nothing_changes(golden, tmp_path):
    tensors = tensors_of(golden / "model.ckpt-1000")
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
        for name, array in tensors_of(golden / "model.ckpt-1000").items()
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
    assert loaded == 46 and f"start: 46 of {len(after)} variables" in output
    assert "with random weights: bert/blank_embeddings/blankmaskEmbLayerNorm/beta" in output


def test_one_family_can_start_from_another(golden, golden_dir, capsys):
    model = new_model(golden)
    load_start(model, str(golden_dir / "fashionbert_tiny" / "model.ckpt-1000"))
    theirs = tensors_of(golden_dir / "fashionbert_tiny" / "model.ckpt-1000")
    name = "bert/encoder/layer_1/output/dense/kernel"
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
    (tmp_path / "config.json").write_text(json.dumps({**config, "hidden_size": 16}))
    smaller = model_for_weights(read_config(tmp_path / "config.json"), None)
    with pytest.raises(
        InputError, match=r"does not fit .* Of another shape: \d+ .* needs .*, found "
    ):
        load_start(smaller, str(golden / "model.ckpt-1000"))
    write_tf1_checkpoint(tmp_path / "other.ckpt", {"weights": np.zeros([2, 3], np.float32)})
    with pytest.raises(InputError, match="needs the encoder's weights under BERT's names"):
        load_start(smaller, str(tmp_path / "other.ckpt"))
