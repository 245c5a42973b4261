"""Records, evidence, alignments and pictures with image networks from ONNX files, by command."""

import json

import numpy as np
import pytest

from tests.drawn_catalogue import write_catalogue
from tests.end_to_end.commands import run
from tests.onnx_networks import IMAGENET, PLAIN, Network

BACKBONE = ("--backbone_weights=net.onnx", "--backbone_preprocessing=net.json")
FOREGROUND = ("--foreground_weights=mask.onnx", "--foreground_preprocessing=mask.json")
WRITE = (
    "-m",
    "data_prep.write_kaleido_records",
    "--catalogue=shop",
    "--backbone=onnx",
    "--crop_size=80",
    "--split=train",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    write_catalogue(folder / "shop")
    Network(("class_tokens",), stride=16).save(folder / "net.onnx")
    said = {**IMAGENET, "map": {"output": "class_tokens", "tokens": "class_first"}}
    (folder / "net.json").write_text(json.dumps({**said, "multiple": 16}))
    darkness = np.full([1, 3, 1, 1], -1 / 3, np.float32)
    Network(("saliency",), kernel=darkness, stride=1).save(folder / "mask.onnx")
    said = {**PLAIN, "value_range": [0, 1], "size": 40, "mask_values": "min_max"}
    (folder / "mask.json").write_text(json.dumps(said))
    output = run(*WRITE, "--output_dir=records", *BACKBONE, *FOREGROUND, cwd=folder)
    assert "records/train: 7 records of 6 products" in output and "5 floats a patch" in output
    assert output.count("note: patches of") == 0  # 32 pixels at least are two cells
    return folder


def test_records_say_what_made_them(place):
    dataset = json.loads((place / "records" / "train" / "dataset.json").read_text())
    assert dataset["backbone"] == dataset["foreground"] == "onnx"
    assert dataset["backbone_preprocessing"]["map"]["leading"] == 1
    assert dataset["foreground_preprocessing"]["mask_values"] == "min_max"
    assert dataset["crops_kept_whole"] == 0
    again = run(*WRITE, "--output_dir=records", *BACKBONE, *FOREGROUND, cwd=place)
    assert "is complete already: nothing to do" in again
    said = json.loads((place / "net.json").read_text())
    (place / "other.json").write_text(json.dumps({**said, "mean": 0.5}))
    flags = (BACKBONE[0], "--backbone_preprocessing=other.json", *FOREGROUND)
    output = run(*WRITE, "--output_dir=records", *flags, cwd=place, status=1)
    assert "records made with other settings (backbone_digest: " in output
    assert "'mean': [0.5, 0.5, 0.5]" in output


def test_evidence_alignments_and_pictures_are_made_with_it(place):
    evidence = ("data_prep.train_word_evidence", "--records=records/train", "--model_dir=evidence")
    evidence = (*evidence, "--method=words")
    output = run("-m", *evidence, "--cells=5", *BACKBONE, cwd=place)
    assert "evidence/word_evidence.safetensors: evidence for" in output
    output = run("-m", *evidence, "--cells=5", BACKBONE[0], cwd=place, status=1)
    assert "Needed: --backbone_preprocessing=FILE.json" in output
    align = ("data_prep.write_alignments", "--records=records/train", "--evidence=evidence")
    output = run("-m", *align, *BACKBONE, cwd=place)
    assert "records/train: " in output and "of 7 records have aligned pairs" in output
    show = ("data_prep.show_product", "--records=records/train", "--product_id=P1")
    more = ("--evidence=evidence", "--input_sequence_length=24")
    output = run("-m", *show, *more, *BACKBONE, *FOREGROUND, cwd=place)
    assert "P1.png: " in output


@pytest.mark.parametrize(
    "flags, message",
    [
        (("--backbone_weights=shop/products.jsonl",), "an ONNX file"),
        ((BACKBONE[0],), "`channel_order` ("),
        ((*BACKBONE, "--patch_size=40"), "--patch_size of onnx must be native or at least 32"),
    ],
)
def test_nothing_is_written_where_flags_do_not_fit(place, flags, message):
    output = run(*WRITE, "--output_dir=nothing", *flags, cwd=place, status=1)
    assert output.count("error: ") == 1 and message in output
    assert not (place / "nothing").exists()
