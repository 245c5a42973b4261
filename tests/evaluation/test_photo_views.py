"""Photos in several views: every pair with every view, and their mean."""

import numpy as np

from data_prep.record_writing.candidates import CandidateSettings, draw_candidates, write_candidates
from kaleido_tf.command_line.examples import pairs_of_candidates
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.evaluation.candidates import Pairs
from kaleido_tf.evaluation.photo_views import mean_over_views, pairs_of_views, photos_of
from kaleido_tf.evaluation.scoring import candidate_batches
from kaleido_tf.families import build_model
from kaleido_tf.files.input_files import find_files
from kaleido_tf.text import Vocabulary
from tests import small_records
from tests.tiny_models import tiny_config

CONFIG = tiny_config(
    vocab_size=30522, patch_feature_size=6, num_hidden_layers=1, initializer_range=0.3
)


def read(folder):
    return read_record_table(find_files(str(folder)), Vocabulary(), 9, small_records.FEATURE_SIZE)


def pairs_for(texts, images):
    return Pairs(np.array(texts), np.array(images), np.array([True, False, True]), np.arange(3))


def test_pairs_come_once_a_view_and_scores_are_averaged(tmp_path):
    """Seven records: the last of four photos has its plain view only."""
    table = read(small_records.write(tmp_path, 7, change=small_records.viewed))
    viewed, counts = pairs_of_views(table, pairs_for([4, 0, 2], [0, 6, 2]))
    assert counts.tolist() == [2, 1, 2]
    assert viewed.texts.tolist() == [4, 4, 0, 2, 2] and viewed.images.tolist() == [0, 1, 6, 2, 3]
    assert viewed.labels.tolist() == [True, True, False, True, True]
    assert viewed.lists.tolist() == [0, 0, 1, 2, 2]
    scores = np.array([[1, 2], [5, 4], [3, 9], [0, -1], [8, 0]], np.float32)
    means = mean_over_views(scores, counts)
    assert means.tolist() == [[3, 3], [3, 9], [4, -0.5]] and means.dtype == np.float32
    assert mean_over_views(scores[:, 1], counts).tolist() == [3, 9, -0.5]


def test_photos_in_one_view_are_scored_as_they_were(tmp_path):
    table = read(small_records.write(tmp_path, 7))
    pairs = pairs_for([4, 0, 2], [0, 6, 2])
    viewed, counts = pairs_of_views(table, pairs)
    for name in ("texts", "images", "labels", "lists"):
        np.testing.assert_array_equal(getattr(viewed, name), getattr(pairs, name))
    scores = np.random.default_rng(0).normal(size=[3, 2]).astype(np.float32)
    np.testing.assert_array_equal(mean_over_views(scores, counts), scores)


def test_photos_come_once_with_the_mean_of_their_views(tmp_path):
    """Seven records, of which the mirrored views stand before the plain ones; the last of four
    photos has its plain view only.
    """
    order = [1, 3, 0, 5, 2, 4, 6]
    table = read(small_records.write(tmp_path, 7, change=lambda n: small_records.viewed(order[n])))
    photos = photos_of(table)
    assert len(photos) == 4 and photos.plain.tolist() == [2, 4, 5, 6]
    scores = np.array([[1, 2], [3, 9], [5, 4], [2, 2], [0, -1], [4, 0], [7, 8]], np.float64)
    assert photos.mean(scores).tolist() == [[3, 3], [1.5, 4], [3, 1], [7, 8]]


def test_photos_of_one_name_in_two_sets_are_two(tmp_path):
    for name in "ab":
        small_records.write(tmp_path / name, 4, change=small_records.viewed)
    files = find_files(str(tmp_path / "a")) + find_files(str(tmp_path / "b"))
    table = read_record_table(files, Vocabulary(), 9, small_records.FEATURE_SIZE)
    assert photos_of(table).plain.tolist() == [0, 2, 4, 6]


def test_candidates_are_scored_with_both_views(tmp_path):
    """Against the records of each view alone, as if these were all there are."""
    folder = small_records.write(tmp_path / "two", 26, change=small_records.viewed)
    write_candidates(*draw_candidates(read(folder), CandidateSettings(num_others=2)), folder)
    scored = pairs_of_candidates(str(folder), "txt2img", 9, CONFIG, Vocabulary(), None)
    assert len(scored.labels) == 13 * 3 and scored.views.tolist() == [2] * 39
    model = build_model(CONFIG, (), 9)
    every = model.matcher(next(iter(scored.batches(model, 78)))).numpy()
    alone = []
    for view in (0, 1):

        def fields(number, view=view):
            return small_records.viewed(2 * number + view) | {"view": 0}

        table = read(small_records.write(tmp_path / str(view), 13, change=fields))
        number = {product: n for n, product in enumerate(table.product_ids)}
        sides = ([number[p] for p in ids] for ids in (scored.text_ids, scored.image_ids))
        pairs = Pairs(*map(np.array, sides), scored.labels, scored.queries)
        batch = next(iter(candidate_batches(model, table, pairs, 39)))
        alone.append(model.matcher(batch).numpy())
    assert np.abs(alone[0] - alone[1]).max() > 1e-3
    expected = (alone[0] + alone[1]) / 2
    np.testing.assert_allclose(mean_over_views(every, scored.views), expected, atol=1e-5)
