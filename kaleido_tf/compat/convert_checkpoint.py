"""Converts a model between our checkpoints, TF1 checkpoints of the originals, and safetensors, or
writes its text side in Hugging Face's layout. PyTorch files (.pth, .pt) are read, without running
anything in them.

`--output` is a new folder; config.json and vocab.txt travel along. What the input is, is
recognised.

A TF1 checkpoint of a release, for use here:
  python -m kaleido_tf.compat.convert_checkpoint --input=tf1/model.ckpt-9 --output=own --to=own
A run of ours, for an installation of the original:
  python -m kaleido_tf.compat.convert_checkpoint --input=model_dir --output=for_tf1 --to=tf1
A run of ours, to be handed on:
  python -m kaleido_tf.compat.convert_checkpoint --input=model_dir --output=st --to=safetensors
What was handed on, for use here:
  python -m kaleido_tf.compat.convert_checkpoint --input=st/model.safetensors --output=own --to=own
A TF1 checkpoint to safetensors and back, tensor by tensor:
  python -m kaleido_tf.compat.convert_checkpoint --input=tf1/m.ckpt-9 --output=st --to=safetensors
  python -m kaleido_tf.compat.convert_checkpoint --input=st --output=for_tf1 --to=tf1
A PyTorch file of MVLT's release, for use here (safetensors has its names on the way back):
  python -m kaleido_tf.compat.convert_checkpoint --input=mvlt/m.pth --output=own --to=own
The text side of a run of ours, for transformers and as the start of another run:
  python -m kaleido_tf.compat.convert_checkpoint --input=model_dir --output=text_encoder --to=hf
"""

import os

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags, logging

from kaleido_tf.command import run_command
from kaleido_tf.compat.checkpoints.conversion import convert
from kaleido_tf.compat.checkpoints.weights import KINDS

flags.DEFINE_string(
    "input",
    None,
    "Checkpoint prefix, .safetensors or .pth file, or a folder with one of them.",
    required=True,
)
flags.DEFINE_string("output", None, "New folder.", required=True)
flags.DEFINE_enum(
    "to",
    None,
    KINDS,
    "What is written: a checkpoint of this project (own) or of the originals (tf1), safetensors, or"
    " a text encoder (hf: word embeddings, blocks, pooler and masked-language head, as a BERT).",
    required=True,
)
flags.DEFINE_string("input_config", None, "config.json of the model; default: beside the weights.")
FLAGS = flags.FLAGS


def main(_):
    logging.set_verbosity(logging.WARNING)
    print(convert(FLAGS.input, FLAGS.output, FLAGS.to, FLAGS.input_config))


if __name__ == "__main__":
    run_command(main)
