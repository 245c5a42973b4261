"""Folders as runs and evaluations leave them, made by their writers but without any training; and a
catalogue of the products that they speak of.
"""

import json

import numpy as np
from PIL import Image

from kaleido_tf.evaluation.caption_report import (
    judge_captions,
    verdicts,
    write_caption_report,
    write_captions,
)
from kaleido_tf.evaluation.nearest_neighbours import Vote
from kaleido_tf.evaluation.rank_metrics import evaluate_retrieval
from kaleido_tf.evaluation.recognition_report import Evaluated, judge, recognition_content
from kaleido_tf.evaluation.recognition_yardstick import Yardstick
from kaleido_tf.evaluation.report import write_metrics
from kaleido_tf.evaluation.result_files import write_judged_predictions, write_result_file
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.training.metrics_log import MetricsLog

SCRIPT = "<script>alert(1)</script>"
TITLE = "<XL> & \"Dress\" 'A'"
PRODUCTS = ("P0", "P1", "P2", "P3", "P4")


def write_catalogue(folder):
    """Five products with a photo each; the first has marks of HTML in its title."""
    folder.mkdir()
    lines = []
    for number, product in enumerate(PRODUCTS):
        colour = (40 * number, 200, 30)
        Image.new("RGB", (200 + number, 300), colour).save(folder / f"{product}.png")
        title = TITLE if number == 0 else f"Skirt {number}"
        row = {"product_id": product, "image": f"{product}.png", "title": title, "category": "c"}
        lines.append(json.dumps(row) + "\n")
    (folder / "products.jsonl").write_text("".join(lines))


def write_settings(folder, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_type": "kaleidobert", "hidden_size": 24, "num_hidden_layers": 3, **changes}
    write_json(folder / "config.json", config)
    (folder / "flags.cfg").write_text("--task=<b>\n--num_epochs=7\n--noxla\n")


def write_losses(folder, tasks=("masked_lm", "rotation")):
    """Losses that fall from step to step; the last one of training was no number."""
    log = MetricsLog(folder / "metrics.jsonl", 0)
    for step in (2, 4, 6):
        losses = {f"{task}_loss": 3.0 / step + n for n, task in enumerate(tasks)}
        values = {"loss": sum(losses.values()), "mean_batch_loss": 1.0, **losses}
        log.write("train", step, values)
        if step > 2:
            log.write("eval", step, values)
    log.write("train", 8, {name: float("nan") for name in values})


def write_retrieval(path, queries=4, direction="txt2img"):
    """Lists of three; every second query is answered rightly."""
    labels = np.tile([1, 0, 0], queries)
    match = np.concatenate([[2.0 if n % 2 else -1.0, 1.0, 0.0] for n in range(queries)])
    logits = np.stack([-match, match], axis=1)
    ids = np.repeat([f"q{n}" for n in range(queries)], 3)
    write_metrics(path, evaluate_retrieval(ids, labels, logits), direction, "average")


def write_recognition(folder, classes=("<a>", "b", "c")):
    """Five examples; those of the first class are recognised, the others are taken for it."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.array([0, 0, 1, 1, 2])
    counts = tuple(range(len(classes) + 5, 5, -1))
    scores = np.full([5, len(classes)], 0.1)
    scores[:, 0] = [0.5, 0.7, 0.4, 0.8, 0.6]
    evaluated = Evaluated(labels, PRODUCTS, tuple(classes), counts)
    yardstick = Yardstick(np.array([0, 1, 1, 1, 2]), Vote(3, 10.0))
    said = scores.argmax(axis=1)
    settings = {"task": "subcatepred", "modalities": "image"}
    verdict = judge(evaluated, yardstick, said)
    content = recognition_content(evaluated, said, yardstick, verdict, settings)
    write_json(folder / "recognition.json", content)
    images = [f"{product}_1" for product in PRODUCTS]
    path = folder / "examples.jsonl"
    write_judged_predictions(path, PRODUCTS, images, labels, classes, scores)
    return content


def write_caption_results(folder):
    folder.mkdir(parents=True, exist_ok=True)
    references = [["a long red dress"], ["a skirt", "blue skirt"], ["one </li> coat"]]
    captions = {
        "model": ["a long red dress", "blue coat", f"one {SCRIPT} coat"],
        "nearest_photo": ["a short red dress", "a blue skirt", "two <u> coats"],
        "random_text": ["hats", "socks", "bags"],
    }
    judged = judge_captions(captions, references, "words")
    given = verdicts(judged["model"], judged["nearest_photo"], "words", PRODUCTS[:3])
    settings = {"task": "caption", "attention": "causal", "photos": "all"}
    write_caption_report(folder, judged, "words", given, PRODUCTS[:3], settings)
    columns = {
        "product_id": PRODUCTS[:3],
        "image_ids": [[f"{product}_1"] for product in PRODUCTS[:3]],
        "caption": captions["model"],
        "log_probability": np.array([-1.0, -2.0, -3.0]),
        "references": references,
        "cider_words": judged["model"].scores.cider,
        "nearest_photo": captions["nearest_photo"],
    }
    write_captions(folder / "captions.jsonl", columns)


def write_scored_pairs(path):
    """Each product's text with the photos of all: of P1 its own is second, of the others first."""
    count = len(PRODUCTS)
    texts, images = np.divmod(np.arange(count * count), count)
    scores = np.where(texts == images, 9.0 - texts, -1.0 * images)
    scores[(texts == 1) & (images == 1)] = -1.5
    names = np.array(PRODUCTS, object)
    photos = [f"{name}_1" for name in names[images]]
    logits = np.stack([np.zeros(count * count), scores], axis=1)
    write_result_file(path, names[texts], names[images], photos, texts == images, logits, 4)


def write_everything(folder):
    """Two runs of all kinds, `runs/one` and `runs/two`, and a catalogue, `shop`."""
    write_catalogue(folder / "shop")
    for name, sizes in (("runs/one", {}), ("runs/two", {"hidden_size": 48})):
        write_settings(folder / name, **sizes)
        write_losses(folder / name)
        write_recognition(folder / name / "evaluation")
        write_caption_results(folder / name / "evaluation")
    write_retrieval(folder / "runs/one" / "txt2img_retrieval_metrics.json")
    write_scored_pairs(folder / "runs/one" / "eval_txt2img_results.txt")
    (folder / "runs/two/ranks").mkdir()
    write_retrieval(folder / "runs/two/ranks/retrieval_metrics.json", queries=5)
