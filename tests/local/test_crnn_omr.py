"""The shipped checkpoint on genuine PrIMuS pictures, none of which it was trained on."""

from __future__ import annotations

from pathlib import Path

from hfmusic.evaluate import evaluate


def test_the_shipped_model_reads_genuine_staves(data_dir: Path) -> None:
    rows = {row["metric"]: row for row in evaluate("crnn-omr", data_dir / "primus" / "pairs")}
    assert rows["symbol_error_rate"]["n"] == 40
    assert rows["symbol_error_rate"]["value"] <= 5.0
    assert rows["sequence_error_rate"]["value"] <= 50.0
