"""From a trained model to found products, from the command line: index, searches, and the recall of
the whole gallery.
"""

import json
import pathlib
import shutil

import numpy as np
import pyarrow.parquet
import pytest

from kaleido_tf.files.json_files import read_json_object
from tests import small_records
from tests.end_to_end.commands import ROOT, run

SIZES = {
    "model_type": "kaleidobert",
    "hidden_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 20,
    "max_position_embeddings": 14,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.1,
    "patch_feature_norm": "standard",
    "comparison_size": 8,
    "comparison_tower_size": 10,
    "comparison_members": 2,
    "comparison_bank": 15,
    "comparison_neighbours": 3,
}
PRODUCTS = 23
RED = [f"P{n:03d}" for n in range(PRODUCTS) if n % 8 in (0, 6)]
"""Red, and pink, which these records show by the same feature."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Records in two views, a model that compares, and its index."""
    folder = tmp_path_factory.mktemp("search")
    small_records.write(folder / "train", 41)
    small_records.write(folder / "valid", 2 * PRODUCTS, per_shard=10, change=small_records.viewed)
    small_records.name_classes(folder / "valid")
    lines = [
        {"product_id": f"P{n:03d}", "title": "other", "colour": small_records.COLOURS[n % 8]}
        for n in range(PRODUCTS)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "products.jsonl").write_text(text)
    (folder / "model.json").write_text(json.dumps(SIZES))
    run(
        ROOT / "pretrain_main.py",
        "--mode=train",
        "--train_input_fp=train",
        "--input_sequence_length=9",
        "--train_batch_size=3",
        "--comparison_epochs=60",
        "--num_epochs=0.2",
        "--kaleido_tasks=rotation",
        "--seed=2",
        "--model_config=model.json",
        "--model_dir=model",
        cwd=folder,
    )
    output = embed(folder)
    assert output.strip().splitlines()[-1].startswith(f"index: {PRODUCTS} photos of {PRODUCTS}")
    return folder


def embed(folder, *more, status=0):
    arguments = ("--records=valid", "--model=model", "--output_dir=index")
    fields = "--fields=products.jsonl"
    command = ("-m", "kaleido_tf.serving.embed", *arguments, fields, *more)
    return run(*command, cwd=folder, status=status)


def search(folder, *arguments, status=0):
    command = ("-m", "kaleido_tf.serving.search", "--index=index", *arguments)
    return run(*command, cwd=folder, status=status)


def found(output):
    """[(product, score)] of the table."""
    lines = [line.split() for line in output.strip().splitlines()]
    header = next(n for n, line in enumerate(lines) if line[:2] == ["score", "product_id"])
    return [(line[2], float(line[1])) for line in lines[header + 1 :]]


def test_the_index_holds_a_photo_once_and_its_fields(prepared):
    manifest = read_json_object(prepared / "index" / "manifest.json")
    assert manifest["count"] == PRODUCTS and manifest["corrected_for_hubs"] is True
    vectors = np.load(prepared / "index" / "embeddings.npy")
    assert vectors.shape == (PRODUCTS, 20)
    assert np.linalg.norm(vectors.astype(float), axis=1) == pytest.approx(1, abs=1e-3)
    first = json.loads((prepared / "index" / "items.jsonl").read_text().splitlines()[0])
    assert first["colour"] == "red" and first["subcategory"] == "dress"
    assert first["title"] == "dress 0"  # the records', not the other file's
    table = pyarrow.parquet.read_table(prepared / "index" / "embeddings.parquet")
    assert table.num_rows == PRODUCTS and "colour" in table.column_names


def test_words_find_what_they_say(prepared):
    products = found(search(prepared, "--text=a red dress", "--top=3"))
    assert len(products) == 3
    scores = [score for _, score in products]
    assert scores == sorted(scores, reverse=True)
    assert products[0][0] in RED
    filtered = found(search(prepared, "--text=a red dress", "--filter=colour=blue", "--top=9"))
    assert {product for product, _ in filtered} == {"P001", "P009", "P017"}
    flat = search(prepared, "--text=a red dress", "--top=3", "--engine=flat")
    assert found(flat) == products


def test_a_product_finds_others_like_it(prepared):
    products = found(search(prepared, "--like=P008", "--top=2"))
    assert "P008" not in dict(products)
    assert products[0][0] in RED


def test_bad_input_is_refused(prepared):
    assert "are needed. Received: none of them" in search(prepared, status=1)
    both = search(prepared, "--text=red", "--like=P008", status=1)
    assert "Received: text and like" in both
    assert "Words are needed" in search(prepared, "--text= ", status=1)
    unknown = search(prepared, "--text=\u0e01\u0e02", status=1)
    assert "A text with a word that the model knows" in unknown
    assert "A product of the index is needed. Received: X" in search(prepared, "--like=X", status=1)
    many = search(prepared, "--text=red", "--top=99", status=1)
    assert "99" in many and str(PRODUCTS) in many
    assert "colour" in search(prepared, "--text=red", "--filter=color=red", status=1)
    again = embed(prepared, "--dtype=float32", status=1)
    assert "another --output_dir" in again and "float32" in again


def change(folder, *arguments, status=0):
    command = ("-m", "kaleido_tf.serving.change_index", "--index=changed", *arguments)
    return run(*command, cwd=folder, status=status)


def test_products_are_taken_out_replaced_and_added(prepared):
    shutil.copytree(prepared / "index", prepared / "changed")
    assert f"{PRODUCTS - 2} photos of {PRODUCTS - 2} products" in change(
        prepared, "--delete=P000,P008"
    )
    assert "Not there: P000" in change(prepared, "--delete=P000", status=1)
    shard = sorted((prepared / "valid").glob("records-*"))[0]  # P000 to P004 in two views
    assert f"{PRODUCTS - 1} photos" in change(prepared, f"--add={shard}", "--compact")
    table = pyarrow.parquet.read_table(prepared / "changed" / "embeddings.parquet")
    assert table.num_rows == PRODUCTS - 1
    manifest = read_json_object(prepared / "changed" / "manifest.json")
    assert manifest["deleted"] == 0 and len(manifest["segments"]) == 1
    # Products that came later are found in their records, too.
    again = found(
        search(prepared, "--index=changed", "--text=a red dress", "--top=2", "--rerank=9")
    )
    assert len(again) == 2
    assert "At least one of --delete, --add, --compact" in change(prepared, status=1)
    # What is refused changes nothing, whatever else was asked beside it.
    before = (prepared / "changed" / "source.json").read_text()
    assert "Nothing matches" in change(prepared, "--delete=P001", "--add=nowhere", status=1)
    assert read_json_object(prepared / "changed" / "manifest.json") == manifest
    assert (prepared / "changed" / "source.json").read_text() == before
    # Records that are added again are the ones that count.
    change(prepared, "--add=valid")
    change(prepared, f"--add={shard}")
    records = read_json_object(prepared / "changed" / "source.json")["records"]
    assert [pathlib.Path(path).name for path in records] == ["valid", shard.name]
    gone = search(
        prepared, "--index=changed", "--records=gone", "--text=red", "--rerank=12", status=1
    )
    assert "The records of the index are needed" in gone and "or --records says" in gone
    many = search(prepared, "--text=red", "--rerank=24", status=1)
    assert f"At most the {PRODUCTS} products of the index can be scored again" in many


def test_another_model_is_refused(prepared):
    shutil.copytree(prepared / "model", prepared / "other")
    config = read_json_object(prepared / "other" / "config.json")
    config["initializer_range"] = 0.2
    (prepared / "other" / "config.json").write_text(json.dumps(config))
    refused = search(prepared, "--text=red", "--model=other", status=1)
    assert "The model that the index was made with is needed" in refused
    refused = change(prepared, "--add=valid", "--model=other", status=1)
    assert "needs vectors of the model" in refused
    assert "other" not in (prepared / "changed" / "source.json").read_text()


def test_the_whole_gallery_is_ranked_both_ways(prepared):
    command = (ROOT / "pretrain_main.py", "--mode=predict", "--protocol=full", "--rerank=4")
    given = ("--predict_input_fp=valid", "--predict_checkpoint_path=model", "--output_dir=ranked")
    output = run(*command, *given, cwd=prepared)
    content = read_json_object(prepared / "ranked" / "gallery_retrieval.json")
    assert list(content) == ["vectors", "corrected", "reranked_4"]
    for way, figures in content.items():
        for direction in ("img2txt", "txt2img"):
            one = figures[direction]
            assert one["full_queries"] == one["full_gallery"] == PRODUCTS
            assert one["full_recall_at_1"] > 3 / PRODUCTS  # thrice chance
            recall = f"{100 * one['full_recall_at_1']:.1f}"
            assert f"{way}, {direction}: {PRODUCTS} queries" in output and recall in output
    # Nothing but the order of the first four can change.
    corrected, again = content["corrected"]["img2txt"], content["reranked_4"]["img2txt"]
    assert corrected["full_recall_at_10"] == pytest.approx(again["full_recall_at_10"])
    assert corrected["full_median_rank"] < PRODUCTS / 4
    shards = sorted(str(path) for path in (prepared / "valid").glob("records-*"))
    some = run(*command, *given, f"--queries={shards[0]}", cwd=prepared)
    assert f"vectors, img2txt: 5 queries in a gallery of {PRODUCTS}" in some
    refused = run(*command, *given, "--rerank=24", cwd=prepared, status=1)
    assert "--rerank must be at most the gallery, 23. Received: 24" in refused
