"""What several tests of the captioner look at: one small run, made once."""

import dataclasses

import pytest

from data_prep.alignment.captioner_training import train
from data_prep.catalogue.reading import read_catalogue
from data_prep.features.backbones import build_backbone
from data_prep.record_writing.patch_content import PatchContent
from data_prep.record_writing.product_records import write_records
from tests.drawn_catalogue import SETTINGS, write_catalogue
from tests.tiny_captioner import TRAINING


@pytest.fixture(scope="session")
def squeezenet():
    return build_backbone("squeezenet", "random")


@pytest.fixture(scope="session")
def captioner_records(tmp_path_factory, squeezenet):
    """Records of eight photos of seven products: "A <colour> thing, number <n>."."""
    folder = tmp_path_factory.mktemp("captioner")
    write_catalogue(folder / "shop", lambda _, entry: {**entry, "split": "train"})
    write_records(
        read_catalogue(str(folder / "shop")),
        "train",
        folder / "records",
        PatchContent(SETTINGS, squeezenet),
    )
    return folder / "records" / "train"


@pytest.fixture(scope="session")
def train_captioner(captioner_records, squeezenet):
    """Trains in a folder; the same records for both splits, so that what is learnt can be heard."""
    return lambda folder, **changes: train(
        str(captioner_records),
        str(captioner_records),
        str(folder),
        squeezenet,
        dataclasses.replace(TRAINING, **changes),
    )


@pytest.fixture(scope="session")
def captioner_run(tmp_path_factory, train_captioner):
    """(folder of a run that nothing interrupted, what it returned)"""
    folder = tmp_path_factory.mktemp("captioner_run")
    return folder, train_captioner(folder)
