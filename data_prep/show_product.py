"""Pictures of products: `python -m data_prep.show_product --records=records/valid
--product_id=0145872052`.

One PNG a product: its photo with mask and crop box, the five levels of patches, the generated
  caption, the words and the patches
that they are aligned with, and one training example after masking. The example is a real one: what
a training run on these very records with these very flags shows of the photo.
"""

import os

# TensorFlow's start-up notes hide what this program says
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import dataclasses
import pathlib

from absl import flags

from data_prep import captioner_flags
from data_prep.captioner_flags import captioner_of_flags, define_captioner_flags
from data_prep.pictures.product_view import ProductViews
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_config
from kaleido_tf.files.file_names import picture_names
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.whole_files import check_writable
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.patches import LEVEL_NAMES
from kaleido_tf.records.dataset_json import feature_size_of
from kaleido_tf.training.run_config import RunConfig

_DEFAULTS = {field.name: field.default for field in dataclasses.fields(RunConfig)}

flags.DEFINE_string(
    "records",
    None,
    "Records of write_kaleido_records: a folder, a file, a glob, a list file.",
    required=True,
)
flags.DEFINE_list("product_id", [], "Products to show, by their first photo.")
flags.DEFINE_list("image_id", [], "Photos to show, <product_id>_<n>.")
flags.DEFINE_string("output_dir", ".", "Where <product_id>.png or <image_id>.png is written.")
flags.DEFINE_string(
    "foreground_weights",
    "",
    "Records made with --foreground=unet: the file of the network, to show its mask.",
)
flags.DEFINE_string(
    "foreground_masks",
    "",
    "Records made with --foreground=masks: their folder now; default: where dataset.json says it"
    " was.",
)
define_captioner_flags(words="generated")
flags.adopt_module_key_flags(captioner_flags)
# What decides a training example, as in pretrain_main.py.
flags.DEFINE_integer(
    "epoch",
    None,
    "Epoch (from 0) whose example is shown; default: the first one that shows the photo with its"
    " own text.",
    lower_bound=0,
)
flags.DEFINE_string(
    "model_config",
    None,
    "config.json of the run: how many patches are masked, and how long texts are.",
)
flags.DEFINE_integer(
    "input_sequence_length",
    None,
    "Text length in word pieces, [CLS] and [SEP] included; default: the config's.",
    lower_bound=3,
)
flags.DEFINE_integer("seed", _DEFAULTS["seed"], "Of order and masks.")
flags.DEFINE_list("kaleido_tasks", list(LEVEL_NAMES), "Kaleido tasks of the run.")
flags.DEFINE_float(
    "masked_lm_prob",
    _DEFAULTS["token_fraction"],
    "Share of word pieces that are masked, at most ten.",
)
flags.DEFINE_boolean(
    "whole_word_masking", _DEFAULTS["whole_words"], "Masks whole words instead of word pieces."
)
flags.DEFINE_enum(
    "masking",
    _DEFAULTS["masking"],
    ["aligned", "random"],
    "aligned: pairs of a word and a patch first; random: as if there were none.",
)
flags.DEFINE_enum(
    "negatives",
    _DEFAULTS["negatives"],
    ["subcategory", "any", "rising"],
    "Where mismatched texts come from.",
)
flags.DEFINE_float(
    "negatives_rise_epochs",
    _DEFAULTS["rise_epochs"],
    "Epochs until --negatives=rising draws from the sub-category only.",
)
FLAGS = flags.FLAGS


def main(_):
    if not FLAGS.product_id and not FLAGS.image_id:
        raise InputError(
            "--product_id or --image_id is needed: which products to show. Received: neither"
        )
    unknown = sorted(set(FLAGS.kaleido_tasks) - {*LEVEL_NAMES, ""})
    if unknown:
        raise InputError(
            f"--kaleido_tasks must be of {', '.join(LEVEL_NAMES)}. Received: {', '.join(unknown)}"
        )
    config = model_config()
    check_writable(FLAGS.output_dir)
    config = dataclasses.replace(
        config, patch_feature_size=feature_size_of(find_files(FLAGS.records))
    )
    captioner = captioner_of_flags()[0] if FLAGS.captioner else None
    views = ProductViews(
        FLAGS.records,
        run_config(config),
        config,
        FLAGS.catalogue,
        FLAGS.foreground_weights,
        FLAGS.foreground_masks,
        captioner,
    )
    # Looked up before the first is drawn, so that a wrong id is known at once.
    wanted = [(name, views.first_image(name)) for name in FLAGS.product_id] + [
        (name, views.check_image(name)) for name in FLAGS.image_id
    ]
    for file, image_id in picture_names(wanted).items():
        path = pathlib.Path(FLAGS.output_dir) / file
        sheet = views.draw(image_id, FLAGS.epoch)
        sheet.save(path)
        print(f"{path}: {sheet.width} x {sheet.height} pixels, image {image_id}", flush=True)


def model_config() -> KaleidoBertConfig:
    """The config that the run would have: what the file says, else the defaults; its feature size
    is the records' business.
    """
    config = read_config(FLAGS.model_config) if FLAGS.model_config else KaleidoBertConfig()
    if not isinstance(config, KaleidoBertConfig):
        raise InputError(
            f"--model_config: a config of model_type {KaleidoBertConfig.MODEL_TYPE} is needed."
            f" {FLAGS.model_config} is of {config.model_type}"
        )
    return config


def run_config(config: KaleidoBertConfig) -> RunConfig:
    """The part of a run that decides its examples."""
    return RunConfig(
        train_input_fp=FLAGS.records,
        eval_input_fp="",
        model_dir="",
        vocabulary=str(pathlib.Path(find_files(FLAGS.records)[0]).parent / "vocab.txt"),
        text_length=FLAGS.input_sequence_length or config.text_seq_len,
        tasks=tuple(task for task in FLAGS.kaleido_tasks if task),
        token_fraction=FLAGS.masked_lm_prob,
        whole_words=FLAGS.whole_word_masking,
        masking=FLAGS.masking,
        negatives=FLAGS.negatives,
        rise_epochs=FLAGS.negatives_rise_epochs,
        seed=FLAGS.seed,
    )


if __name__ == "__main__":
    run_command(main)
