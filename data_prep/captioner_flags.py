"""The flags of the commands that let a captioner look at records: which one, and what it
is to do.
"""

import pathlib

from absl import flags

from data_prep.alignment.caption_regions import HEATS, WORDS, CaptionRegions, CaptionSettings
from data_prep.alignment.captioner_training import WEIGHTS_NAME
from data_prep.alignment.show_attend_tell import load_captioner
from data_prep.features.backbones import build_backbone


def define_captioner_flags(words: str) -> None:
    """Defines them; the command adopts them as its own (`flags.adopt_module_key_flags`), for
    --help. `words`: default of --words.
    """
    default = CaptionSettings()
    flags.DEFINE_string("captioner", "", "Folder or file that data_prep.train_captioner wrote.")
    flags.DEFINE_enum(
        "words",
        words,
        WORDS,
        "own: the captioner reads the product's own text; generated: it speaks freely.",
    )
    flags.DEFINE_enum(
        "heat",
        default.heat,
        HEATS,
        "A word's heat map: evidence is what the photo's cells say for it; attention is where the"
        " decoder looked, as in the paper.",
    )
    flags.DEFINE_integer(
        "beam", default.beam, "Captions kept while words are generated; 1 is greedy.", lower_bound=1
    )
    flags.DEFINE_string(
        "backbone_weights",
        "imagenet",
        "Of the records' backbone: imagenet, random, or the path of a Keras HDF5 file.",
    )
    flags.DEFINE_string(
        "catalogue", "", "Where the catalogue is now; default: where the records say it was."
    )


def captioner_of_flags() -> tuple[CaptionRegions, dict]:
    """(the captioner at work, what `dataset.json` is to say of it). Raises: InputError for files
    that cannot be used.
    """
    values = flags.FLAGS
    path = pathlib.Path(values.captioner)
    captioner = load_captioner(path / WEIGHTS_NAME if path.is_dir() else path)
    backbone = build_backbone(captioner.settings.backbone, values.backbone_weights)
    regions = CaptionRegions(
        captioner,
        backbone,
        CaptionSettings(values.words, values.heat, values.beam),
        values.catalogue,
    )
    beam = {"beam": values.beam} if values.words == "generated" else {}
    return regions, {
        "source": "captioner",
        "captioner_digest": captioner.digest,
        "words": values.words,
        "heat": values.heat,
        **beam,
    }
