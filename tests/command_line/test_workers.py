"""What a worker that is not the chief finds and leaves; a run of two is in end_to_end."""

import json

import pytest
from absl import flags

from kaleido_tf.command_line.workers import as_worker, link_files
from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import write_whole
from kaleido_tf.training.cluster import WorkerConfig


def test_linked_files_are_read_and_never_written(tmp_path):
    (tmp_path / "run" / "eval").mkdir(parents=True)
    (tmp_path / "run" / "checkpoint").write_text("first")
    (tmp_path / "run" / "eval" / "events").write_text("seen")
    link_files(str(tmp_path / "run"), str(tmp_path / "mine"))
    assert (tmp_path / "mine" / "eval" / "events").read_text() == "seen"
    write_whole(tmp_path / "mine" / "checkpoint", "second")
    (tmp_path / "mine" / "eval" / "new").write_text("mine")
    assert (tmp_path / "run" / "checkpoint").read_text() == "first"
    assert sorted(path.name for path in (tmp_path / "run" / "eval").iterdir()) == ["events"]


def test_there_is_nothing_to_link_where_no_run_is(tmp_path):
    link_files(str(tmp_path / "none"), str(tmp_path / "mine"))
    assert list((tmp_path / "mine").iterdir()) == [] and not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "mode, records, folder",
    [("predict", "train", "model"), ("train", None, "model"), ("train", "train", None)],
)
def test_what_one_does_alone_is_refused(monkeypatch, mode, records, folder):
    values = flags.FlagValues()
    flags.DEFINE_string("mode", mode, "", flag_values=values)
    flags.DEFINE_string("train_input_fp", records, "", flag_values=values)
    flags.DEFINE_string("model_dir", folder, "", flag_values=values)
    values.mark_as_parsed()
    monkeypatch.setattr(flags, "FLAGS", values)
    cluster = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    monkeypatch.setattr("kaleido_tf.command_line.workers.read_settings", lambda _: WorkerConfig())
    with pytest.raises(InputError) as error, as_worker():
        pytest.fail("it was let in")
    assert f"Received: --mode={mode} for 2 workers" in str(error.value)
