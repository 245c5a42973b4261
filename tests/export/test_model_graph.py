import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.evaluation.vectors import Vectors
from kaleido_tf.export.model_graph import ModelGraph
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from tests.models_to_export import COMPARES, photos_for, texts_for, tiny

KINDS = {
    "kaleido": (KaleidoBertConfig, {"matching_similarity": True}),
    "kaleido that compares": (KaleidoBertConfig, COMPARES),
    "kaleido that reads": (KaleidoBertConfig, {**COMPARES, "reads_comparison": True}),
    "fashion": (FashionBertConfig, {}),
    "fashion that compares": (FashionBertConfig, COMPARES),
}
PAIRS = 3


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    family, changes = KINDS[request.param]
    return tiny(family, **changes)


def inputs(model):
    ids = texts_for(model, PAIRS, model.text_length)
    texts = text_inputs(tf.constant(ids), tf.constant((ids > 0).sum(axis=1)))
    features, boxes = photos_for(model, PAIRS)
    return ids, features, boxes, texts, model.image_inputs(tf.constant(features), boxes)


def near(found, expected):
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


def test_vectors_and_their_hubness_are_the_projects(model):
    graph, (ids, features, boxes, *_) = ModelGraph(model, 0), inputs(model)
    vectors = Vectors(model)
    texts = vectors.of_texts(ids, (ids > 0).sum(axis=1).astype(np.int32))
    photos = vectors.of_photos(features, boxes)
    found = graph.text(ids), graph.photo(features, boxes)
    near(found[0]["vector"], texts)
    near(found[1]["vector"], photos)
    assert graph.corrects_hubs == vectors.corrects_hubs == model.compares
    if model.compares:
        near(found[0]["hubness"], vectors.hubness_of_texts(texts))
        near(found[1]["hubness"], vectors.hubness_of_photos(photos))


def test_scores_are_the_matchers(model):
    graph, (ids, features, boxes, texts, images) = ModelGraph(model, 0), inputs(model)
    feed = {**texts, **images}
    if model.compares:
        hubness = model.text_hubness(texts["input_ids"], texts["input_mask"])
        near(graph.text_hubness(ids), hubness)
        near(graph.photo_hubness(features, boxes), model.image_hubness(images))
        feed["comparison_hubness"] = hubness + model.image_hubness(images)
    logits = model.matcher(feed, training=False)
    found = graph.pair(ids, features, boxes)
    near(found["logits"], logits)
    near(found["score"], logits[:, 1])


def test_a_text_may_be_as_short_as_it_is(model):
    graph, (ids, features, boxes, *_) = ModelGraph(model, 0), inputs(model)
    short = np.where(np.arange(model.text_length) < 3, ids, 0)
    near(graph.text(short[:, :3])["vector"], graph.text(short)["vector"])
    whole = graph.pair(short, features, boxes)["score"]
    near(graph.pair(short[:, :3], features, boxes)["score"], whole)


def test_a_comparison_without_a_bank_corrects_nothing():
    graph = ModelGraph(fresh := tiny(**COMPARES), 0)
    assert graph.corrects_hubs
    fresh.named_layers["comparison"].bank_size.assign(0)
    empty = ModelGraph(fresh, 0)
    ids, features, boxes, *_ = inputs(fresh)
    assert set(empty.text(ids)) == {"vector"} and not empty.corrects_hubs
    near(empty.text_hubness(ids) + empty.photo_hubness(features, boxes), np.zeros(PAIRS))
    assert len(empty.word_ids) == fresh.config.vocab_size - 1
