"""`captioner.json` beside a fine-tuned model: how it writes."""

import dataclasses
import pathlib

from kaleido_tf.captioning.caption_config import ATTENTIONS, FULL
from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.whole_files import write_json

NAME = "captioner.json"


@dataclasses.dataclass(frozen=True)
class CaptionerFile:
    """Args: attention: that it was trained with. median_length: word pieces of the median text of
    training.
    """

    attention: str
    median_length: int

    @property
    def writes_forward(self) -> bool:
        """Whether captions are written piece by piece, not filled into a text of one length."""
        return self.attention != FULL

    def write(self, folder: pathlib.Path) -> None:
        """Writes it into `folder`."""
        write_json(folder / NAME, {"task": "caption", **dataclasses.asdict(self)})


def read_captioner_file(folder: pathlib.Path) -> CaptionerFile:
    """What a model's folder says. Raises: InputError if it holds no captioner, or a broken file."""
    path = folder / NAME
    if not path.is_file():
        raise InputError(
            "A model that was fine-tuned for --task=caption is needed. Received:"
            f" {folder} (there is no {NAME} in it)"
        )
    content = read_json_object(path)
    attention, length = content.get("attention"), content.get("median_length")
    if attention not in ATTENTIONS or not isinstance(length, int) or length < 1:
        raise InputError(
            f"{path}: `attention` ({', '.join(ATTENTIONS)}) and `median_length` are needed."
            f" Received: {attention!r}, {length!r}"
        )
    return CaptionerFile(attention, length)
