"""Examples of FashionViL from records of pixels."""

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_examples
from kaleido_tf.models.fashion_vil.examples import draw_hidden
from kaleido_tf.models.fashion_vil.photo_colours import normalised
from kaleido_tf.text import Vocabulary
from tests import pixel_records
from tests.tiny_fashion_vil import ATTRIBUTES, tiny_fashion_vil, write

VOCABULARY = Vocabulary()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("items")
    return folder, write(folder)


def examples_of(data, split="train", tasks=None, **changes):
    folder, named = data
    values = {"text_length": pixel_records.LENGTH, "masking": "independent", "seed": 7}
    settings = ExamplesConfig(**{**values, **named, **changes})
    config = tiny_fashion_vil(image_side=64)
    return read_examples(str(folder / split), settings, config, tasks, VOCABULARY)


def text_of(ids):
    return VOCABULARY.text_of(ids).removeprefix("[CLS] ").split(" [SEP]")[0]


def photo_number(image):
    """Which of the drawn squares an image shows."""
    squares = [pixel_records.pixels_of(n) for n in range(16)]
    distances = [np.abs(normalised(square) - image).mean() for square in squares]
    return int(np.argmin(distances))


def test_a_batch(data):
    batch = next(iter(examples_of(data).training_batches(16)))
    cells, length = 4, pixel_records.LENGTH
    shapes = {name: tuple(value.shape) for name, value in batch.items()}
    assert shapes == {
        "images": (16, 64, 64, 3),
        "other_images": (16, 64, 64, 3),
        "input_ids": (16, length),
        "input_mask": (16, length),
        "masked_input_ids": (16, length),
        "masked_lm_positions": (16, length),
        "masked_lm_ids": (16, length),
        "masked_lm_weights": (16, length),
        "masked_tokens": (16, cells),
        "attributes": (16, 6),
        "mismatch_draws": (16,),
        "hidden_places": (16, length + cells),
    }
    assert batch["masked_tokens"].dtype == tf.bool
    assert batch["masked_tokens"].numpy().sum(axis=1).tolist() == [1] * 16
    draws = batch["mismatch_draws"].numpy()
    assert 0 <= draws.min() < 0.5 < draws.max() < 1


def test_another_photo_of_the_same_item_and_its_own_text(data):
    batch = next(iter(examples_of(data).training_batches(16)))
    pairs = [
        (photo_number(one), photo_number(other))
        for one, other in zip(batch["images"].numpy(), batch["other_images"].numpy())
    ]
    assert sorted(one for one, _ in pairs) == list(range(16))
    assert all(one // 2 == other // 2 for one, other in pairs)
    assert {one == other for one, other in pairs} == {True, False}  # drawn with replacement
    for (one, _), ids in zip(pairs, batch["input_ids"].numpy()):
        assert text_of(ids) == pixel_records.fields_of(one // 2)["text"]


def test_masked_words_stand_beside_whole_ones(data):
    batch = next(iter(examples_of(data, token_fraction=0.6).training_batches(16)))
    whole, masked = batch["input_ids"].numpy(), batch["masked_input_ids"].numpy()
    assert (whole != masked).any()
    for row in range(len(whole)):
        used = batch["masked_lm_weights"][row].numpy() > 0
        positions = batch["masked_lm_positions"][row].numpy()[used]
        np.testing.assert_array_equal(
            batch["masked_lm_ids"][row].numpy()[used], whole[row][positions]
        )
        changed = np.flatnonzero(whole[row] != masked[row])
        assert set(changed) <= set(positions)


def test_attributes_of_a_text(data):
    batch = next(iter(examples_of(data).training_batches(16)))
    counts = set()
    for ids, labels in zip(batch["input_ids"].numpy(), batch["attributes"].numpy()):
        words = text_of(ids).split()
        held = [float(word in words) for word in ATTRIBUTES] + [0.0]
        counts.add(sum(held))
        np.testing.assert_allclose(labels, np.array(held) / max(sum(held), 1), rtol=1e-6)
    assert counts == {0, 1, 2}


def test_draws_follow_from_seed_and_place(data):
    examples = examples_of(data, mirror_probability=0.5)
    first, second = list(examples.training_batches(8).take(2))
    (again,) = list(examples.training_batches(8, start=8).take(1))
    for name in first:
        np.testing.assert_array_equal(second[name], again[name], err_msg=name)
        assert np.array_equal(first[name], second[name]) == (name == "input_mask"), name


def test_hidden_places_are_those_of_the_release_but_for_each_example():
    """`int(0.25 S)` and `int(0.25 V)` draws with repetitions."""
    draws = np.stack([draw_hidden(tf.constant([3, n], tf.int64), 16, 9) for n in range(400)])
    words, tokens = draws[:, :16].sum(axis=1), draws[:, 16:].sum(axis=1)
    assert set(words) == {2, 3, 4} or set(words) == {1, 2, 3, 4}
    assert set(tokens) == {1, 2}
    expected = 16 * (1 - (15 / 16) ** 4), 9 * (1 - (8 / 9) ** 2)
    assert words.mean() == pytest.approx(expected[0], abs=0.15)
    assert tokens.mean() == pytest.approx(expected[1], abs=0.1)
    assert draws.any(axis=0).all()


def test_evaluation_shows_every_photo_once(data):
    batches = list(examples_of(data, "valid").evaluation_batches(4))
    assert [len(batch["images"]) for batch in batches] == [4, 3]
    shown = [photo_number(image) for batch in batches for image in batch["images"].numpy()]
    assert shown == list(range(7))


def test_what_a_task_needs_is_asked_for(data, tmp_path):
    with pytest.raises(InputError, match="pac needs --pseudo_attributes.*itm,itc,icc,mlm,mpfc"):
        examples_of(data, pseudo_attributes=None)
    examples = examples_of(data, tasks=("itc",), pseudo_attributes=None, patch_tokenizer=None)
    assert not next(iter(examples.training_batches(3)))["attributes"].numpy().any()
    with pytest.raises(InputError, match="mpfc of a new model needs --patch_tokenizer"):
        examples.load_tokenizer()
    many = tmp_path / "many.txt"
    lines = "".join(f"word{n}\t1\n" for n in range(7))
    many.write_text(f"# catalogue_digest={'0' * 64} text_field=title\n{lines}")
    with pytest.raises(InputError, match="`num_attributes` is 6. .*many.txt has 7"):
        examples_of(data, pseudo_attributes=str(many))


def test_attributes_of_other_texts_are_refused(data, tmp_path):
    """The words of another catalogue would be labels that mean nothing here."""
    foreign, idle = tmp_path / "foreign.txt", tmp_path / "idle.txt"
    foreign.write_text(f"# catalogue_digest={'d' * 64} text_field=title\nred\t3\n")
    with pytest.raises(InputError, match="records' catalogue .000000000000.* Received: .*ddd"):
        examples_of(data, pseudo_attributes=str(foreign))
    idle.write_text(f"# catalogue_digest={'0' * 64} text_field=title\nquark\t3\n")
    with pytest.raises(InputError, match="No text of .* holds one of .*idle.txt"):
        examples_of(data, pseudo_attributes=str(idle))


def test_notes_are_of_the_tasks(tmp_path):
    folder = pixel_records.write(tmp_path / "train", 4)
    said = "every item has one photo: icc compares it with itself"
    for tasks, expected in ((("icc",), True), (("itc", "itm"), False)):
        notes = examples_of((tmp_path, {}), tasks=tasks).notes()
        assert any(note.startswith(said) for note in notes) == expected
    assert folder.is_dir()


def test_other_attributes_are_other_examples(data):
    examples = [examples_of(data), examples_of(data, tasks=("itc",))]
    assert examples[0].digest != examples[1].digest
    assert any("5 pseudo-attributes; " in note for note in examples[0].notes())
    assert not any("one photo" in note for note in examples[0].notes())
