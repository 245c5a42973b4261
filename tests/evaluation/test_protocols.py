import json
import re

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.protocols import count_result_file, direction_in_name
from kaleido_tf.evaluation.result_files import ResultFile, read_result_file
from tests.golden_files import golden_folder, predictions

ANALYSIS = golden_folder() / "prediction_analysis"
FILES = sorted(path.name for path in ANALYSIS.glob("*2*.txt"))
SCRIPTS = {
    "kaleido": "metrics_kaleidobert_script.json",
    "fashionbert_release": "metrics_fashionbert_script.json",
}
CASES = [(protocol, SCRIPTS[protocol], name) for protocol in SCRIPTS for name in FILES] + [
    (protocol, f"{folder}/metrics.json", f"{folder}/result_{direction}.txt")
    for protocol, folder in (
        ("kaleido", predictions("kaleidobert").name),
        ("fashionbert_release", predictions("fashionbert").name),
    )
    for direction in ("img2txt", "txt2img")
]


@pytest.mark.parametrize("protocol, figures, name", CASES)
def test_figures_of_the_released_scripts(golden_dir, protocol, figures, name):
    folder = golden_dir / "prediction_analysis"
    expected = json.loads((folder / figures).read_text())[name.split("/")[-1]]
    assert direction_in_name(name) == expected["type"]
    metrics = count_result_file(read_result_file(folder / name), expected["type"], protocol)
    for k, share in metrics.rank.items():
        assert share == pytest.approx(expected[f"rank@{k}"], abs=1e-9)
    assert metrics.accuracy == pytest.approx(expected["accuracy"], abs=1e-9)
    assert metrics.auc == pytest.approx(expected["auc"], abs=1e-9)
    if "queries" in expected:  # the scripts' runs from end to end kept no counts
        assert metrics.queries == expected["queries"] and metrics.examples == expected["examples"]
    if "candidates_per_query" in expected:
        sizes = list(expected["candidates_per_query"].values())
        assert metrics.candidates == (min(sizes), np.mean(sizes), max(sizes))


@pytest.mark.parametrize("direction", ["img2txt", "txt2img"])
def test_number_of_queries_that_the_script_printed(direction):
    folder = predictions("kaleidobert")
    printed = (folder / f"stdout_{direction}.txt").read_text()
    (counts,) = re.findall(r"Read Examples_cnt (\d+), Queries (\d+),", printed)
    metrics = count_result_file(
        read_result_file(folder / f"result_{direction}.txt"), direction, "kaleido"
    )
    assert [metrics.examples, metrics.queries] == [int(count) for count in counts]


def pairs(queries, labels, scores, batch_starts=(0,)):
    others = np.array([f"o{n}" for n in range(len(queries))], object)
    logits = np.stack([np.zeros(len(scores)), scores], axis=1)
    return ResultFile(
        others, np.array(queries, object), others, np.array(labels), logits, np.array(batch_starts)
    )


def test_default_counts_blanks_ties_and_shares_honestly():
    # The positive of `a` ties with the pair before it; ` b` is `b` for us and for Kaleido-BERT's
    # script.
    result = pairs(["a", "a", "b", " b"], [0, 1, 1, 0], [2.0, 2.0, 3.0, 1.0], batch_starts=(0, 2))
    honest = count_result_file(result, "img2txt")
    assert honest.queries == 2 and honest.rank[1] == 0.75 and honest.accuracy == 0.5
    kaleido = count_result_file(result, "img2txt", "kaleido")
    assert kaleido.queries == 2 and kaleido.rank[1] == pytest.approx(1 / 2.00001, abs=1e-12)
    assert kaleido.accuracy == pytest.approx(2 / 4.00001, abs=1e-12)
    release = count_result_file(result, "img2txt", "fashionbert_release")
    assert release.queries == 4 and release.rank[1] == pytest.approx(2 / 4.00001, abs=1e-12)


def test_only_kaleidos_script_drops_blanks_within_ids():
    result = pairs(["a b", "ab", "a b"], [1, 1, 0], [1.0, 1.0, 1.0])
    assert count_result_file(result, "img2txt").queries == 2
    assert count_result_file(result, "img2txt", "kaleido").queries == 1


def test_release_splits_queries_at_lines_only():
    result = pairs(["a", "a", "a", "a"], [1, 0, 0, 0], [1.0, 0.0, 0.0, 2.0], batch_starts=(0, 2))
    release = count_result_file(result, "img2txt", "fashionbert_release")
    assert release.queries == 2 and release.candidates == (2, 2.0, 2)  # pairs 0 and 2 begin lines
    assert count_result_file(result, "txt2img", "fashionbert_release").queries == 4


def test_direction_in_a_name():
    assert direction_in_name("eval_txt2img_results.txt") == "txt2img"
    assert (
        direction_in_name("results.txt") is None
        and direction_in_name("img2txt_txt2img.txt") is None
    )


def test_unknown_words_are_named():
    result = pairs(["a"], [1], [1.0])
    with pytest.raises(InputError, match="--type must be one of img2txt, txt2img. Received: img"):
        count_result_file(result, "img")
    with pytest.raises(InputError, match="--protocol must be one of average, .* Received: best"):
        count_result_file(result, "img2txt", "best")
