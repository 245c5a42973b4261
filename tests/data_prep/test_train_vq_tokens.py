"""The command trains, says the baseline beside, and bad input ends in one message."""

import pytest

from kaleido_tf.models.fashion_vil.tokenizer_file import load_tokenizer
from tests import checked_photos, small_records
from tests.end_to_end.commands import run

TINY = (
    "--hidden_dim=32",
    "--multipliers=1,2",
    "--num_blocks=1",
    "--z_channels=6",
    "--code_dim=3",
    "--num_codes=9",
    "--holdout=0.3",
    "--epochs=1",
    "--batch_size=5",
)
COMMAND = ("-m", "data_prep.train_vq_tokens")


def test_from_records_to_a_tokenizer(tmp_path):
    checked_photos.write(tmp_path / "records", 20, side=8)
    command = (*COMMAND, "--records=records", "--output_dir=tokenizer", *TINY)
    output = run(*command, "--reconstruction=l1", cwd=tmp_path)
    assert "held out; a grid of 4 x 4 codes" in output
    told = "tokenizer/patch_tokenizer.safetensors: epoch 1, loss "
    assert told in output and " dB (mean colour of each cell: " in output
    assert ", perplexity " in output and " codes in use" in output
    assert load_tokenizer(tmp_path / "tokenizer", grid=4).sizes["num_codes"] == 9
    other = run(*command, cwd=tmp_path, status=1)
    assert "reconstruction: 'l1' there, 'l2' now). Use another --output_dir" in other


@pytest.mark.parametrize(
    "flags, message",
    [
        (("--records=patches",), "Records of pixels are needed"),
        (("--records=empty",), "None in: empty"),
        (("--records=records", "--multipliers=1,1,1,1,1"), "`image_side` must be a multiple of 16"),
        (("--records=records", "--epochs=0"), "--epochs must be at least 1. Received: 0"),
    ],
)
def test_bad_input_ends_in_one_message(tmp_path, flags, message):
    small_records.write(tmp_path / "patches", 3)
    checked_photos.write(tmp_path / "records", 20, side=8)
    (tmp_path / "empty").mkdir()
    output = run(*COMMAND, "--output_dir=tokenizer", *TINY, *flags, cwd=tmp_path, status=1)
    assert output.count("error: ") == 1 and message in output and "Traceback" not in output
    assert not (tmp_path / "tokenizer").exists()
