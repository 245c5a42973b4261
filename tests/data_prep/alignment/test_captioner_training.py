"""A tiny captioner learns which cell shows what, goes on where it was stopped, and refuses what
does not belong together.
"""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from data_prep.alignment import captioner_training, evidence_training
from data_prep.alignment.captioner_training import TrainSettings, batches_of, train
from data_prep.alignment.show_attend_tell import load_captioner
from data_prep.features.backbones import build_backbone
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.caption_metrics import bleu_4, words_in
from kaleido_tf.records.record import GRIDS
from kaleido_tf.text import Tokenizer, Vocabulary
from tests import small_records
from tests.tiny_captioner import TRAINING


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_texts_of_photos_are_learnt(captioner_run):
    folder, best = captioner_run
    assert [line["step"] for line in lines(folder)] == list(range(1, 41)) and set(
        lines(folder)[0]
    ) == {"kind", "step", "loss", "valid_loss", "bleu_4"}
    assert lines(folder)[-1]["valid_loss"] < 0.4 * lines(folder)[0]["valid_loss"]
    assert best["bleu_4"] == max(line["bleu_4"] for line in lines(folder)) > 50
    network = load_captioner(folder / "captioner.safetensors").settings
    assert (network.cells, network.channels, network.backbone, network.longest) == (
        3,
        512,
        "squeezenet",
        9,
    )
    tags = {
        value.tag
        for path in (folder / "logs").iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    assert {"loss", "valid_loss", "bleu_4", "caption/0", "caption/5"} <= tags


def test_killed_run_ends_as_one_that_was_not(train_captioner, captioner_run, tmp_path, monkeypatch):
    learn, epochs = captioner_training._Run._train_epoch, []

    def killed(self, epoch):
        epochs.append(epoch)
        if len(epochs) == 3:
            raise KeyboardInterrupt
        return learn(self, epoch)

    monkeypatch.setattr(captioner_training._Run, "_train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        train_captioner(tmp_path / "model")
    monkeypatch.setattr(evidence_training, "fit", lambda *_, **__: pytest.fail("fitted again"))
    best = train_captioner(tmp_path / "model")
    assert epochs == [1, 2, 3, *range(3, 41)]
    assert lines(tmp_path / "model") == lines(captioner_run[0]) and best == captioner_run[1]
    ours, theirs = (
        load_captioner(folder / "captioner.safetensors").digest
        for folder in (tmp_path / "model", captioner_run[0])
    )
    assert ours == theirs


def test_complete_run_is_left_alone_and_another_is_refused(
    train_captioner, captioner_run, monkeypatch
):
    folder, best = captioner_run
    monkeypatch.setattr(
        captioner_training._Run, "_train_epoch", lambda *_: pytest.fail("trained again")
    )
    assert train_captioner(folder) == best
    with pytest.raises(
        InputError, match="holds a run with other settings or records .units: 20 there, 21 now"
    ):
        train_captioner(folder, units=21)


def test_other_backbone_and_records_are_refused(captioner_records, tmp_path, squeezenet):
    other = build_backbone("squeezenet", "random", seed=7)
    with pytest.raises(
        InputError,
        match=(
            f"holds features of squeezenet with weights {squeezenet.digest[:12]}.*Received:"
            f" squeezenet with weights {other.digest[:12]}"
        ),
    ):
        train(
            str(captioner_records), str(captioner_records), str(tmp_path / "model"), other, TRAINING
        )
    grid = small_records.write(tmp_path / "grid", 5, layout=GRIDS[4])
    with pytest.raises(InputError, match="Captions are of the crops of kaleido records.* grid_4x4"):
        train(str(grid), str(grid), str(tmp_path / "model"), squeezenet, TRAINING)


def test_records_of_other_crops_are_refused_and_foreign_maps_noticed(
    captioner_records, captioner_run, squeezenet, tmp_path
):
    other = tmp_path / "records"
    shutil.copytree(captioner_records, other)
    dataset = json.loads((other / "dataset.json").read_text())
    (other / "dataset.json").write_text(json.dumps({**dataset, "foreground": "none"}))
    with pytest.raises(
        InputError,
        match=(
            "holds a run with other settings or records .*'foreground': 'border'.*'foreground':"
            " 'none'"
        ),
    ):
        train(str(other), str(captioner_records), str(captioner_run[0]), squeezenet, TRAINING)
    shutil.copytree(captioner_run[0] / "maps", tmp_path / "model" / "maps")
    first = sorted((tmp_path / "model" / "maps" / "valid").glob("*.npy"))[0]
    np.save(first, np.load(first)[:-1])
    with pytest.raises(
        InputError, match="valid holds maps of 7 photos, .* 8 records: delete that folder"
    ):
        train(
            str(captioner_records),
            str(captioner_records),
            str(tmp_path / "model"),
            squeezenet,
            TRAINING,
        )


def test_first_try_that_fails_claims_nothing(captioner_records, squeezenet, tmp_path):
    for change, message in (
        ({"catalogue": str(tmp_path / "nowhere")}, "photos behind"),
        ({"settings": dataclasses.replace(TRAINING, cells=99)}, "99 x 99 cells"),
    ):
        with pytest.raises(InputError, match=message):
            train(
                str(captioner_records),
                str(captioner_records),
                str(tmp_path / "model"),
                squeezenet,
                **{"settings": TRAINING, **change},
            )
    assert not (tmp_path / "model").exists()


def test_batches_hold_everything_once_with_like_lengths_together():
    lengths = np.random.default_rng(1).integers(3, 60, 101).tolist()
    batches = batches_of(lengths, 4, np.random.default_rng(2))
    assert sorted(np.concatenate(batches)) == list(range(101)) and max(map(len, batches)) == 4
    spread = np.mean([np.ptp([lengths[n] for n in batch]) for batch in batches])
    assert spread < 0.4 * np.mean(
        [np.ptp([lengths[n] for n in range(i, i + 4)]) for i in range(0, 96, 4)]
    )
    assert [list(batch) for batch in batches] != [
        list(batch) for batch in batches_of(lengths, 4, np.random.default_rng(3))
    ]


def test_bleu():
    assert bleu_4(
        ["a red dress with long sleeves"], ["a red dress with long sleeves"]
    ) == pytest.approx(100)
    # 5 of 6 words, 3 of 5 pairs, 2 of 4 triples, 1 of 3 quadruples
    assert bleu_4(
        ["a red dress with long sleeves"], ["a red dress with short sleeves"]
    ) == pytest.approx(100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    vocabulary = Vocabulary()
    assert (
        words_in(Tokenizer(vocabulary)(["A jetted, pleated skirt."])[0], vocabulary)
        == "a jetted pleated skirt"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"bleu_photos": 0},
        {"units": 0},
        {"dropout": 1.0},
        {"learning_rate": 0.0},
        {"regularizer": -0.1},
    ],
)
def test_settings_out_of_range(change):
    with pytest.raises(InputError, match=f"--{next(iter(change))} must be "):
        TrainSettings(**change)
