"""The pseudo-attributes of a catalogue, which FashionViL learns to name:

    python -m data_prep.write_pseudo_attributes --catalogue=shop --output=shop/pseudo_attributes.txt

Counts the words of the training texts that can name a garment or what it is like
(data_prep/attributes/attribute_words.py) and writes those that occur often, one a line.
"""

import dataclasses
import os
import pathlib

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from data_prep.attributes.attribute_words import count_attributes
from data_prep.catalogue.reading import FORMS, read_catalogue
from data_prep.record_writing.record_settings import TEXT_FIELDS, product_text
from kaleido_tf.command import run_command
from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings
from kaleido_tf.data.pseudo_attributes import AttributeVocabulary, write_attributes
from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import check_writable
from kaleido_tf.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class AttributeSettings:
    """Which words become attributes; the paper's numbers, on 373,525 products."""

    min_count: int = setting(
        100, "min_count", "The fewest times that an attribute occurs.", lowest=1
    )
    max_attributes: int = setting(2232, "max_attributes", "The most attributes.", lowest=1)
    text_field: str = setting(
        "title_and_description", "text_field", "Which text is counted.", choices=TEXT_FIELDS
    )
    split: str = setting("train", "split", "Split of the catalogue whose texts are counted.")
    on_bad_record: str = setting(
        "fail",
        "on_bad_record",
        "What an unusable line or row of the catalogue does: fail stops at the first, skip leaves"
        " it out.",
        choices=("fail", "skip"),
    )

    def __post_init__(self):
        check_settings(self)


flags.DEFINE_string("catalogue", None, FORMS, required=True)
flags.DEFINE_string("output", None, "The file to write.", required=True)
flags.DEFINE_bool(
    "keep_markup", False, "Keep entities and tags of HTML in texts, as the records do it."
)
define_setting_flags(AttributeSettings)
FLAGS = flags.FLAGS


def main(_):
    settings = read_settings(AttributeSettings)
    check_writable(pathlib.Path(FLAGS.output).parent)
    catalogue = read_catalogue(FLAGS.catalogue, settings.on_bad_record == "skip", FLAGS.keep_markup)
    products = catalogue.of_split(settings.split)
    texts = [product_text(product, settings.text_field) for product in products]
    counted = count_attributes(texts, settings.min_count, settings.max_attributes)
    if not counted:
        raise InputError(
            f"Words that occur {settings.min_count} times are needed. Received: none in"
            f" {len(texts)} texts of {FLAGS.catalogue}; a lower --min_count takes rarer ones"
        )
    words, counts = zip(*counted)
    write_attributes(
        FLAGS.output, AttributeVocabulary(words, counts, catalogue.digest, settings.text_field)
    )
    print(
        f"{FLAGS.output}: {len(words)} attributes of {len(texts)} {settings.split} texts, from"
        f" {words[0]} ({counts[0]} times) to {words[-1]} ({counts[-1]} times)"
    )


if __name__ == "__main__":
    run_command(main)
