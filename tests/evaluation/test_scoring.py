import json

import numpy as np
import pytest
import tf_keras

from data_prep.record_writing.candidates import CandidateSettings, draw_candidates, write_candidates
from kaleido_tf.data.record_table import read_images, read_record_table
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.candidates import Pairs, read_candidate_pairs
from kaleido_tf.evaluation.rank_metrics import DIRECTIONS
from kaleido_tf.evaluation.scoring import candidate_batches, score_batches
from kaleido_tf.families import build_model
from kaleido_tf.files.input_files import find_files
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.kaleido_bert.model import KaleidoBert
from kaleido_tf.patches import LEVEL_NAMES, level_slice
from kaleido_tf.records.record import GRIDS
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.run_config import DeviceConfig
from kaleido_tf.training.strategy import make_strategy
from tests import small_records
from tests.tiny_models import tiny_config


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = small_records.write(tmp_path_factory.mktemp("records"), 23, per_shard=5)
    write_candidates(*draw_candidates(read(folder), CandidateSettings(num_others=6)), folder)
    return folder


def read(folder):
    return read_record_table(find_files(str(folder)), Vocabulary(), 9, small_records.FEATURE_SIZE)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_pairs_follow_the_lists(folder, direction):
    table = read(folder)
    pairs = read_candidate_pairs(folder / f"candidates_{direction}.jsonl", direction, table)
    assert len(pairs.labels) == 23 * 7 and pairs.labels.sum() == 23
    own = table.product_ids[pairs.texts] == table.product_ids[pairs.images]
    np.testing.assert_array_equal(own, pairs.labels)
    query = pairs.images if direction == "img2txt" else pairs.texts
    assert (query.reshape(23, 7) == query.reshape(23, 7)[:, :1]).all()


def test_images_are_read_once_and_only_the_wanted(folder):
    table = read(folder)
    rows, features, boxes = read_images(table, np.array([7, 3, 7, 12]))
    assert features.shape == (3, 55, 6) and boxes.shape == (3, 55, 5)
    assert [n for n in range(23) if rows[n] >= 0] == [3, 7, 12]
    expected = small_records.fields_of(12)["patch_features"].astype(np.float16)
    np.testing.assert_array_equal(features[rows[12]], expected)


@pytest.mark.parametrize("replicas", [1, 2])
def test_scores_are_the_matchers_whatever_the_batches(folder, replicas):
    table = read(folder)
    pairs = read_candidate_pairs(folder / "candidates_img2txt.jsonl", "img2txt", table)
    strategy = make_strategy(DeviceConfig(worker_gpus=0, cpu_replicas=replicas))
    with strategy.scope():
        model = KaleidoBert(
            tiny_config(vocab_size=30522, patch_feature_size=6, initializer_range=0.3),
            (),
            text_length=9,
        )
        matcher = model.matcher
    batches = candidate_batches(model, table, pairs, 11 * replicas)
    logits = score_batches(matcher, strategy, batches, len(pairs.labels))
    assert logits.shape == (161, 2)
    _, features, boxes = read_images(table, np.arange(23))
    for number in (0, 11, 160):
        text, image = pairs.texts[number], pairs.images[number]
        ids = table.sequences[table.texts[text]][None]
        feed = {
            "input_ids": ids,
            "input_mask": (ids != 0).astype(np.int32),
            "segment_ids": np.zeros_like(ids),
        }
        for level in LEVEL_NAMES:
            feed[f"{level}_features"] = features[image][None, level_slice(level)].astype(np.float32)
            feed[f"{level}_boxes"] = boxes[image][None, level_slice(level)]
        np.testing.assert_allclose(logits[number], model.matcher(feed)[0], atol=1e-5)
    assert np.ptp(logits[:, 1]) > 1e-3


@pytest.mark.parametrize(
    "line, message",
    [
        ("{", r"candidates.jsonl line 1: needed \{query, positive, candidates\}"),
        ('{"query": "P000_1", "positive": "P000"}', "line 1: needed .*'candidates'"),
        ('{"query": "P000_1", "positive": "P000", "candidates": null}', "line 1: needed .*list"),
        ('{"query": "P000_1", "positive": ["P000"], "candidates": []}', "line 1: needed .*texts"),
        ("[" * 100_000, "line 1: needed .*JSON"),
        (
            '{"query": "nobody", "positive": "P000", "candidates": ["P000"]}',
            "line 1: 'nobody' is not in the records",
        ),
        (
            '{"query": "P000_1", "positive": "P000", "candidates": ["P000", "P999"]}',
            "line 1: 'P999' is not in the records",
        ),
        (
            '{"query": "P000", "positive": "P000_1", "candidates": ["P000_1"]}',
            r"\(is this the img2txt file of these records\?\)",
        ),
        ("", r"line 1: needed|holds none"),
    ],
)
def test_broken_candidate_files_are_named(folder, tmp_path, line, message):
    (tmp_path / "candidates.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=message):
        read_candidate_pairs(tmp_path / "candidates.jsonl", "img2txt", read(folder))


def test_missing_candidate_file_is_named(folder, tmp_path):
    with pytest.raises(
        InputError, match="write_retrieval_candidates.* are needed. Not found: .*gone.jsonl"
    ):
        read_candidate_pairs(tmp_path / "gone.jsonl", "img2txt", read(folder))


def test_byte_order_mark_is_no_part_of_the_first_list(folder, tmp_path):
    lists = folder / "candidates_img2txt.jsonl"
    (tmp_path / "marked.jsonl").write_bytes(b"\xef\xbb\xbf" + lists.read_bytes())
    marked, plain = (
        read_candidate_pairs(path, "img2txt", read(folder))
        for path in (tmp_path / "marked.jsonl", lists)
    )
    np.testing.assert_array_equal(marked.texts, plain.texts)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_candidates_of_the_truths_text_are_right(tmp_path, direction):
    """Lists made elsewhere: products 0 and 3 share a text, 6 does not."""
    change = {0: {"token_ids": [1037]}, 3: {"token_ids": [1037]}}
    small_records.write(tmp_path, 7, change=lambda n: change.get(n, {}))
    products, images = ["P000", "P003", "P006"], ["P000_1", "P003_1", "P006_1"]
    queries, candidates = (images, products) if direction == "img2txt" else (products, images)
    entry = {"query": queries[0], "positive": candidates[0], "candidates": candidates}
    (tmp_path / "lists.jsonl").write_text(json.dumps(entry))
    pairs = read_candidate_pairs(tmp_path / "lists.jsonl", direction, read(tmp_path))
    assert pairs.labels.tolist() == [True, True, False] and pairs.equal_texts == 1


@pytest.fixture(params=["float32", "mixed_bfloat16"])
def precision(request):
    tf_keras.mixed_precision.set_global_policy(request.param)
    yield request.param
    tf_keras.mixed_precision.set_global_policy("float32")


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("family", ["kaleidobert", "imagebert"])
def test_any_number_of_pairs_is_scored(folder, tmp_path, precision, replicas, family):
    """A single pair is what a served model is asked for most; 5 at batches of 4 leave one."""
    sizes = {"vocab_size": 30522, "patch_feature_size": 6, "initializer_range": 0.3}
    if family == "kaleidobert":
        config, records = tiny_config(**sizes), folder
    else:
        config = FashionBertConfig(
            hidden_size=12,
            num_hidden_layers=1,
            num_attention_heads=3,
            intermediate_size=20,
            max_position_embeddings=11,
            max_patch_position_embeddings=16,
            **sizes,
        )
        records = small_records.write(tmp_path / "grid", 7, layout=GRIDS[4])
    table = read(records)
    numbers = np.arange(5, dtype=np.int32)
    strategy = make_strategy(DeviceConfig(worker_gpus=0, cpu_replicas=replicas))
    with strategy.scope():
        model = build_model(config, (), 9)
        matcher = model.matcher
    scores = {}
    for count in (1, 2, 5):
        pairs = Pairs(numbers[:count], numbers[:count], np.ones(count, bool), numbers[:count])
        batches = candidate_batches(model, table, pairs, 4)
        scores[count] = score_batches(matcher, strategy, batches, count)
        assert scores[count].shape == (count, 2)
    np.testing.assert_allclose(scores[1][0], scores[5][0], atol=2e-2)
    np.testing.assert_allclose(scores[2], scores[5][:2], atol=2e-2)
