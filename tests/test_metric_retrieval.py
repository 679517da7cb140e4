"""spaces/metric_retrieval: `evaluate.load` opens it, and it has the scores of hfmusic.metrics.ranking."""

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

from hfmusic.metrics import ranking
from hfmusic.metrics.ranking import ranking_scores

SPACE = Path(__file__).parents[1] / "spaces" / "metric_retrieval"
QUERIES = [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.75, 0.25]]
CANDIDATES = [[0.5, 0.25], [0.25, 0.5], [0.5, 0.25], [1.0, 0.0]]
IDS = ["a", "b", "a", "c"]

PROGRAM = """
import json, sys
import evaluate
metric = evaluate.load(sys.argv[1])
queries, candidates, ids = map(json.loads, sys.argv[2:])
answers = [metric.compute(predictions=queries, references=candidates)]
metric.add_batch(predictions=queries, references=candidates)
answers.append(metric.compute(ids=ids, ks=[1, 2]))
try:
    metric.compute(predictions=[[1.0], [1.0, 2.0]], references=[[1.0], [1.0]])
except ValueError as error:
    answers.append(str(error))
print(json.dumps(answers))
"""


def test_evaluate_loads_it_and_it_gives_our_scores(tmp_path: Path) -> None:
    given = [json.dumps(rows) for rows in (QUERIES, CANDIDATES, IDS)]
    environment = {**os.environ, "HF_HOME": str(tmp_path), "PYTHONPATH": ""}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(SPACE), *given],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-800:]
    plain, named, error = json.loads(run.stdout.splitlines()[-1])
    assert plain == ranking_scores(QUERIES, CANDIDATES)
    assert named == ranking_scores(QUERIES, CANDIDATES, ids=IDS, ks=(1, 2))
    assert error == "predictions must be vectors of one size, got [1, 2]"


def test_its_mathematics_is_the_packages() -> None:
    ours = Path(ranking.__file__).read_bytes()
    assert (SPACE / "ranking.py").read_bytes() == ours, "run: cp hfmusic/metrics/ranking.py spaces/metric_retrieval/"


def test_its_page_is_complete() -> None:
    front = yaml.safe_load((SPACE / "README.md").read_text(encoding="utf-8").split("---")[1])
    assert front["sdk"] == "gradio" and {"evaluate", "metric"} <= set(front["tags"])
    assert (SPACE / front["app_file"]).is_file()
    assert {"evaluate", "numpy"} <= {line.split(">")[0] for line in (SPACE / "requirements.txt").read_text().split()}


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SPACE))
    monkeypatch.delitem(sys.modules, "ranking", raising=False)
    spec = importlib.util.spec_from_file_location("retrieval_page", SPACE / "app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["ranking"]


def test_its_page_scores_texts(page: Any) -> None:
    assert page.scores(page.QUERIES, page.CANDIDATES)["r@1"] == pytest.approx(2 / 3, abs=1e-4)
    assert page.scores("# two\n1, 0\n\n0, 1\n", "1 0\n0 1")["mrr"] == 1.0
    with pytest.raises(ValueError, match="line 2: wanted numbers, got 'la'"):
        page.vectors_of("0 1 60\nla")
    with pytest.raises(ValueError, match="line 3: wanted 2 numbers as above, got 1"):
        page.vectors_of("0 1\n\n1")
