import json

import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.models.mvlt.config import DEPTHS, MvltConfig


def test_sizes_of_the_pyramid():
    assert MvltConfig() == MvltConfig.of_size("tiny")
    assert MvltConfig.of_size("large", image_side=224).depths == (3, 8, 27, 3)
    assert list(DEPTHS) == ["tiny", "small", "medium", "large"]
    with pytest.raises(InputError, match="tiny, small, medium, large. Received: huge"):
        MvltConfig.of_size("huge")


def test_own_file_is_read_back_equal():
    config = MvltConfig.of_size("small", widths=(16, 32, 60, 88), text_seq_len=20)
    content = json.loads(json.dumps(config.to_dict()))
    assert content["model_type"] == "mvlt"
    assert MvltConfig.from_dict(content) == config


@pytest.mark.parametrize(
    "content, message",
    [
        ({"image_side": 250}, "`image_side` must be a multiple of 32 pixels.*Received: 250"),
        ({"position_side": 16}, "`position_side` must be a multiple of 32.*Received: 16"),
        ({"depths": [2, 2, 2]}, "`depths` must be 4 whole numbers.*Received: .2, 2, 2."),
        ({"heads": [1, 2, 0, 8]}, "`heads` must be 4 whole numbers"),
        ({"heads": [1, 2, 3, 8]}, "`widths` must be multiples of `heads`"),
        ({"image_side": 96, "reduction_ratios": [8, 4, 7, 1]}, "24, 12, 6, 3 patches.*8, 4, 7, 1"),
        ({"mlp_ratios": 4}, "`mlp_ratios` must be tuple"),
        ({"text_seq_len": 513}, "at most `max_position_embeddings`=512. Received: 513"),
        ({"vocab_size": 0}, "`vocab_size` must be at least 1"),
        ({"drop_path_prob": 1.0}, "`drop_path_prob` must be in .0, 1.. Received: 1.0"),
        ({"image_loss_weight": -1.0}, "`image_loss_weight` must be at least 0"),
        ({"wdiths": [1, 2, 3, 4]}, "unknown key wdiths. Is widths meant"),
        ({"model_type": "imagebert"}, "`model_type` must be mvlt"),
    ],
)
def test_bad_files_are_refused(content, message):
    with pytest.raises(InputError, match=message):
        MvltConfig.from_dict(content)
