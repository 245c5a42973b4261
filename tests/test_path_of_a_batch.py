"""The files that a training batch passes, as docs/path_of_a_batch.md lists them."""

import pathlib
import re
import sys

import tensorflow as tf

from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.pipeline import read_row
from kaleido_tf.families import build_model, read_examples
from kaleido_tf.text import Vocabulary
from tests import small_records
from tests.tiny_models import tiny_config

ROOT = pathlib.Path(__file__).parents[1]
LARGEST = 20
BESIDE = {
    "text.py",
    "input_files.py",
    "dataset_json.py",
    "config.py",
    "errors.py",
    "patches.py",
    "record.py",
    "shared_photos.py",
}
"""Files that are asked for sizes and names on the way, or open what others read, and do not touch
the batch.
"""


def listed():
    text = (ROOT / "docs" / "path_of_a_batch.md").read_text()
    return re.findall(r"^\| \d+ \| `(.+?)` \|", text, re.M)


def test_the_path_is_short_and_its_files_exist():
    files = listed()
    assert len(files) == len(set(files)) <= LARGEST
    assert all((ROOT / file).is_file() for file in files)


def test_no_file_that_touches_a_batch_is_missing_from_the_list(tmp_path):
    folder = small_records.write(tmp_path / "records", 7)
    config = tiny_config(vocab_size=30522, patch_feature_size=small_records.FEATURE_SIZE)
    examples = read_examples(str(folder), ExamplesConfig(text_length=9), config, None, Vocabulary())
    passed = set()

    def note(frame, event, _):
        if event == "call":
            passed.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        drawn = next(examples.training_order().examples_of("P002_1"))
        example = examples.make_example(read_row(examples.table, drawn))
        model = build_model(config, None, 9)
        batch = {name: tf.repeat(value[None], 2, axis=0) for name, value in example.items()}
        model.total({name: pair.mean() for name, pair in model.losses(batch).items()})
    finally:
        sys.setprofile(None)
    ours = [path for path in map(pathlib.Path, passed) if path.is_relative_to(ROOT / "kaleido_tf")]
    passed = {str(path.relative_to(ROOT)) for path in ours if path.name not in BESIDE}
    assert len(passed) > 10
    assert passed <= set(listed())
