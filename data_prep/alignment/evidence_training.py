"""Learns word evidence (`word_evidence`) from the photos and texts of records.

`model_dir` holds `settings.json` (what decides the result), `maps/` (the photos' convolutional
maps) and `word_evidence.safetensors`.
"""

import pathlib

import numpy as np

from data_prep.alignment.mapped_records import MappedRecords, RecordMaps
from data_prep.alignment.pieces import UNKNOWN, pieces_of
from data_prep.alignment.word_evidence import (
    WEIGHTS_NAME,
    EvidenceSettings,
    TrainedEvidence,
    fit,
    load_evidence,
    save_evidence,
)
from data_prep.features.backbones import Backbone
from kaleido_tf.files.claimed_folders import claim_settings
from kaleido_tf.text import Vocabulary


def train_evidence(
    records_folder: str,
    model_dir: str,
    backbone: Backbone,
    cells: int = EvidenceSettings.cells,
    longest: int = EvidenceSettings.longest,
    catalogue: str = "",
) -> TrainedEvidence:
    """Learns from one folder of records; what is there already is read.

    Args: cells: M. longest: most pieces of a text that are looked at. catalogue: as `RecordMaps`.
    Raises: InputError as `RecordMaps`, and if `model_dir` holds evidence of other records.
    """
    folder = pathlib.Path(model_dir)
    records = RecordMaps(records_folder, backbone, cells, catalogue)
    settings = {"cells": cells, "longest": longest, "backbone_digest": backbone.digest}
    claim_settings(
        folder,
        {**settings, "train": records.identity},
        "word evidence of other settings or records",
        "--model_dir",
    )
    data = records.read(folder / "maps" / "train", "train")
    vocabulary = Vocabulary(pathlib.Path(records_folder) / "vocab.txt")
    return learn_evidence(folder, data, vocabulary, backbone, cells, longest)


def learn_evidence(
    folder: pathlib.Path,
    data: MappedRecords,
    vocabulary: Vocabulary,
    backbone: Backbone,
    cells: int,
    longest: int,
) -> TrainedEvidence:
    """The evidence in `folder`, or where there is none the one fitted to `data`, written there."""
    path = folder / WEIGHTS_NAME
    if path.is_file():
        return load_evidence(path)
    settings = EvidenceSettings(
        pieces=pieces_of(data.texts, vocabulary),
        backbone=backbone.name,
        backbone_digest=backbone.digest,
        vocabulary_digest=vocabulary.digest,
        channels=backbone.map_channels,
        cells=cells,
        longest=longest,
    )
    evidence = fit(data.maps, data.texts, settings.pieces, silent=UNKNOWN + 1)
    best = np.argsort(-evidence.visible)[:8]
    print(
        f"{(evidence.visible > 0).sum()} of {len(settings.pieces)} word pieces can be seen in"
        " held-out photos, best:"
        f" {', '.join(vocabulary.tokens[settings.pieces[number]] for number in best)}",
        flush=True,
    )
    return save_evidence(path, settings, evidence)
