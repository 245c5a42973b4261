import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.search.index_folder import open_index
from kaleido_tf.search.index_writing import IndexSettings, changing, write_index
from tests import small_index
from tests.small_index import block

SETTINGS = IndexSettings("model", 7, "float32", True)


def stopping(count, after):
    """Parts that are killed after some blocks, and the starts that were asked for."""
    starts = []

    def parts(done):
        starts.append(done)
        rest = list(small_index.blocks(count, corrected=True))[done // 5 :]
        for number, part in enumerate(rest):
            if len(starts) == 1 and number == after:
                raise KeyboardInterrupt
            yield part

    return parts, starts


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("after", [0, 2, 4])
def test_goes_on_after_the_last_whole_block(tmp_path, after):
    parts, starts = stopping(23, after)
    with pytest.raises(KeyboardInterrupt):
        write_index(tmp_path / "a", parts, SETTINGS, "digest")
    if after:
        with pytest.raises(InputError, match="is not finished. Start the command .* again"):
            open_index(tmp_path / "a")
        # a block that was not whole
        with (tmp_path / "a" / "embeddings.npy").open("ab") as file:
            file.write(b"half")
    write_index(tmp_path / "a", parts, SETTINGS, "digest")
    whole = lambda done: small_index.blocks(23, corrected=True)  # noqa: E731
    write_index(tmp_path / "b", whole, SETTINGS, "digest")
    assert starts == [0, 5 * after] and contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(np.load(tmp_path / "a" / "embeddings.npy")) == 23


def test_a_finished_index_stays(tmp_path):
    small_index.write(tmp_path, 9)
    before = contents(tmp_path)
    manifest = write_index(tmp_path, None, IndexSettings("model", 7, "float32"), "drawn 9 1 0")
    assert manifest.count == 9 and contents(tmp_path) == before


def test_other_inputs_or_another_model_are_refused(tmp_path):
    parts, _ = stopping(23, 2)
    with pytest.raises(KeyboardInterrupt):
        write_index(tmp_path, parts, SETTINGS, "digest")
    with pytest.raises(
        InputError, match="index of other inputs .inputs: 'digest' there, 'new' now"
    ):
        write_index(tmp_path, parts, SETTINGS, "new")
    other = IndexSettings("another", 7, "float32", True)
    with pytest.raises(
        InputError, match="model: 'model' there, 'another' now.. Use another --index"
    ):
        write_index(tmp_path, parts, other, "digest", "--index")


def test_a_start_that_came_to_nothing_claims_nothing(tmp_path):
    with pytest.raises(InputError, match="at least one photo"):
        write_index(tmp_path, lambda done: [], SETTINGS, "wrong inputs")
    small_index.write(tmp_path, 9)
    assert len(open_index(tmp_path)) == 9


def test_folders_of_something_else_are_left_alone(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"files of unknown origin \(photo.jpg, ...\). Use another"
    ):
        small_index.write(tmp_path)
    (tmp_path / "settings.json").write_text('{"crop_size": 5}')
    with pytest.raises(InputError, match="holds something else, .*crop_size: 5 there"):
        small_index.write(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--output_dir cannot be made"):
        small_index.write(tmp_path / "file")


def test_two_writers_at_once(tmp_path):
    small_index.write(tmp_path, 9)
    with changing(tmp_path), pytest.raises(InputError, match="is being changed by another process"):
        small_index.write(tmp_path, 9)


NAN = small_index.unit_vectors(3)
NAN[1, 2] = np.nan


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (block(["A", "B", "C"], vectors=NAN), "NaN or infinity .product B; 1 of 3 are wrong"),
        (
            block(["A", "B"], vectors=2 * small_index.unit_vectors(2)),
            "Received: length 2 .product A",
        ),
        (block(["A"], vectors=small_index.unit_vectors(1, dimension=5)), r"\[n, 7\] .*: \[1, 5\]"),
        (block(["A"], vectors=np.zeros(7)), "as many of each. Received: .* 7 vectors"),
        (block(["A", "B"], colour="x", vectors=small_index.unit_vectors(1)), "2 fields, 1 vectors"),
        (block(["A", ""]), "product_id must be a text. Received: ''"),
        (
            block(["A"], size={"x": 1}),
            "must be texts, finite numbers.* 'size' = {'x': 1} .product A",
        ),
        (block(["A"], price=float("nan")), "'price' = nan"),
        (block(["A"], image_id="x"), "not be called product_id or image_id"),
        (block(["A"], title="\ud800"), "Product 'A' holds a text that is no Unicode"),
        (block(["A"], hubness=np.zeros(1)), "needs blocks without hubness. Received: one with it"),
    ],
)
def test_blocks_that_cannot_be_searched_are_refused(tmp_path, wrong, message):
    with pytest.raises(InputError, match=message):
        write_index(tmp_path, lambda done: [wrong], IndexSettings("model", 7), "digest")
    with pytest.raises(InputError, match="is needed"):
        open_index(tmp_path)


def test_hubness_is_checked(tmp_path):
    for wrong, message in ((None, "without it"), (np.array([0, np.inf]), "infinity of product B")):
        parts = [block(["A", "B"], hubness=wrong)]
        with pytest.raises(InputError, match=message):
            write_index(tmp_path, lambda done, parts=parts: parts, SETTINGS, "digest")


def test_settings_out_of_range():
    for wrong in ({"dimension": 0}, {"dimension": 3, "dtype": "int8"}):
        with pytest.raises(InputError, match="dimension of 1 or more and numbers of float16 or"):
            IndexSettings("model", **wrong)
