"""The drawn sample catalogue, prepared through the same code as any other: photos -> records ->
candidate lists.
"""

import pathlib

from data_prep.catalogue.reading import read_catalogue
from data_prep.features.backbones import build_backbone
from data_prep.record_writing.candidates import CandidateSettings, draw_candidates, write_candidates
from data_prep.record_writing.patch_content import PatchContent, PatchSettings
from data_prep.record_writing.product_records import write_records
from data_prep.sample.sample_catalogue import write_sample_catalogue
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.files.input_files import find_files
from kaleido_tf.text import Vocabulary

NUM_PRODUCTS = 960
NUM_OTHERS = 14
"""Of 960 products, 15 of each of the 16 sub-categories are in valid: one truth and 14 others."""

SETTINGS = PatchSettings(backbone="squeezenet", backbone_weights="random", crop_size=128)
"""Random features, said explicitly: no weights can be downloaded everywhere, and drawn garments
need none.
"""


def prepare_sample(folder: pathlib.Path) -> pathlib.Path:
    """Draws the catalogue and writes its records and candidate lists under `folder`; done parts are
    kept.

    Returns: the folder of the records, with `train` and `valid` in it.
    """
    print(f"drawing {NUM_PRODUCTS} products into {folder}/catalogue", flush=True)
    catalogue = read_catalogue(
        str(write_sample_catalogue(folder / "catalogue", num_products=NUM_PRODUCTS))
    )
    records = folder / "records"
    backbone = build_backbone(SETTINGS.backbone, SETTINGS.backbone_weights)
    for split in ("train", "valid"):
        write_records(catalogue, split, records, PatchContent(SETTINGS, backbone))
    valid = records / "valid"
    table = read_record_table(
        find_files(str(valid)), Vocabulary(valid / "vocab.txt"), 64, backbone.feature_size
    )
    write_candidates(*draw_candidates(table, CandidateSettings(num_others=NUM_OTHERS)), valid)
    return records
