"""A pre-trained model as a command looks at it: built with the heads that its weights have."""

import os

from kaleido_tf.command_line.examples import open_vocabulary
from kaleido_tf.command_line.model_source import model_to_use, tasks_there
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.families import build_model
from kaleido_tf.text import Vocabulary


def open_pretrained(path: str | os.PathLike) -> tuple[object, Vocabulary]:
    """(the model with its weights, its vocabulary). Args: path: a folder or checkpoint, as
    --predict_checkpoint_path takes it. Raises: InputError if there is no model.
    """
    source = model_to_use(str(path), None)
    model = build_model(source.config, tasks_there(source.start, source.config), None)
    _ = model.pretrainer
    load_weights(model, source.start)
    return model, open_vocabulary(source.vocabulary, source.config)
