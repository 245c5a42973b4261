"""Sizes from flags, and what cannot be."""

import pytest

from data_prep.patch_tokens.token_settings import TokenSettings
from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig


def test_sizes_are_the_release_s_by_default():
    assert TokenSettings().config(224) == TokenizerConfig()
    small = TokenSettings(multipliers="1, 3", image_side=6).config(9)
    assert (small.multipliers, small.image_side, small.grid) == ((1, 3), 6, 3)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"image_side": 256}, "--image_side must be at most the 224 pixels .* Received: 256"),
        ({"multipliers": "1,x"}, "--multipliers must be whole numbers .* Received: '1,x'"),
        ({"multipliers": ""}, "--multipliers must be whole numbers .* Received: ''"),
        ({"hidden_dim": 33}, "`hidden_dim` must be a multiple of 32"),
        ({"image_side": 100}, "`image_side` must be a multiple of 32 pixels"),
        ({"decay": 1.0}, "--decay must be"),
        ({"holdout": 0.0}, "--holdout must be above 0"),
        ({"reconstruction": "l3"}, "--reconstruction must be one of l1, l2. Received: l3"),
    ],
)
def test_values_that_cannot_be(changes, message):
    with pytest.raises(InputError, match=message):
        TokenSettings(**changes).config(224)
