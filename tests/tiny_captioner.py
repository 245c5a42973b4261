"""Settings of tiny captioners and of their training. All sizes differ."""

from data_prep.alignment.captioner_training import TrainSettings
from data_prep.alignment.pieces import pieces_of
from data_prep.alignment.show_attend_tell import CaptionerSettings
from kaleido_tf.text import Vocabulary

VOCABULARY = Vocabulary()
SETTINGS = CaptionerSettings(
    pieces=pieces_of([[2005, 4000, 2005], [3000]], VOCABULARY),
    backbone="squeezenet",
    backbone_digest="b" * 64,
    vocabulary_digest="v" * 64,
    channels=6,
    cells=3,
    embedding=5,
    units=7,
    attention_units=4,
    longest=8,
)
TRAINING = TrainSettings(
    cells=3,
    embedding=12,
    units=20,
    attention_units=8,
    longest=9,
    epochs=40,
    batch_size=3,
    learning_rate=0.03,
    dropout=0.05,
    seed=4,
)
