"""A model exported by command, and asked in a process that knows nothing of this project."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from data_prep.catalogue.reading import read_catalogue
from data_prep.features.backbones import build_backbone
from data_prep.record_writing.patch_content import PatchContent
from data_prep.record_writing.product_records import write_records
from kaleido_tf.command_line.vector_model import VectorModel
from kaleido_tf.evaluation.candidates import Pairs
from kaleido_tf.evaluation.scoring import candidate_batches
from kaleido_tf.families import read_config
from kaleido_tf.records.shards import read_shard
from tests.drawn_catalogue import SETTINGS, write_catalogue
from tests.end_to_end.commands import ROOT, run
from tests.models_to_export import COMPARES, save, tiny

EXPORT = (ROOT / "pretrain_main.py", "--mode=export", "--predict_checkpoint_path=model")
RECORDS = ("--records=records/train", "--backbone_weights=random")
ASK = """
import json, sys
import numpy, tensorflow as tf, tensorflow_text
folder, asked, answers = sys.argv[1:]
ask = tf.saved_model.load(folder).signatures
asked = json.load(open(asked))
texts, files = tf.constant(asked["texts"]), [open(file, "rb").read() for file in asked["files"]]
photos = tf.constant(files)
found = {
    "text": ask["text"](texts=texts)["vector"],
    "photo": ask["photo"](photos=photos)["vector"],
    "one photo": ask["photo"](photos=photos[:1])["vector"],
    "score": ask["match"](texts=texts, photos=photos)["score"],
    "one score": ask["match"](texts=texts[:1], photos=photos[:1])["score"],
}
features, ids = ask["features"](photos=photos), ask["token_ids"](texts=texts)
hubness = ask["photo_match_hubness"](**features)["match_hubness"]
hubness += ask["text_match_hubness"](**ids)["match_hubness"]
found["again"] = ask["match_from_features"](**features, **ids, match_hubness=hubness)["score"]
assert not [name for name in sys.modules if name.startswith(("kaleido_tf", "data_prep"))]
numpy.savez(answers, **found)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Records of drawn products, and a model that compares."""
    folder = tmp_path_factory.mktemp("export")
    catalogue = read_catalogue(str(write_catalogue(folder / "shop").parent))
    backbone = build_backbone("squeezenet", "random")
    write_records(catalogue, "train", folder / "records", PatchContent(SETTINGS, backbone))
    sizes = {"patch_feature_size": 512, "vocab_size": 30522, "max_position_embeddings": 16}
    save(tiny(**COMPARES, **sizes, text_seq_len=13), folder / "model")
    return folder


def test_a_saved_model_answers_as_the_project_does(place, tmp_path):
    output = run(*EXPORT, *RECORDS, "--output_dir=exported", cwd=place)
    assert output.splitlines()[-1].startswith("exported: a SavedModel, described in signatures.j")
    said = json.loads((place / "exported" / "signatures.json").read_text())
    assert said["photos"]["foreground"] == "border" and said["text_length"] == 13
    moved = (place / "exported").rename(tmp_path / "elsewhere")
    model = VectorModel(str(place / "model"))
    assert said["model_digest"] == model.digest
    table = model.open_table(str(place / "records" / "train"))
    records = [record for file in table.files for record in read_shard(file)]
    (tmp_path / "asked.json").write_text(json.dumps(_asked(place)))
    arguments = [str(moved), "asked.json", "answers.npz"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-I", "-c", ASK, *arguments]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=300)
    found = np.load(tmp_path / "answers.npz")
    _compare(found, model, table, records)


def _asked(place):
    """Text and file of each photo of the records, in their order."""
    lines = (place / "shop" / "products.jsonl").read_text().splitlines()
    entries = [entry for entry in map(json.loads, lines) if entry["split"] == "train"]
    pairs = [
        (entry["description"], str(place / "shop" / name))
        for entry in entries
        for name in entry.get("images") or [entry["image"]]
    ]
    return dict(zip(("texts", "files"), zip(*pairs)))


def _compare(found, model, table, records):
    rows = table.texts
    texts = model.vectors.of_texts(table.sequences[rows], table.lengths[rows])
    features = np.stack([record.block("patch_features") for record in records])
    boxes = np.stack([record.boxes for record in records])
    photos = model.vectors.of_photos(features, boxes)
    count = len(records)
    same = Pairs(np.arange(count), np.arange(count), np.zeros(count) > 0, np.zeros(count, int))
    [batch] = candidate_batches(model.model, table, same, count)
    logits = model.model.matcher(batch, training=False).numpy()
    scores = logits[:, 1]
    for name, expected in (("text", texts), ("photo", photos), ("score", scores)):
        np.testing.assert_allclose(found[name], expected, atol=1e-3)
    np.testing.assert_allclose(found["one photo"], found["photo"][:1], atol=1e-5)
    np.testing.assert_allclose(found["one score"], found["score"][:1], atol=1e-4)
    np.testing.assert_allclose(found["again"], found["score"], atol=1e-4)


def test_bad_input_is_one_message_and_leaves_nothing(place):
    other = (RECORDS[0], "--backbone_weights=imagenet")
    for flags, message in (
        ((*other, "--output_dir=new"), "--backbone=squeezenet needs --backbone_weights=PATH"),
        (("--records=nowhere", "--output_dir=new"), "Nothing matches: 'nowhere'"),
        (("--output_dir=shop",), "--output_dir must be a new or an empty folder. Received: shop"),
        (("--backbone_weights=random", "--output_dir=new"), "--backbone_weights belongs to --rec"),
    ):
        output = run(*EXPORT, *flags, cwd=place, status=1)
        assert output.splitlines()[-1].startswith("error: ") and message in output
    assert not (place / "new").exists() and read_config(place / "model" / "config.json")
