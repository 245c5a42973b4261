"""The release's model of recognition, whose two heads lie in one file, evaluated as it is."""

import json

import numpy as np
import pytest

from kaleido_tf.compat.checkpoints.conversion import convert
from kaleido_tf.compat.checkpoints.filling import fill
from kaleido_tf.compat.checkpoints.fine_tuned import classifier_for
from kaleido_tf.compat.checkpoints.weights import find_weights, open_weights, weights_of
from kaleido_tf.errors import InputError
from kaleido_tf.models.mvlt import original
from kaleido_tf.models.mvlt.model import Mvlt
from kaleido_tf.objectives.class_list import ClassList
from kaleido_tf.objectives.recognition import Classifier
from tests.mvlt_golden import arrays, batch_of, config, encoder_feed, settings
from tests.mvlt_state import as_released, assert_same, state_for
from tests.pixel_records import tiny_mvlt
from tests.torch_files import write_torch_file

TOLERANCE = 1e-5
"""Of the largest number of an array."""
HEADS = {"catepred": ("sup_cls", 48), "subcatepred": ("sub_cls", 122)}
SQUARE = next(run for run, size in settings()["runs"].items() if set(size) == {config().image_side})


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """As the release saves it: weights by the golden files' recipe, and the config beside."""
    folder, model = tmp_path_factory.mktemp("released"), Mvlt(config())
    original.build_heads(model, ("category", "subcategory"))
    write_torch_file(
        folder / "checkpoint_recognition.pth", as_released(state_for(model), "module.")
    )
    (folder / "config.json").write_text(json.dumps(config().to_dict()))
    return folder


@pytest.mark.parametrize("task", HEADS)
def test_each_head_gives_the_logits_of_the_release(released, task):
    """The class list beside the file says which of them is meant."""
    name, count = HEADS[task]
    ClassList(task, "both", count).write(released)
    found = open_weights(find_weights(released))
    assert found.head == ClassList(task, "both", count)
    model = classifier_for(config(), found.head)
    left = fill(model, found)
    (other,) = (head for kind, (head, _) in HEADS.items() if kind != task)
    assert {key.split("_head")[0] for key in left} == {other}
    for given in ("clean", "eval"):
        expected = arrays("reduced_outputs")[f"{SQUARE}/{given}/{name}_logits"][:, 0]
        ours = model.classifier(encoder_feed(batch_of(SQUARE, given)), training=False)
        assert np.abs(ours - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_a_class_list_of_other_classes_is_refused(released):
    ClassList("catepred", "both", 5).write(released)
    with pytest.raises(InputError, match="head of catepred with 48 classes.*catepred with 5"):
        open_weights(find_weights(released))


def test_without_a_class_list_both_heads_are_kept(released, tmp_path):
    (released / "classes.json").unlink(missing_ok=True)
    convert(str(released), str(tmp_path / "own"), "own")
    convert(str(tmp_path / "own"), str(tmp_path / "st"), "safetensors")
    there, back = (open_weights(find_weights(folder)) for folder in (released, tmp_path / "st"))
    assert there.head is None and set(there.heads) == {"category", "subcategory"}
    assert_same(back, {key: read() for key, read in there.tensors.items()})


@pytest.mark.parametrize("task", HEADS)
def test_own_models_of_recognition_go_there_and_back(tmp_path, task):
    """Trained a task at a time, so that the file has one of the two heads."""
    tiny, names = tiny_mvlt(depths=(1, 1, 1, 1)), ("<a>", "b", "c")
    now = weights_of(Classifier(tiny, task, 3, tiny.text_seq_len), "now", 0)
    state = {key: np.array(read()) for key, read in now.tensors.items()}
    heads = {key.split("_head")[0] for key in state if "_head" in key}
    assert heads == {HEADS[task][0]}
    folder = tmp_path / "released"
    folder.mkdir()
    write_torch_file(folder / "tuned.pth", as_released(state))
    (folder / "config.json").write_text(json.dumps(tiny.to_dict()))
    ClassList(task, "both", 3, names, (1, 2, 3)).write(folder)
    convert(str(folder), str(tmp_path / "own"), "own")
    convert(str(tmp_path / "own"), str(tmp_path / "st"), "safetensors")
    found = open_weights(find_weights(tmp_path / "st"))
    assert (found.head.task, found.head.names) == (task, names)
    assert_same(found, state)
