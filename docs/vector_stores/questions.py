"""What stores are asked for texts, one a line: `python -m docs.vector_stores.questions
--exported=exported_onnx --texts=texts.txt --output=questions.jsonl`. Every line of the output has
`text`, `query` [D], `token_ids` [S] and `text_match_hubness`.
"""

import json

import numpy as np
from absl import flags

from docs.vector_stores.exported import Exported
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_lines
from kaleido_tf.files.whole_files import write_whole
from kaleido_tf.text import Tokenizer, Vocabulary, sequence

flags.DEFINE_string("exported", None, "Folder of --mode=export --format=onnx.", required=True)
flags.DEFINE_string("texts", None, "A file with a text a line.", required=True)
flags.DEFINE_string("output", None, "The file that is written.", required=True)
FLAGS = flags.FLAGS


def main(_):
    """See the module."""
    exported = Exported(FLAGS.exported)
    lines = [json.dumps(question(exported, text)) for text in read_lines(FLAGS.texts) if text]
    write_whole(FLAGS.output, "".join(f"{line}\n" for line in lines))
    print(f"{len(lines)} questions are in {FLAGS.output}")


def question(exported: Exported, text: str) -> dict:
    """See the module. Raises: InputError for a text of no word that the model knows."""
    vocabulary = Vocabulary(exported.folder / "vocab.txt")
    [pieces] = Tokenizer(vocabulary)([text])
    ids = sequence(pieces, exported.text_length, vocabulary)[0][None]
    vector = exported.ask("text_from_ids", "vector", token_ids=ids)[0]
    if not np.any(vector):
        raise InputError(f"A text needs words that the model knows. Received: {text}")
    hubness = exported.ask("text_match_hubness", "match_hubness", token_ids=ids)[0]
    return {
        "text": text,
        "query": vector.tolist(),
        "token_ids": ids[0].tolist(),
        "text_match_hubness": float(hubness),
    }


if __name__ == "__main__":
    run_command(main)
