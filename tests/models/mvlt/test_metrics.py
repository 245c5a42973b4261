"""What the release counts, on its own numbers."""

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.evaluation.classification import confusion_counts, f1_figures, macro_f1_of_those_met
from kaleido_tf.evaluation.protocols import count_result_file
from kaleido_tf.evaluation.report import report
from kaleido_tf.evaluation.result_files import ResultFile
from kaleido_tf.losses import ClassificationLoss, ImageReconstructionLoss, MaskedLanguageLoss
from kaleido_tf.models.mvlt.model import Mvlt
from tests import mvlt_golden
from tests.pixel_records import tiny_mvlt

GOLDEN = mvlt_golden.arrays("eval_metrics")


def result_of(logits):
    lists, size, _ = logits.shape
    queries = [f"q{n}" for n in np.repeat(np.arange(lists), size)]
    return ResultFile(
        text_ids=[f"t{n}" for n in range(lists * size)],
        image_ids=queries,
        image_file_ids=queries,
        labels=np.tile(np.arange(size) == 0, lists).astype(int),
        logits=np.log(tf.nn.softmax(logits).numpy()).reshape(-1, 2),
        batch_starts=np.array([0]),
    )


def test_ranks_of_the_release():
    logits = GOLDEN["retrieval/itm_logits"].astype(np.float64)
    metrics = count_result_file(result_of(logits), "img2txt", "mvlt_release")
    printed = GOLDEN["retrieval/printed_acc_divided_by_1000"]
    assert [metrics.rank[k] for k in (1, 5, 10)] == pytest.approx(printed.tolist())
    ours = count_result_file(result_of(logits), "img2txt")
    hits = GOLDEN["retrieval/hits_at_1_5_10"] / len(logits)
    assert [ours.rank[k] for k in (1, 5, 10)] == pytest.approx(hits.tolist())
    ranks = GOLDEN["retrieval/rank_of_candidate0"]
    assert ours.rank[10] == pytest.approx((ranks < 10).mean())


def test_a_true_pair_at_the_end_of_its_list_is_counted_as_if_it_came_first():
    """The release's lists begin with it, ours do not; a tie counts as found there."""
    logits = np.zeros([3, 5, 2])
    logits[2, 1:, 1] = 1  # found last
    first = result_of(logits)
    last = ResultFile(**{name: values[::-1] for name, values in vars(first).items()})
    for result in (first, last):
        metrics = count_result_file(result, "img2txt", "mvlt_release")
        assert metrics.rank[1] == pytest.approx(2 / 1000)
        assert metrics.chance[1] == pytest.approx(3 / 1000 / 5)
        low, high = metrics.interval[1]
        assert low < metrics.rank[1] < high < 3 / 1000


def test_the_honest_count_stands_beside_the_release_s():
    logits = np.zeros([3, 5, 2])
    text, content = report(result_of(logits), "img2txt", "mvlt_release")
    assert content["rank@1"] == pytest.approx(3 / 1000)
    assert content["honest"]["rank@1"] == pytest.approx(1 / 5)
    assert content["honest"]["protocol"] == "average"
    assert "divides hits by 1,000, and there are 3 queries" in text


def test_recognition_of_the_release():
    labels, predictions = GOLDEN["recognition/labels"], GOLDEN["recognition/preds"]
    accuracy, macro, micro, weighted = GOLDEN["recognition/accuracy_macroF1_microF1_weightedF1"]
    counts = confusion_counts(labels, predictions, 1 + max(labels.max(), predictions.max()))
    figures = f1_figures(counts, absent_classes=False)
    assert macro_f1_of_those_met(counts) == pytest.approx(macro)
    assert figures["micro_f1"] == pytest.approx(micro) == pytest.approx(accuracy)
    assert figures["weighted_f1"] == pytest.approx(weighted)


def test_a_class_that_is_predicted_by_mistake_lowers_the_release_s_mean_alone():
    counts = confusion_counts(np.array([0, 0, 1]), np.array([0, 2, 1]), 4)
    assert macro_f1_of_those_met(counts) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert f1_figures(counts, absent_classes=False)["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)


def test_psnr_of_the_release():
    first, second = (mvlt_golden.channels_last(GOLDEN[f"psnr/{name}"]) for name in "ab")
    error = ImageReconstructionLoss()(tf.constant(first), tf.constant(second))["squared_error"]
    figures = Mvlt(tiny_mvlt()).figures({"image_squared_error": [v.numpy() for v in error]})
    expected = float(np.squeeze(GOLDEN["psnr/value_as_original_PIXEL_MAX_255"]))
    assert figures["image_psnr"] + 20 * np.log10(255) == pytest.approx(expected, rel=1e-5)


def test_accuracies_of_the_release():
    logits, labels = (GOLDEN[f"mlm_acc/{name}"] for name in ("logits", "labels"))
    known = (labels >= 0).astype(np.float32)
    result = MaskedLanguageLoss()(logits, np.maximum(labels, 0), known)
    assert float(result["accuracy"].mean()) == pytest.approx(float(GOLDEN["mlm_acc/value"]))
    logits, labels = (GOLDEN[f"itm_acc/{name}"] for name in ("logits", "labels"))
    result = ClassificationLoss()(tf.constant(logits), labels.astype(np.int32))
    assert float(result["accuracy"].mean()) == pytest.approx(float(GOLDEN["itm_acc/value"]))
