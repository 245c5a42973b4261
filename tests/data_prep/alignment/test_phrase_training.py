"""From photos and texts to pairs: a phrase that decides what one place shows is paired with the
patches there.
"""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from data_prep.alignment import phrase_training
from data_prep.alignment.alignments import AlignmentSettings
from data_prep.alignment.phrase_maps import PhraseSettings
from data_prep.alignment.phrase_regions import PhraseRegions
from data_prep.alignment.phrase_training import train_phrase_maps
from data_prep.alignment.record_alignments import align_records
from data_prep.catalogue.reading import read_catalogue
from data_prep.record_writing.patch_content import PatchContent
from data_prep.record_writing.product_records import write_records
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.records.shards import read_shards
from kaleido_tf.text import Vocabulary
from kaleido_tf.words import words_of
from tests.drawn_catalogue import SETTINGS

SLEEVES, POCKET = (2, 3), (3, 1)  # row and column of five by five


def draw(path, generator, stripes, pocket):
    """A dark garment that fills the photo but for its border, with the two parts or without."""
    image = Image.new("RGB", (100, 120), (245, 245, 245))
    brush = ImageDraw.Draw(image)
    brush.rectangle([10, 10, 89, 109], fill=tuple(generator.integers(20, 90, 3).tolist()))
    for part, (row, column) in ((stripes, SLEEVES), (pocket, POCKET)):
        left, top = 10 + 16 * column, 10 + 20 * row
        for line in range(0, 20 * part, 4):
            brush.line([left, top + line, left + 15, top + line], fill="white")
    image.save(path)


@pytest.fixture(scope="module")
def shop(tmp_path_factory, squeezenet):
    """Folder of records of 40 tops with sleeves (long, short) and a pocket (or none), and of a hat
    that stands alone.
    """
    folder, generator = tmp_path_factory.mktemp("phrases"), np.random.default_rng(3)
    entries = []
    for number in range(41):
        long, pocket = bool(number & 1), bool(number & 2)
        draw(folder / f"{number}.png", generator, long, pocket)
        text = f"A top, {'long' if long else 'short'} sleeves, {'a' if pocket else 'no'} pocket."
        entry = {"product_id": f"P{number}", "image": f"{number}.png", "title": "top"}
        entry |= {"description": text, "category": "tops", "subcategory": "top", "split": "train"}
        entries.append(entry | ({"subcategory": "hat"} if number == 40 else {}))
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    (folder / "products.jsonl").write_text(lines)
    catalogue = read_catalogue(str(folder))
    write_records(catalogue, "train", folder / "records", PatchContent(SETTINGS, squeezenet))
    return folder / "records" / "train"


@pytest.fixture(scope="module")
def maps(shop, tmp_path_factory):
    return train_phrase_maps(str(shop), str(tmp_path_factory.mktemp("maps")), PhraseSettings())


def test_things_are_paired_with_the_patches_that_show_them(shop, maps):
    assert set(maps.of) == {("top", "sleev"), ("top", "pocket")}
    result = align_records(str(shop), PhraseRegions(maps), AlignmentSettings(), {"source": "x"})
    assert (result.records, result.aligned, result.without_regions) == (41, 40, 1)
    vocabulary, paired = Vocabulary(), {}
    for record in read_shards(find_files(str(shop))):
        names = {word.start: word.text for word in words_of(record.token_ids, vocabulary)}
        for token, patch in zip(*(part.tolist() for part in record.alignments[:2])):
            paired.setdefault((names[token], "no pocket" in record.text), set()).add(patch)
    # the 25 patches of level 5 begin at 30; a word that is denied has no place
    for name, places in (("sleeves", SLEEVES), ("pocket", POCKET)):
        row, column = places
        fine = {patch for patch in paired[name, False] if patch >= 30}
        assert fine == {30 + 5 * row + column}
    assert ("pocket", True) not in paired and ("sleeves", True) in paired


def test_started_again_it_goes_on(shop, maps, tmp_path, monkeypatch):
    trained = train_phrase_maps(str(shop), str(tmp_path), PhraseSettings())
    assert trained.digest == maps.digest
    (tmp_path / "phrase_maps.safetensors").unlink()
    monkeypatch.setattr(phrase_training.GradientCells, "of", lambda *_: pytest.fail("read again"))
    assert train_phrase_maps(str(shop), str(tmp_path), PhraseSettings()).digest == maps.digest
    monkeypatch.setattr(phrase_training, "fit", lambda *_: pytest.fail("fitted again"))
    assert train_phrase_maps(str(shop), str(tmp_path), PhraseSettings()).digest == maps.digest
    with pytest.raises(InputError, match="maps of other settings.*fewest: 5 there, 4 now"):
        train_phrase_maps(str(shop), str(tmp_path), PhraseSettings(fewest=4))


def test_crops_that_were_found_otherwise_are_refused(shop, maps, tmp_path):
    other = {**read_dataset_json(str(shop)), "foreground": "none"}
    (tmp_path / "dataset.json").write_text(json.dumps(other))
    with pytest.raises(InputError, match="--foreground=border need .* made with --foreground=none"):
        PhraseRegions(maps).check(str(tmp_path))
