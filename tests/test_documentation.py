"""What the documents show is run here."""

import pathlib
import re

from kaleido_tf.records import record
from kaleido_tf.records.record import KALEIDO
from tests import small_records

ROOT = pathlib.Path(__file__).parents[1]


def test_code_of_records_md_reads_records(tmp_path, monkeypatch):
    small_records.write(tmp_path / "records" / "train", 7, per_shard=3)
    code = re.search(
        r"```python\n(.*?)```", (ROOT / "docs" / "records.md").read_text(), re.S
    ).group(1)
    assert len([line for line in code.splitlines() if line]) <= 18
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, "docs/records.md", "exec"), names)  # our own document, not a download
    found = list(names["dataset"].as_numpy_iterator())
    assert [r["product_id"] for r in found] == [f"P{n:03d}".encode() for n in range(7)]
    assert found[0]["patch_features"].shape == (55, small_records.FEATURE_SIZE)


def test_records_md_names_every_feature():
    text = (ROOT / "docs" / "records.md").read_text()
    described = set(
        re.findall(
            r"`(\w+)`",
            "\n".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `")),
        )
    )
    assert described >= {*record._FIXED, *KALEIDO.blocks, "patch_boxes", *record._LISTS}
