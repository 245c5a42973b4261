"""The command holds a text encoder against a golden file, and fails where they differ."""

import numpy as np

from tests import text_encoders
from tests.end_to_end.commands import run
from tests.text_encoders import IDS, MASK


def test_differences_are_printed_and_decide_the_status(tmp_path):
    tensors = text_encoders.draw()
    folder = text_encoders.write(tmp_path / "encoder", tensors)
    golden = {"input_ids": IDS, "input_mask": MASK.astype(np.int32), **text_encoders.bert(tensors)}
    golden["layer_0"][~MASK] = 7  # padding is not compared
    np.savez(folder / "golden.npz", **golden)
    command = ("-m", "benchmarks.text_encoder_parity", f"--weights={folder}")
    output = run(*command, cwd=tmp_path)
    for name in ("embedding_output", "layer_0", "last_hidden_state", "pooled_output"):
        assert f"\n{name} " in output
    golden["pooled_output"] = golden["pooled_output"] + 3e-5
    np.savez(tmp_path / "other.npz", **golden)
    output = run(*command, f"--golden={tmp_path}/other.npz", cwd=tmp_path, status=1)
    assert "above 2e-05: pooled_output" in output
