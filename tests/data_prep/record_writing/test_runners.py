"""Shards written by Apache Beam's workers against those of this process, and what Beam refuses."""

import dataclasses
import pathlib
import shutil
import sys

import pytest

from data_prep.catalogue.reading import read_catalogue
from data_prep.record_writing import split_shards
from data_prep.record_writing.finished_shards import FinishedShards
from data_prep.record_writing.patch_content import PatchContent
from data_prep.record_writing.photo_shards import write_cut_shard
from data_prep.record_writing.pixel_content import PixelContent, PixelSettings
from data_prep.record_writing.product_records import write_records
from data_prep.record_writing.runners import build_runner
from data_prep.record_writing.split_shards import SplitShards, build_product_crops
from kaleido_tf.errors import InputError
from tests.drawn_catalogue import SETTINGS, write_catalogue

pytest.importorskip("apache_beam")  # the extra `beam`, with which .ci/run runs this file
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from data_prep.record_writing import beam_runner
from data_prep.record_writing.beam_options import chosen_runner, read_options
from data_prep.record_writing.beam_runner import BeamRunner

PIXELS = PixelSettings(
    image_size=41, records_per_shard=2, on_bad_record="skip", max_bad_fraction=0.3
)
TWO_PROCESSES = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
SHARDS = [f"records-{number:05d}-of-00003.tfrecord" for number in range(3)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The drawn catalogue, with a photo that ends early and a product without words."""
    folder = tmp_path_factory.mktemp("shop")
    write_catalogue(
        folder, lambda n, entry: {**entry, "description": "\u200b" if n == 1 else "Red."}
    )
    truncate(folder)
    return folder


def truncate(folder):
    photo = folder / "4_0.png"
    photo.write_bytes(photo.read_bytes()[:-40])


def pixels(shop, output_dir, runner=None, settings=PIXELS):
    """Writes records of pixels; returns the split's folder."""
    catalogue = read_catalogue(str(shop), skip_unusable=True)
    write_records(catalogue, "train", output_dir, PixelContent(settings), runner=runner)
    return pathlib.Path(output_dir) / "train"


@pytest.fixture(scope="module")
def local(shop, tmp_path_factory):
    return pixels(shop, tmp_path_factory.mktemp("local"))


@pytest.fixture
def noted(monkeypatch):
    """The names of the shards that are written; `work` may be put in the place of writing."""
    names = []

    def replace(work=write_cut_shard):
        def note(path, *args):
            names.append(path.name)
            work(path, *args)

        monkeypatch.setattr(split_shards, "write_cut_shard", note)
        return names

    return replace


def content_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_beam_writes_the_same_files_and_says_the_same_of_bad_photos(shop, local, tmp_path):
    files = content_of(pixels(shop, tmp_path, BeamRunner([])))
    assert files == content_of(local)
    assert sorted(files) == ["dataset.json", *SHARDS, "settings.json", "vocab.txt"]
    assert b"P4_1" in files["dataset.json"] and b"P1_1" in files["dataset.json"]


def test_workers_build_the_same_backbone(tmp_path, squeezenet):
    catalogue = read_catalogue(str(write_catalogue(tmp_path / "photos")))
    content = PatchContent(SETTINGS, squeezenet)
    for name, runner in (("local", None), ("beam", BeamRunner([]))):
        write_records(catalogue, "train", tmp_path / name, content, runner=runner)
    assert content_of(tmp_path / "local" / "train") == content_of(tmp_path / "beam" / "train")


@pytest.mark.long
def test_two_processes_write_the_same_files(shop, local, tmp_path):
    assert content_of(pixels(shop, tmp_path, BeamRunner(TWO_PROCESSES))) == content_of(local)


def test_finished_shards_are_not_made_again(shop, local, tmp_path, noted):
    shutil.copytree(local, tmp_path / "train")
    (tmp_path / "train" / SHARDS[1]).unlink()
    names = noted()
    assert content_of(pixels(shop, tmp_path, BeamRunner([]))) == content_of(local)
    assert names == [SHARDS[1]]
    pixels(shop, tmp_path, BeamRunner([]))
    assert len(names) == 1


def test_lost_worker_leaves_no_half_shard(shop, local, tmp_path, noted):
    def lost(path, *args):
        if path.name == SHARDS[1]:
            path.write_bytes((local / SHARDS[1]).read_bytes()[:100])
            raise RuntimeError("the power went")
        write_cut_shard(path, *args)

    noted(lost)
    with pytest.raises(RuntimeError, match="the power went"):
        pixels(shop, tmp_path, BeamRunner([]))
    left = content_of(tmp_path / "train")
    whole = content_of(local)
    assert SHARDS[1] not in left and not [name for name in left if name.startswith("worker-")]
    assert all(whole[name] == left[name] for name in left if name.endswith(".tfrecord"))
    before = [name for name in left if name.endswith(".tfrecord")]
    names = noted()
    names.clear()
    assert content_of(pixels(shop, tmp_path)) == whole  # the other runner goes on
    assert sorted(names + before) == SHARDS


def test_bad_photo_is_said_as_this_process_says_it(tmp_path):
    write_catalogue(tmp_path / "shop")
    truncate(tmp_path / "shop")
    settings = dataclasses.replace(PIXELS, on_bad_record="fail")
    said = []
    for runner in (None, BeamRunner([])):
        with pytest.raises(InputError, match="P4") as error:
            pixels(tmp_path / "shop", tmp_path / f"records_{len(said)}", runner, settings)
        said.append(str(error.value))
    assert said[0] == said[1]


def job_of(shop, folder):
    catalogue = read_catalogue(str(shop), skip_unusable=True)
    crops = build_product_crops(PIXELS, catalogue)
    work = SplitShards(catalogue, "train", PixelContent(PIXELS), crops)
    return beam_runner.SplitJob.of(work, FinishedShards(folder))


@pytest.mark.parametrize(
    "change, said",
    [
        ({"digest": "0"}, "the products of "),
        ({"settings": dataclasses.replace(PIXELS, fit="pad")}, "fit: 'stretch' there, 'pad' here"),
        ({"source": "nowhere"}, "nowhere"),
    ],
)
def test_worker_that_sees_other_files_refuses(shop, tmp_path, change, said):
    job = job_of(shop, tmp_path)
    assert job.rebuild().shards[2][0].product.product_id == "P4"
    with pytest.raises(InputError, match=said):
        dataclasses.replace(job, **change).rebuild()


def test_output_folder_must_be_one_for_all(shop, tmp_path, monkeypatch):
    writer = beam_runner.WriteShard(job_of(shop, tmp_path / "away"))
    writer.setup()
    with pytest.raises(InputError, match="an output folder that all workers reach.*away"):
        list(writer.process((0, "")))
    monkeypatch.setattr(BeamRunner, "_run_pipeline", lambda *_: None)
    with pytest.raises(InputError, match="3 of them are not there.*every worker must reach"):
        pixels(shop, tmp_path / "records", BeamRunner([]))


def test_beam_must_be_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(InputError, match=r'pip install -e "\.\[beam\]"'):
        build_runner("beam")


def test_options_of_beam_belong_to_beam():
    with pytest.raises(InputError, match="--runner=local, --beam_options=--direct_num_workers=2"):
        build_runner("local", ["--direct_num_workers=2"])


@pytest.mark.parametrize(
    "options, said",
    [
        (["--runner=Nope"], r"is installed was needed. Received: --runner=Nope \("),
        (["--runner=no.such.Runner"], r"Received: --runner=no.such.Runner \("),
        (["--runner=DataflowRunner"], "DataflowRunner needs others: .*project"),
        (["--direct_num_workers=two"], "direct_num_workers: invalid int value: 'two'$"),
        (["--direct_num_worker=2"], "that Apache Beam's DirectRunner knows.*--direct_num_worker$"),
        (["DirectRunner"], "--name=value, separated by commas. Received: 'DirectRunner'"),
    ],
)
def test_options_that_beam_does_not_take(options, said):
    with pytest.raises(InputError, match=said):
        build_runner("beam", options)


@pytest.mark.parametrize("options", [[], ["--runner=DirectRunner"], ["--runner=direct"]])
def test_direct_runner_downloads_no_program(options):
    assert type(chosen_runner(read_options(options))) is FnApiRunner
