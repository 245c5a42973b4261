"""Static rows from records: what is written is what training would have drawn, and our reader reads
it back.
"""

import dataclasses
import json

import numpy as np
import pytest

from kaleido_tf.compat.rows import static_rows
from kaleido_tf.compat.rows.input_schema import parse_schema
from kaleido_tf.compat.rows.row_columns import row_format
from kaleido_tf.compat.rows.row_examples import RowExamples
from kaleido_tf.compat.rows.row_files import RowFiles
from kaleido_tf.compat.rows.static_rows import RowSettings, config_of_records, write_rows
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES, read_examples
from kaleido_tf.records.record import GRIDS, KALEIDO
from kaleido_tf.text import DEFAULT_VOCABULARY, Vocabulary
from tests import small_records

SETTINGS = RowSettings(rows_per_shard=7, examples=ExamplesConfig(text_length=9, seed=3))


def written(source, folder, settings=SETTINGS):
    return write_rows(str(source), str(DEFAULT_VOCABULARY), str(folder), settings)


def read_back(source, folder, kind):
    """All rows of a folder, as the trainer is given them."""
    config, schema = (
        config_of_records(str(source)),
        parse_schema((folder / "schema.txt").read_text().strip()),
    )
    form = row_format(schema, config, "pretraining", FAMILIES[config.model_type].model.TASKS)
    rows = RowFiles(str(folder / f"rows.list_{kind}"), schema)
    return next(RowExamples(rows, form, 1).evaluation_batches(999).as_numpy_iterator())


def test_rows_are_of_photos_as_they_are(tmp_path):
    change = small_records.viewed
    source = small_records.write(tmp_path / "records", 14, per_shard=4, change=change)
    result = written(source, tmp_path / "rows")
    assert (result["rows"], result["images"], result["other_views_left_out"]) == (7, 7, 7)
    plain = small_records.write(tmp_path / "plain", 7, per_shard=2)
    assert "other_views_left_out" not in written(plain, tmp_path / "plain_rows")
    (rows, plain_rows) = (
        sorted((tmp_path / name).glob("rows-*")) for name in ("rows", "plain_rows")
    )
    assert [path.read_bytes() for path in rows] == [path.read_bytes() for path in plain_rows]


@pytest.mark.parametrize(
    "layout, kind", [(KALEIDO, "csv"), (KALEIDO, "tfrecord"), (GRIDS[4], "csv")], ids=str
)
def test_rows_are_what_training_would_have_drawn(tmp_path, layout, kind):
    source = small_records.write(tmp_path / "records", 11, per_shard=4, layout=layout)
    result = written(
        source, tmp_path / "rows", dataclasses.replace(SETTINGS, format=kind, dupe_factor=2)
    )
    assert (result["rows"], result["images"], result["shards"]) == (22, 11, 4)
    config = config_of_records(str(source))
    drawn = read_examples(str(source), SETTINGS.examples, config, None, Vocabulary())
    expected = next(drawn.training_batches(22).as_numpy_iterator())
    got = read_back(source, tmp_path / "rows", kind)
    assert set(got) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)
    # The second time round the same images come with other masks.
    assert not np.array_equal(
        np.sort(got["masked_lm_positions"][:11], axis=0),
        np.sort(got["masked_lm_positions"][11:], axis=0),
    )


def test_alignments_decide_what_is_masked(tmp_path):
    """One pair, token 1 and the ninth patch of level 3: one of the two is always masked."""
    aligned = {"alignment_tokens": [1], "alignment_patches": [13], "alignment_scores": [0.9]}
    source = small_records.write(
        tmp_path / "records", 24, per_shard=9, change=lambda number: aligned
    )
    written(source, tmp_path / "rows", dataclasses.replace(SETTINGS, dupe_factor=3))
    rows = read_back(source, tmp_path / "rows", "csv")
    own = rows["next_sentence_label"] == 1
    token = (rows["masked_lm_positions"] == 2).any(axis=1)  # after [CLS]
    patch = rows["camouflage_label"] == 8
    assert own.sum() == 36 and (token | patch)[own].all()
    assert (token | patch)[~own].mean() < 0.6  # a foreign text has no alignments


def test_second_start_skips_whole_files(tmp_path, monkeypatch):
    source = small_records.write(tmp_path / "records", 11, per_shard=4)
    written(source, tmp_path / "whole")
    original, calls = static_rows._write_shard, []

    def stop_at_the_second(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(static_rows, "_write_shard", stop_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            written(source, tmp_path / "parts")
    with pytest.raises(
        InputError,
        match="parts is not complete .no list file.: start the command that writes it again",
    ):
        RowFiles(str(tmp_path / "parts"), parse_schema("a:int:1"))
    monkeypatch.setattr(static_rows, "_write_shard", lambda *a: (calls.append(a), original(*a)))
    written(source, tmp_path / "parts")
    assert len(calls) == 3  # of two files the first was there
    for path in sorted((tmp_path / "whole").iterdir()):
        assert path.read_bytes() == (tmp_path / "parts" / path.name).read_bytes()
    assert json.loads((tmp_path / "parts" / "rows.json").read_text())["rows"] == 11


def test_other_settings_or_records_are_refused(tmp_path):
    source = small_records.write(tmp_path / "records", 11, per_shard=4)
    written(source, tmp_path / "rows")
    with pytest.raises(
        InputError, match="made with other settings .*'seed': 3.* there, .*'seed': 4.* now"
    ):
        written(
            source,
            tmp_path / "rows",
            RowSettings(rows_per_shard=7, examples=ExamplesConfig(text_length=9, seed=4)),
        )
    other = small_records.write(tmp_path / "others", 12, per_shard=4)
    with pytest.raises(InputError, match="made with other settings .*data_digest"):
        written(other, tmp_path / "rows")
