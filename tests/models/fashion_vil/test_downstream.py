"""Fine-tuned FashionViL against the release's own numbers (tests/golden/fashionvil_tiny)."""

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.models.fashion_vil.contrast import contrast
from kaleido_tf.models.fashion_vil.model import FashionVil
from kaleido_tf.models.fashion_vil.tasks import image_and_text
from tests.fashion_vil_golden import arrays, batch, config, weights
from tests.mvlt_state import as_released
from tests.torch_files import write_torch_file

STATES, LOSS = 1e-4, 1e-5


@pytest.fixture(scope="module")
def retriever(tmp_path_factory):
    """A model with the weights of the release's fine-tuned one, from its file."""
    folder, extra = tmp_path_factory.mktemp("tuned"), arrays("downstream_extra_weights")
    parts = ("image_encoder.", "model.bert.")
    state = {key: array for key, array in weights().items() if key.startswith(parts)}
    norm = "model.norm_layer.norm_s"
    write_torch_file(folder / "r.pth", as_released({**state, norm: extra[f"contrastive/{norm}"]}))
    model = FashionVil(config(), ())
    _ = model.matcher
    load_weights(model, str(folder / "r.pth"))
    return model


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
