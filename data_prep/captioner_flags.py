"""The flags of the commands that let a captioner look at records: which one, and what it
is to do.
"""

import pathlib

from absl import flags

from data_prep.alignment.caption_regions import HEATS, WORDS, CaptionRegions, CaptionSettings
from data_prep.alignment.captioner_training import WEIGHTS_NAME as CAPTIONER_NAME
from data_prep.alignment.phrase_maps import KIND as PHRASES
from data_prep.alignment.phrase_maps import WEIGHTS_NAME as PHRASES_NAME
from data_prep.alignment.phrase_maps import load_maps
from data_prep.alignment.phrase_regions import PhraseRegions
from data_prep.alignment.show_attend_tell import load_captioner
from data_prep.alignment.word_evidence import WEIGHTS_NAME as EVIDENCE_NAME
from data_prep.alignment.word_evidence import load_evidence
from data_prep.photo_flags import backbone_of_flags, define_photo_flags
from kaleido_tf.errors import InputError
from kaleido_tf.files.safetensors_file import SafetensorsFile


def define_captioner_flags(words: str) -> None:
    """Defines them; the command adopts them as its own (`flags.adopt_module_key_flags`), for
    --help. `words`: default of --words.
    """
    default = CaptionSettings()
    flags.DEFINE_string("captioner", "", "Folder or file that data_prep.train_captioner wrote.")
    flags.DEFINE_string(
        "evidence",
        "",
        "Folder or file that data_prep.train_word_evidence wrote; default: beside --captioner.",
    )
    flags.DEFINE_enum(
        "words",
        words,
        WORDS,
        "own: the words of the product's own text; generated: those that a captioner finds.",
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
    define_photo_flags()


def captions_are_asked_for() -> bool:
    """Whether a network is named that finds words in photos."""
    return bool(flags.FLAGS.captioner or flags.FLAGS.evidence)


def regions_of_flags() -> CaptionRegions | PhraseRegions:
    """What finds words in photos, as the flags say. Raises: InputError for files that cannot be
    used.
    """
    values = flags.FLAGS
    words = values.words
    if not values.captioner and not flags.FLAGS["words"].present:
        words = "own"  # evidence alone says nothing of its own
    settings = CaptionSettings(words, values.heat, values.beam)
    phrases = _phrases_file(values.evidence)
    if phrases is not None:
        if settings.needs_captioner:
            raise InputError(
                f"--words={words} --heat={values.heat} need word evidence (data_prep."
                f"train_word_evidence --method=words). Received: phrase maps, {phrases}"
            )
        return PhraseRegions(load_maps(phrases))
    captioner = evidence = None
    if settings.needs_captioner and values.captioner:
        captioner = load_captioner(_file(values.captioner, CAPTIONER_NAME))
    if settings.heat == "evidence" and captions_are_asked_for():
        # Training a captioner leaves evidence beside it.
        place = pathlib.Path(values.evidence or values.captioner)
        place = place if place.is_dir() or values.evidence else place.parent
        evidence = load_evidence(_file(place, EVIDENCE_NAME))
    network = captioner or evidence
    if network is None:  # says what is missing
        return CaptionRegions(None, settings, captioner, evidence)
    backbone = backbone_of_flags(network.settings.backbone)
    return CaptionRegions(backbone, settings, captioner, evidence, values.catalogue)


def _phrases_file(evidence: str) -> pathlib.Path | None:
    """The phrase maps that --evidence names, or None if it names none."""
    path = _file(evidence, PHRASES_NAME) if evidence else pathlib.Path()
    is_one = path.is_file() and SafetensorsFile(path).metadata.get("kind") == PHRASES
    return path if is_one else None


def _file(path: str | pathlib.Path, name: str) -> pathlib.Path:
    path = pathlib.Path(path)
    return path / name if path.is_dir() else path
