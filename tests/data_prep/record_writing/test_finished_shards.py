"""A second start on records that are there: what changed is taken in, what did not is kept."""

import json
import os
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from data_prep.catalogue.reading import read_catalogue
from data_prep.record_writing import split_shards
from data_prep.record_writing.patch_content import PatchContent, PatchSettings
from data_prep.record_writing.photo_shards import write_cut_shard
from data_prep.record_writing.product_records import write_records
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.text import Vocabulary
from tests.drawn_catalogue import SETTINGS, read_all, write_catalogue

SKIP = PatchSettings(**{**vars(SETTINGS), "on_bad_record": "skip", "max_bad_fraction": 0.5})
SHARDS = [f"records-0000{n}-of-00003.tfrecord" for n in range(3)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, squeezenet):
    """Seven photos in three shards: P0 P1 P2 | P2 P3 P4 | P5; and their catalogue."""
    folder = tmp_path_factory.mktemp("whole")
    write_catalogue(folder / "photos")
    write_records(read(folder), "train", folder / "records", PatchContent(SETTINGS, squeezenet))
    return folder


@pytest.fixture
def shop(whole, tmp_path):
    """A copy to change."""
    return pathlib.Path(shutil.copytree(whole, tmp_path / "shop"))


@pytest.fixture
def again(shop, squeezenet, monkeypatch):
    """Starts again; returns `dataset.json` and the names of the shards that were written."""

    def start(settings=SETTINGS, work=write_cut_shard):
        written = []

        def noted(path, *args):
            written.append(path.name)
            return work(path, *args)

        monkeypatch.setattr(split_shards, "write_cut_shard", noted)
        return (
            write_records(
                read(shop), "train", shop / "records", PatchContent(settings, squeezenet)
            ),
            written,
        )

    return start


def read(folder):
    return read_catalogue(str(folder / "photos"), skip_unusable=True)


def folder_of(shop):
    return shop / "records" / "train"


def features(shop):
    return {
        record["image_id"].numpy().decode(): record["patch_features"].numpy()
        for record in read_all(folder_of(shop))
    }


def change_lines(shop, change):
    path = shop / "photos" / "products.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(entry) + "\n" for entry in change(entries)))


def set_field(number, **fields):
    return lambda entries: [
        {**entry, **fields} if n == number else entry for n, entry in enumerate(entries)
    ]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nothing_changed(shop, again, capsys):
    before = (folder_of(shop) / "dataset.json").read_bytes()
    _, written = again()
    assert written == [] and "is complete already: nothing to do" in capsys.readouterr().out
    assert json.loads((folder_of(shop) / "dataset.json").read_bytes()) == {
        **json.loads(before),
        "catalogue": str(shop / "photos" / "products.jsonl"),  # it was copied
    }


def test_photo_that_changed_under_its_name_and_size(shop, again, whole, capsys):
    photo, old = shop / "photos" / "3_0.png", features(shop)
    pixels = np.array(Image.open(photo))
    Image.fromarray(255 - pixels).save(photo)
    dataset, written = again()
    assert written == [SHARDS[1]] and "1 of 3 shards were written anew" in capsys.readouterr().out
    new = features(shop)
    assert [name for name in new if not np.array_equal(new[name], old[name])] == ["P3_1"]
    there = json.loads((whole / "records" / "train" / "dataset.json").read_text())
    assert dataset["content_digest"] != there["content_digest"]
    assert names_in(folder_of(shop)) == names_in(folder_of(whole)) and again()[1] == []


@pytest.mark.parametrize(
    "change, shards",
    [
        (set_field(3, image="4_0.png"), [SHARDS[1]]),  # another photo
        (set_field(0, description="A red thing."), [SHARDS[0]]),
        (set_field(5, category="a new one"), SHARDS),  # that comes first, so that all ids move
        (lambda entries: entries[1:], [name.replace("3", "2") for name in SHARDS[:2]]),
    ],
)
def test_lines_that_changed(shop, again, change, shards):
    change_lines(shop, change)
    dataset, written = again()
    assert written == shards and sum(dataset["shards"].values()) == len(read_all(folder_of(shop)))
    assert again()[1] == []


def test_new_product_at_the_end_leaves_finished_shards_as_they_are(shop, again):
    change_lines(
        shop,
        lambda entries: [*entries[:6], *({**entries[5], "product_id": f"Q{n}"} for n in range(3))],
    )
    kept = {name: (folder_of(shop) / name).stat().st_ino for name in SHARDS[:2]}
    dataset, written = again()
    assert written == ["records-00002-of-00004.tfrecord", "records-00003-of-00004.tfrecord"]
    assert names_in(folder_of(shop)) == sorted(
        ["dataset.json", *dataset["shards"], "settings.json", "vocab.txt"]
    )
    for name, inode in kept.items():
        assert (folder_of(shop) / name.replace("3", "4")).stat().st_ino == inode
    assert list(features(shop))[-3:] == ["Q0_1", "Q1_1", "Q2_1"]


def test_mended_photo_comes_in(shop, again):
    good = (shop / "photos" / "1_0.png").read_bytes()
    for broken in (lambda p: p.write_bytes(b"no photo"), lambda p: p.unlink()):
        broken(shop / "photos" / "1_0.png")
        dataset, written = again(SKIP)
        assert written == [SHARDS[0]] and dataset["records"] == 6 and len(dataset["skipped"]) == 1
        assert again(SKIP)[1] == []
    (shop / "photos" / "1_0.png").write_bytes(good)
    dataset, written = again(SKIP)
    assert written == [SHARDS[0]] and dataset["records"] == 7 and dataset["skipped"] == []


def test_shards_that_were_harmed_are_written_again(shop, again):
    (folder_of(shop) / SHARDS[0]).unlink()
    shard = folder_of(shop) / SHARDS[1]
    shard.write_bytes(shard.read_bytes()[:-5])
    assert again()[1] == SHARDS[:2] and len(read_all(folder_of(shop))) == 7


def change_two_shards(shop):
    for number in (0, 5):
        Image.new("RGB", (91, 77), "white").save(shop / "photos" / f"{number}_0.png")


def test_records_can_be_read_until_all_is_finished(shop, again):
    change_two_shards(shop)
    before = {path: path.read_bytes() for path in folder_of(shop).iterdir()}

    def killed_in_the_second(path, *args):
        if path.name == SHARDS[2]:
            raise KeyboardInterrupt
        return write_cut_shard(path, *args)

    with pytest.raises(KeyboardInterrupt):
        again(work=killed_in_the_second)
    assert before == {path: path.read_bytes() for path in before}
    assert len(find_files(str(folder_of(shop)))) == 3
    assert again()[1] == [SHARDS[2]] and again()[1] == []


@pytest.mark.parametrize("moves", range(1, 6))
def test_kill_while_shards_take_their_places(shop, again, squeezenet, monkeypatch, moves):
    change_two_shards(shop)
    change_lines(
        shop,
        lambda entries: [*entries[:6], *({**entries[5], "product_id": f"Q{n}"} for n in range(3))],
    )
    replace, calls = os.replace, []

    def killed(source, target):
        if pathlib.Path(target).parent == folder_of(shop) and str(target).endswith(
            (".tfrecord", ".before")
        ):
            calls.append(target)
            if len(calls) == moves:
                raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            again()
    if moves > 1:
        with pytest.raises(InputError, match="written when all shards are complete"):
            read_table(shop)
    again()
    write_records(read(shop), "train", shop / "anew", PatchContent(SETTINGS, squeezenet))
    assert names_in(folder_of(shop)) == names_in(shop / "anew" / "train")
    for name in names_in(folder_of(shop)):
        assert (folder_of(shop) / name).read_bytes() == (
            shop / "anew" / "train" / name
        ).read_bytes()


def read_table(shop):
    files = find_files(str(folder_of(shop)))
    return read_record_table(files, Vocabulary(), 20, 512)


def test_photo_that_cannot_be_read_leaves_complete_records_alone(shop, again):
    (shop / "photos" / "4_0.png").write_bytes(b"no photo")
    with pytest.raises(InputError, match="P4"):
        again()
    assert len(read_table(shop)) == 7


def test_alignments_of_new_shards_are_said_to_be_missing(shop, again, capsys):
    path = folder_of(shop) / "dataset.json"
    said = {"mass": 0.5, "aligned": 3}
    path.write_text(json.dumps({**json.loads(path.read_text()), "alignments": said}))
    (folder_of(shop) / "alignments.partial").mkdir()
    assert again()[0]["alignments"] == said
    change_two_shards(shop)
    for dataset, _ in (again(), again()):
        assert dataset["alignments"] == {"unfinished": said}
    assert "Training refuses the records until data_prep.write_al" in capsys.readouterr().out
    assert not (folder_of(shop) / "alignments.partial").exists()
    with pytest.raises(InputError, match="not all shards have the alignments"):
        read_table(shop)


def test_records_of_an_older_version_are_trained_on_but_not_written_to(shop, again):
    path = folder_of(shop) / "dataset.json"
    content = json.loads(path.read_text())
    for name in ("shard_reports", "content_digest"):
        content.pop(name)
    path.write_text(json.dumps(content))
    settings = folder_of(shop) / "settings.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "products_digest": "x"}))
    assert len(read_table(shop)) == 7
    with pytest.raises(InputError, match="older version.* To write here, delete .*dataset.json"):
        again()
    path.unlink()
    assert again()[1] == SHARDS


def test_runs_know_that_a_photo_changed(shop, again):
    before = read_table(shop).contents
    change_two_shards(shop)
    again()
    assert before and read_table(shop).contents != before


def test_lost_shard_of_complete_records_is_written_again(shop, again):
    again()  # where the catalogue is now
    before = {path: path.read_bytes() for path in folder_of(shop).iterdir()}
    (folder_of(shop) / SHARDS[1]).unlink()
    assert again()[1] == [SHARDS[1]]
    assert before == {path: path.read_bytes() for path in folder_of(shop).iterdir()}
