"""spaces/metric_note_f1: `evaluate.load` opens it, and it has the scores of hfmusic.metrics.notes."""

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

from hfmusic.data.recordings import Note
from hfmusic.metrics import notes
from hfmusic.metrics.notes import mean_scores, note_scores

SPACE = Path(__file__).parents[1] / "spaces" / "metric_note_f1"
REFERENCES = [[Note(0.0, 1.0, 60, 40), Note(1.0, 2.0, 62, 90, 3)], []]
ESTIMATES = [[Note(0.02, 0.5, 60, 80)], [Note(0.0, 1.0, 50, 64)]]

# Every form of a note: rows of a dataset's column, plain lists, and lists without velocity.
PROGRAM = """
import json, sys
import evaluate
metric = evaluate.load(sys.argv[1])
names = ("onset_seconds", "offset_seconds", "pitch_midi", "velocity", "string")
references = [[dict(zip(names, note)) for note in notes] for notes in json.loads(sys.argv[2])]
estimates = [[note[:4] for note in notes] for notes in json.loads(sys.argv[3])]
answers = [metric.compute(references=references, predictions=estimates)]
metric.add(reference=references[0], prediction=[note[:3] for note in estimates[0]])
answers.append(metric.compute(per_recording=True, frame_seconds=0.02))
try:
    metric.compute(references=[[[0.0, 1.0]]], predictions=[[]])
except ValueError as error:
    answers.append(str(error))
print(json.dumps(answers))
"""


def test_evaluate_loads_it_and_it_gives_our_scores(tmp_path: Path) -> None:
    given = [json.dumps(tracks) for tracks in (REFERENCES, ESTIMATES)]
    environment = {**os.environ, "HF_HOME": str(tmp_path), "PYTHONPATH": ""}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(SPACE), *given],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-800:]
    mean, one, error = json.loads(run.stdout.splitlines()[-1])
    assert mean == mean_scores([note_scores(*pair) for pair in zip(REFERENCES, ESTIMATES, strict=True)])
    plain = [note._replace(velocity=64) for note in ESTIMATES[0]]
    assert one == {"recordings": [note_scores(REFERENCES[0], plain, frame_seconds=0.02)]}
    assert error == "a note must have onset_seconds, offset_seconds, pitch_midi, velocity, got [0.0, 1.0]"


def test_its_mathematics_is_the_packages() -> None:
    ours = Path(notes.__file__).read_bytes()
    assert (SPACE / "notes.py").read_bytes() == ours, "run: cp hfmusic/metrics/notes.py spaces/metric_note_f1/"


def test_its_page_is_complete() -> None:
    front = yaml.safe_load((SPACE / "README.md").read_text(encoding="utf-8").split("---")[1])
    assert front["sdk"] == "gradio" and {"evaluate", "metric"} <= set(front["tags"])
    assert (SPACE / front["app_file"]).is_file()
    assert {"evaluate", "mir_eval"} <= {line.split(">")[0] for line in (SPACE / "requirements.txt").read_text().split()}


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SPACE))
    monkeypatch.delitem(sys.modules, "notes", raising=False)
    spec = importlib.util.spec_from_file_location("metric_page", SPACE / "app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["notes"]


def test_its_page_scores_texts(page: Any) -> None:
    assert page.scores(page.REFERENCE, page.ESTIMATE)["note_f1"] == pytest.approx(2 / 3, abs=1e-4)
    assert page.scores("# onset,offset,note\n0,1,60\n\n", "0 1 60 70")["note_velocity_f1"] == 1.0
    with pytest.raises(ValueError, match="line 2: wanted onset, offset, pitch and velocity, got 'la'"):
        page.notes_of("0 1 60\nla")
