"""Fine-tunes a model of any family for a task: flags to a run. Category (`catepred`) and
sub-category (`subcatepred`) recognition, captioning (`caption`), ranking (`retrieval`), finding a
photo by another one and a text of what is to change (`text_guided_retrieval`), and finding what
completes an outfit (`outfits`).

The original script's command lines run as they are (run_configs/original_catepred.cfg,
original_subcatepred.cfg).
"""

import os
import sys

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from kaleido_tf.captioning.caption_config import CaptionTraining, Writing
from kaleido_tf.command import run_command
from kaleido_tf.command_line import shared_flags
from kaleido_tf.command_line.setting_flags import define_setting_flags
from kaleido_tf.command_line.shared_flags import define_shared_flags, is_given
from kaleido_tf.command_line.workers import as_worker
from kaleido_tf.data.outfit_config import OutfitConfig
from kaleido_tf.data.triplet_config import TripletConfig
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.caption_tokenizers import TOKENIZERS
from kaleido_tf.objectives.fine_tuning_config import FineTuningConfig
from kaleido_tf.objectives.list_config import ListConfig
from kaleido_tf.objectives.recognition_config import RecognitionConfig


def _recognition():
    from kaleido_tf.command_line import recognition_task

    return recognition_task


def _captioning():
    from kaleido_tf.command_line import caption_task

    return caption_task


def _retrieval():
    from kaleido_tf.command_line import retrieval_task

    return retrieval_task


def _text_guided_retrieval():
    from kaleido_tf.command_line import text_guided_task

    return text_guided_task


def _outfits():
    from kaleido_tf.command_line import outfit_task

    return outfit_task


TASKS = {
    "catepred": _recognition,
    "subcatepred": _recognition,
    "caption": _captioning,
    "retrieval": _retrieval,
    "text_guided_retrieval": _text_guided_retrieval,
    "outfits": _outfits,
}
"""Task -> what gives the module that runs it; imported when it is wanted, as TensorFlow takes
seconds.
"""

# Flags of the original script beside the shared ones.
flags.DEFINE_enum(
    "mode",
    "train_and_evaluate",
    ["train_and_evaluate", "train", "evaluate", "predict"],
    "What to do.",
)
flags.DEFINE_enum(
    "task",
    None,
    list(TASKS),
    "What is learnt: to recognise the category or the sub-category, to write captions, to rank"
    " candidates, to find a photo by another one and a text of what is to change, or to find what"
    " completes an outfit.",
    required=True,
)
flags.DEFINE_string(
    "output_dir",
    None,
    "Where evaluate and predict leave their files; default: `evaluation` in --model_dir or in the"
    " checkpoint's folder, and that folder itself. Not used in training, as in the original.",
)
flags.DEFINE_string("predict_input_fp", None, "Records of --mode=predict.")
flags.DEFINE_integer(
    "predict_batch_size", 64, "Examples a replica and step in predict.", lower_bound=1
)

# Flags of this project.
flags.DEFINE_string(
    "model_config",
    None,
    "config.json of a new model, as pretrain_main.py takes it; without it and without"
    " --pretrain_model_name_or_path there is no model to train. A model of a family brings its own"
    " (--dropout changes what is often changed).",
)
flags.DEFINE_integer(
    "num_classes",
    None,
    "Of rows: number of classes; default: Fashion-Gen's 48 categories or 122 sub-categories, as in"
    " the original. Records bring the names of their classes.",
    lower_bound=2,
)
flags.DEFINE_integer(
    "top_classes", 5, "Classes of an image that --mode=predict writes.", lower_bound=1
)
flags.DEFINE_enum(
    "photos", "all", ["all", "first"], "Photos of a product that its caption is written from."
)
flags.DEFINE_enum(
    "caption_words",
    None,
    TOKENIZERS,
    "Tokenizer that captions are compared by: words is built in, ptb (COCO's, which METEOR needs)"
    " comes with the extra captions; default: ptb where that is installed.",
)
define_setting_flags(FineTuningConfig)
define_setting_flags(RecognitionConfig)
define_setting_flags(CaptionTraining)
define_setting_flags(Writing)
define_setting_flags(ListConfig)
define_setting_flags(TripletConfig)
define_setting_flags(OutfitConfig)
define_shared_flags()
flags.adopt_module_key_flags(shared_flags)
FLAGS = flags.FLAGS


def main(_):
    mirrored = ("retrieval", "text_guided_retrieval", "outfits")
    if is_given("mirror_probability") and FLAGS.task not in mirrored:
        raise InputError(
            f"--mirror_probability is for --task={', '.join(mirrored)}. Received:"
            f" --task={FLAGS.task}"
        )
    with as_worker():
        TASKS[FLAGS.task]().run(sys.modules[__name__])


if __name__ == "__main__":
    run_command(main)
