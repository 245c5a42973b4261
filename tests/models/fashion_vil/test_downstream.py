"""Fine-tuned FashionViL against the release's own numbers (tests/golden/fashionvil_tiny)."""

import json

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.compat.checkpoints.checkpoint_names import original_variables
from kaleido_tf.compat.checkpoints.conversion import convert
from kaleido_tf.compat.checkpoints.weights import (
    find_weights,
    load_weights,
    open_weights,
    weights_of,
)
from kaleido_tf.evaluation.classification import macro_f1_of_those_met
from kaleido_tf.models.fashion_vil.contrast import contrast
from kaleido_tf.models.fashion_vil.model import FashionVil
from kaleido_tf.models.fashion_vil.tasks import image_and_text
from kaleido_tf.objectives.class_list import ClassList
from kaleido_tf.objectives.recognition import Classifier
from kaleido_tf.objectives.recognition_config import RecognitionConfig
from tests.fashion_vil_golden import arrays, batch, config, weights
from tests.mvlt_state import as_released, assert_same
from tests.tiny_fashion_vil import tiny_fashion_vil
from tests.torch_files import write_torch_file

STATES, LOSS = 1e-4, 1e-5
FROM_PIXELS = 2e-3
"""Of what comes of the ResNet, whose sums two libraries do not add up alike."""
PARTS = ("image_encoder.", "model.bert.")
CLASSES = 11


@pytest.fixture(scope="module")
def retriever(tmp_path_factory):
    """A model with the weights of the release's fine-tuned one, from its file."""
    model = FashionVil(config(), ())
    _ = model.matcher
    load_weights(model, released(tmp_path_factory.mktemp("tuned"), "contrastive"))
    return model


def released(folder, tag) -> str:
    """A fine-tuned model as the release saves it."""
    state = {key: array for key, array in weights().items() if key.startswith(PARTS)}
    for key, array in arrays("downstream_extra_weights").items():
        if key.startswith(f"{tag}/"):
            state[key.removeprefix(f"{tag}/")] = array
    write_torch_file(folder / "tuned.pth", as_released(state))
    (folder / "config.json").write_text(json.dumps(config().to_dict()))
    return str(folder / "tuned.pth")


def tokens(name="image"):
    return tf.constant(arrays("pretrain_outputs")[f"encoder/{name}_tokens"])


def test_contrast(retriever):
    expected = arrays("downstream_outputs")
    images, texts = image_and_text(retriever, tokens(), batch(), False)
    np.testing.assert_allclose(images, expected["contrastive/scores"], atol=STATES)
    np.testing.assert_allclose(texts, expected["contrastive/targets"], atol=STATES)
    loss = contrast(images, texts, batch()["input_ids"])["loss"].mean()
    assert float(loss) == pytest.approx(
        float(expected["contrastive/loss_contrastive_loss"][0]), rel=LOSS
    )


def test_several_photos_of_an_item(retriever):
    """Item by item, against one text each."""
    expected = arrays("downstream_outputs")
    views = tf.stack([tokens()[:4], tokens("dv_image")[:4]], axis=1)
    views = tf.reshape(views, [8, *views.shape[2:]])
    feed = {name: batch()[name][:4] for name in ("input_ids", "input_mask")}
    images, texts = image_and_text(retriever, views, feed, False)
    np.testing.assert_allclose(images, expected["contrastive_multiview/scores"], atol=STATES)
    np.testing.assert_allclose(texts, expected["contrastive_multiview/targets"], atol=STATES)


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory):
    """(the classifier with the weights of the release's, their file)."""
    path = released(tmp_path_factory.mktemp("classes"), "classification")
    model = Classifier(config(), "subcatepred", CLASSES, config().text_seq_len, unseen=0)
    load_weights(model, path)
    return model, path


def test_recognition(recogniser):
    model, expected = recogniser[0], arrays("downstream_outputs")
    backbone, scores = model.backbone, expected["classification/scores"]
    pooled = backbone.named_layers["pooler"](backbone.joint_states(batch(), tokens()))
    np.testing.assert_allclose(model.head(pooled), scores, atol=STATES)
    labels = expected["classification/labels"].astype(np.int32)
    found = model.losses({**batch(), "label": labels})
    assert float(found["classification_loss"].mean()) == pytest.approx(
        float(expected["classification/loss_cross_entropy"][0]), abs=FROM_PIXELS
    )
    accuracy = float(expected["classification/accuracy"])
    assert float(found["accuracy"].mean()) == pytest.approx(accuracy)
    macro = macro_f1_of_those_met(found["confusion"].total.numpy())
    assert macro == pytest.approx(float(expected["classification/macro_f1"]))
    np.testing.assert_allclose(model.logits(batch()), scores, atol=FROM_PIXELS)


def test_which_weights_of_recognition_move_faster(recogniser):
    model = recogniser[0]
    names = {id(entry.variable): name for name, entry in original_variables(model).items()}
    fast = {names[id(variable)] for variable in model.fast_variables}
    parts = ("image_encoder.", "model.bert.embeddings.projection.", "model.classifier.")
    assert fast == {n for v in model.trainable_variables if (n := names[id(v)]).startswith(parts)}
    settings = RecognitionConfig(freeze_encoder=True)
    frozen = Classifier(config(image_depths=(1, 1, 1, 1)), "catepred", 3, 5, settings)
    assert {id(v) for v in frozen.fast_variables} == {id(v) for v in frozen.head.weights}


def test_a_head_of_the_release_is_known_by_its_file(recogniser):
    """Without a class list it tells sub-categories apart, as in the release's config."""
    found = open_weights(recogniser[1])
    assert found.head == ClassList("subcatepred", "both", CLASSES)
    assert (found.tasks, found.heads) == ((), ())


def test_recognition_there_and_back(tmp_path):
    tiny, names = tiny_fashion_vil(), tuple(f"kind {number}" for number in range(CLASSES))
    model = Classifier(tiny, "catepred", CLASSES, tiny.text_seq_len)
    now = weights_of(model, "now", 0)
    state = {key: np.array(read()) for key, read in now.tensors.items()}
    assert {key for key in state if key.startswith("model.classifier.")} == {
        key.removeprefix("classification/")
        for key in arrays("downstream_extra_weights")
        if key.startswith("classification/")
    }
    folder = tmp_path / "release"
    folder.mkdir()
    write_torch_file(folder / "tuned.pth", as_released(state, "module."))
    (folder / "config.json").write_text(json.dumps(tiny.to_dict()))
    ClassList("catepred", "both", CLASSES, names, (1,) * CLASSES).write(folder)
    convert(str(folder), str(tmp_path / "own"), "own")
    convert(str(tmp_path / "own"), str(tmp_path / "st"), "safetensors")
    found = open_weights(find_weights(tmp_path / "st"))
    assert (found.head.task, found.head.names) == ("catepred", names)
    assert_same(found, state)
