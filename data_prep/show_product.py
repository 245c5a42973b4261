"""Pictures of products: `python -m data_prep.show_product --records=records/valid
--product_id=0145872052`.

One PNG a product: its photo with mask and crop box, the five levels of patches, the generated
caption, the words and the patches that they are aligned with, and one training example after
masking. The example is a real one: what a training run on these very records with these very flags
shows of the photo.

Of records of pixels, with --model: the photo, the photo masked, and what the model (MVLT) makes of
it; the masked words, and what it takes them for.
"""

import os

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import dataclasses
import pathlib

from absl import flags

from data_prep import captioner_flags
from data_prep.captioner_flags import (
    captions_are_asked_for,
    define_captioner_flags,
    regions_of_flags,
)
from data_prep.pictures.product_view import ProductViews
from data_prep.pictures.reconstruction_view import ReconstructionViews
from kaleido_tf.command import run_command
from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings
from kaleido_tf.command_line.shared_flags import asked_length
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES, check_settings, read_config
from kaleido_tf.files.file_names import picture_names
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.whole_files import check_writable
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.objectives.pretraining_config import PretrainingConfig
from kaleido_tf.records.dataset_json import declared_by, layout_of, size_of
from kaleido_tf.records.record import KALEIDO

flags.DEFINE_string(
    "records",
    None,
    "Records of write_kaleido_records or write_pixel_records: a folder, a file, a glob, a list"
    " file.",
    required=True,
)
flags.DEFINE_list("product_id", [], "Products to show, by their first photo.")
flags.DEFINE_list("image_id", [], "Photos to show, <product_id>_<n>.")
flags.DEFINE_string("output_dir", ".", "Where <product_id>.png or <image_id>.png is written.")
flags.DEFINE_string(
    "foreground_weights",
    "",
    "Records made with --foreground=unet or onnx: the file of the network, to show its mask.",
)
flags.DEFINE_string(
    "foreground_preprocessing",
    "",
    "Records made with --foreground=onnx: the JSON file that they were made with.",
)
flags.DEFINE_string(
    "foreground_masks",
    "",
    "Records made with --foreground=masks: their folder now; default: where dataset.json says it"
    " was.",
)
flags.DEFINE_string(
    "model",
    "",
    "Records of pixels: folder or checkpoint of the trained model whose reconstruction is shown.",
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
define_setting_flags(ExamplesConfig)
define_setting_flags(PretrainingConfig, names=("tasks",))
FLAGS = flags.FLAGS


def main(_):
    if not FLAGS.product_id and not FLAGS.image_id:
        raise InputError(
            "--product_id or --image_id is needed: which products to show. Received: neither"
        )
    check_writable(FLAGS.output_dir)
    files = find_files(FLAGS.records)
    holds_pixels = layout_of(declared_by(files), files[0]).holds_pixels
    if bool(FLAGS.model) != holds_pixels:
        needed = "--model (a trained MVLT) is needed" if holds_pixels else "--model is for pixels"
        raise InputError(
            f"{needed}: --records={FLAGS.records} holds"
            f" {'photos' if holds_pixels else 'patch features'}"
        )
    views = reconstruction_views() if holds_pixels else product_views()
    # Looked up before the first is drawn, so that a wrong id is known at once.
    names = [(name, views.first_image(name)) for name in FLAGS.product_id] + [
        (name, views.check_image(name)) for name in FLAGS.image_id
    ]
    for file, image_id in picture_names(names).items():
        path = pathlib.Path(FLAGS.output_dir) / file
        sheet = views.draw(image_id, FLAGS.epoch)
        sheet.save(path)
        print(f"{path}: {sheet.width} x {sheet.height} pixels, image {image_id}", flush=True)


def product_views() -> ProductViews:
    """Of records of Kaleido-BERT."""
    config = model_config()
    tasks = read_settings(PretrainingConfig).tasks
    check_settings(config, tasks, None)
    settings = read_settings(ExamplesConfig, text_length=asked_length() or config.text_seq_len)
    config = dataclasses.replace(config, patch_feature_size=size_of(find_files(FLAGS.records)))
    captioner = regions_of_flags() if captions_are_asked_for() else None
    return ProductViews(
        FLAGS.records,
        settings,
        config,
        tasks,
        FLAGS.catalogue,
        FLAGS.foreground_weights,
        FLAGS.foreground_masks,
        captioner,
        FLAGS.foreground_preprocessing,
    )


def reconstruction_views() -> ReconstructionViews:
    """Of records of pixels, as the model of --model sees them."""
    from kaleido_tf.command_line.pretrained_model import open_pretrained

    model, vocabulary = open_pretrained(FLAGS.model)
    settings = read_settings(ExamplesConfig, text_length=model.text_length)
    return ReconstructionViews(FLAGS.records, settings, model, vocabulary)


def model_config() -> KaleidoBertConfig:
    """The config that the run would have: what the file says, else the defaults; its feature size
    is the records' business.
    """
    config = read_config(FLAGS.model_config) if FLAGS.model_config else KaleidoBertConfig()
    family = FAMILIES[config.model_type]
    if KALEIDO not in family.layouts:
        raise InputError(
            f"--model_config: a model of records of layout {KALEIDO.name} is needed."
            f" {FLAGS.model_config} is of type {config.model_type}"
        )
    return config


if __name__ == "__main__":
    run_command(main)
