"""The embedded default from its drawing to its three tasks, each in short and with a third of its
products (`small_sample.py`).
"""

import json
import re

import pytest

from tests.end_to_end.commands import ROOT, run, run_anew

COMMAND = ROOT / "tests" / "end_to_end" / "small_sample.py"
PRODUCTS, VALID = 320, 80
SHORT = ("--num_epochs=0.2", "--contrastive_epochs=2", "--comparison_epochs=5")


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """(folder, output) of the script with no input: draws, prepares, trains and scores; here for a
    part of an epoch after a short start.
    """
    folder = tmp_path_factory.mktemp("sample")
    return folder, run_anew(COMMAND, *SHORT, cwd=folder)


def test_embedded_default_in_short(sample):
    folder, output = sample
    # What a person reads begins with what the program says, and it says it once.
    assert output.startswith(f"drawing {PRODUCTS} products into sample_run/catalogue\n")
    assert output.count("this machine has 0 GPU(s)") <= 1 and "cuInit" not in output
    assert "contrastive start: epoch 2/2" in output
    assert "drawing" in output and "summary (chance beside each number)" in output
    for direction in ("img2txt", "txt2img"):
        assert re.search(rf"{direction}: {VALID} queries, 5 to 5", output)
    assert (folder / "sample_run" / "records" / "train" / "dataset.json").is_file()
    # Bare predict means the sample's model: it is there, so nothing is trained again.
    again = run(COMMAND, "--mode=predict", "--type=txt2img", *SHORT, cwd=folder)
    assert re.search(rf"txt2img: {VALID} queries", again) and "contrastive start" not in again
    assert "search_page --index=sample_run/model/index" in output.strip().splitlines()[-1]


def search(folder, *arguments, status=0):
    index = "--index=sample_run/model/index"
    return run("-m", "kaleido_tf.serving.search", index, *arguments, cwd=folder, status=status)


def found(output):
    """[(product, score)] of the table, and whether it tells probabilities."""
    lines = [line.split() for line in output.splitlines() if line[:1].isdigit()]
    told = "match" in output
    return [(line[2 + told], float(line[1])) for line in lines], told


def test_the_sample_is_searched_by_words_and_photos(sample):
    folder, _ = sample
    items = (folder / "sample_run/model/index/items.jsonl").read_text().splitlines()
    one = json.loads(items[7])
    photo = f"--image=sample_run/catalogue/images/{one['product_id']}.jpg"
    # Made anew from its photo, the features of a product are those of its record.
    by_photo, told = found(search(folder, photo, "--top=3"))
    assert by_photo[0][0] == one["product_id"] and not told
    assert by_photo[0][1] == pytest.approx(1, abs=2e-3)
    again, _ = found(search(folder, photo, "--top=2", "--rerank=3"))
    assert {product for product, _ in again} < {product for product, _ in by_photo}
    both, _ = found(search(folder, photo, f"--text={one['text']}", "--top=3"))
    assert both[0][0] == one["product_id"]
    sheet = ("--sheet=found.png", "--catalogue=sample_run/catalogue")
    words, told = found(search(folder, f"--text={one['text']}", "--rerank=20", "--top=4", *sheet))
    assert len(words) == 4 and told and (folder / "found.png").stat().st_size > 5_000
    nothing = search(folder, "--text=a red coat", "--min_probability=0.999")
    assert nothing.startswith("nothing found")
    (folder / "text.jpg").write_text("no photo")
    assert "text.jpg" in search(folder, "--image=text.jpg", status=1)


def finetune(folder, name, *arguments):
    """What `run_configs/sample_<name>.cfg` says and leaves, for fewer epochs."""
    output = run(
        ROOT / "finetune_main.py",
        f"--flagfile={ROOT}/run_configs/sample_{name}.cfg",
        f"--model_dir={name}",
        "--eval_every_epochs=9",
        *arguments,
        cwd=folder,
    )
    return output, folder / name / "evaluation"


def test_sub_categories_of_the_sample_are_learnt(sample):
    output, place = finetune(
        sample[0], "recognition", "--task=subcatepred", "--num_epochs=10", "--modalities=text"
    )
    result = json.loads((place / "recognition.json").read_text())
    assert result["examples"] == VALID and len(result["classes"]) == 16
    chance = max(entry["support"] for entry in result["classes"].values()) / VALID
    assert result["accuracy"] > chance + 0.4
    assert result["yardstick"]["accuracy"] > chance + 0.4
    assert output.strip().splitlines()[-1].startswith("verdict: macro-F1 of the yardstick ")


@pytest.mark.long  # test_captions.py learns them from fewer products
def test_captions_of_the_sample_are_learnt(sample):
    output, place = finetune(
        sample[0],
        "captioning",
        "--num_epochs=12",
        "--train_batch_size=8",
        "--beam_size=1",
        "--caption_words=words",
    )
    result = json.loads((place / "captions.json").read_text())
    assert result["products"] == VALID
    lines = [json.loads(line) for line in (place / "captions.jsonl").read_text().splitlines()]
    assert len({line["caption"] for line in lines}) > 20
    # More than other texts of training would reach by chance.
    assert result["cider_words"] > result["yardsticks"]["random_text"]["cider_words"] + 0.05
    assert re.search(r"^verdict: bleu_4_words of the yardstick ", output, re.M)
