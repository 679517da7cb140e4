"""spaces/metric_ser: `evaluate.load` opens it, and it has the rates of hfmusic.metrics.sequence."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hfmusic.metrics import sequence
from hfmusic.metrics.sequence import sequence_error_rate, symbol_error_rate

SPACE = Path(__file__).parents[1] / "spaces" / "metric_ser"
REFERENCES = ["clef-G2\tnote-C4_quarter\tbarline", "rest-half"]
PREDICTIONS = ["clef-G2 note-D4_quarter barline", "rest-half tie"]
PROGRAM = """
import json, sys
import evaluate
metric = evaluate.load(sys.argv[1])
references, predictions = json.loads(sys.argv[2])
answers = [metric.compute(references=references, predictions=predictions, kinds=True)]
metric.add(reference=references[0].split(), prediction=predictions[0].split())
answers.append(metric.compute())
try:
    metric.compute(references=[""], predictions=["tie"])
except ValueError as error:
    answers.append(str(error))
print(json.dumps(answers))
"""


def test_evaluate_loads_it_and_it_gives_our_rates(tmp_path: Path) -> None:
    environment = {**os.environ, "HF_HOME": str(tmp_path), "PYTHONPATH": ""}
    command = [sys.executable, "-c", PROGRAM, str(SPACE), json.dumps([REFERENCES, PREDICTIONS])]
    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-800:]
    both, one, error = json.loads(run.stdout.splitlines()[-1])
    wanted, found = ([text.split() for text in texts] for texts in (REFERENCES, PREDICTIONS))
    assert both["symbol_error_rate"] == symbol_error_rate(wanted, found) == 50.0
    assert both["sequence_error_rate"] == sequence_error_rate(wanted, found) == 100.0
    assert (both["edits"], both["symbols"], both["sequences"]) == (2, 4, 2)
    assert both["kinds"]["note pitch"] == both["kinds"]["tie"] == 1
    assert one["symbol_error_rate"] == pytest.approx(100 / 3)
    assert "needs reference symbols" in error


def test_its_mathematics_is_the_packages() -> None:
    ours = Path(sequence.__file__).read_bytes()
    assert (SPACE / "sequence.py").read_bytes() == ours, "run: cp hfmusic/metrics/sequence.py spaces/metric_ser/"


def test_its_page_is_complete() -> None:
    front = yaml.safe_load((SPACE / "README.md").read_text(encoding="utf-8").split("---")[1])
    assert front["sdk"] == "gradio" and {"evaluate", "metric"} <= set(front["tags"])
    assert (SPACE / front["app_file"]).is_file()
    assert {"evaluate", "rapidfuzz"} <= {
        line.split(">")[0] for line in (SPACE / "requirements.txt").read_text().split()
    }


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SPACE))
    monkeypatch.delitem(sys.modules, "sequence", raising=False)
    spec = importlib.util.spec_from_file_location("metric_page", SPACE / "app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["sequence"]


def test_its_page_scores_texts(page: Any) -> None:
    found = page.scores(page.REFERENCE, page.RECOGNISED)
    assert (found["symbol_error_rate"], found["edits"], found["note duration"]) == (25.0, 1, 1)
    assert page.scores("a b", "")["symbol_error_rate"] == 100.0
    with pytest.raises(ValueError, match="as many predictions as references"):
        page.scores("a\nb", "a")
