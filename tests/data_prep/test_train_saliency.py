"""The command trains, its file makes records, and bad input ends in one message."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from data_prep.foreground.saliency import load_saliency
from tests import drawn_photos
from tests.end_to_end.commands import run, run_anew

TINY = ("--width=1", "--side=32", "--epochs=2", "--batch_size=3")


def test_from_masks_to_records(tmp_path):
    photos, masks = drawn_photos.write(tmp_path, 5, foreground=3)
    command = (
        "-m",
        "data_prep.train_saliency",
        f"--images={photos}",
        f"--masks={masks}",
        "--mask_kind=label_map",
        "--model_dir=net",
        *TINY,
    )
    output = run(*command, cwd=tmp_path)
    assert (
        "4 photos to learn from, 1 held out" in output
        and "epoch 2/2: loss" in output
        and "beta^2 0.3, threshold 0.5" in output
    )
    weights = tmp_path / "net" / "saliency.safetensors"
    entry = {
        "product_id": "A",
        "image": "photos/p00.png",
        "title": "t",
        "description": "a thing",
        "category": "c",
        "subcategory": "s",
        "split": "train",
    }
    (tmp_path / "products.jsonl").write_text(json.dumps(entry) + "\n")
    records = (
        "-m",
        "data_prep.write_fashion_bert_records",
        "--grid=4",
        "--catalogue=products.jsonl",
        "--output_dir=records",
        "--backbone=squeezenet",
        "--backbone_weights=random",
        "--crop_size=64",
    )
    run(*records, "--foreground=unet", f"--foreground_weights={weights}", cwd=tmp_path)
    dataset = json.loads((tmp_path / "records" / "train" / "dataset.json").read_text())
    assert (
        dataset["foreground"] == "unet"
        and dataset["foreground_digest"] == load_saliency(weights).digest
    )
    # A folder of masks without --foreground stands for --foreground=masks, whatever the command's
    # default.
    output = run(
        *records, "--output_dir=other", f"--foreground_masks={masks}", cwd=tmp_path, status=1
    )
    assert output.count("error: ") == 1 and "Traceback" not in output
    assert "Needed: the mask A_1.png or A.png" in output


@pytest.mark.parametrize(
    "flags, message",
    [
        (("--images=gone", "--masks=masks"), "--images: a folder was needed. Received: gone"),
        (("--images=photos", "--masks=masks"), r"photo's size 45 x 56, .* Received: 9 x 5"),
    ],
)
def test_bad_input_ends_in_one_message(tmp_path, flags, message):
    _, masks = drawn_photos.write(tmp_path, 2)
    Image.fromarray(np.zeros((5, 9), np.uint8)).save(masks / "p01.png")
    output = run_anew(
        "-m", "data_prep.train_saliency", *flags, "--model_dir=net", *TINY, cwd=tmp_path, status=1
    )
    error = output[output.index("error: ") :]
    assert "Traceback" not in output and len(error.strip().splitlines()) == 1
    assert re.search(message, error)
    assert not (tmp_path / "net").exists()
