"""The transcribers that are compared, and the environment of each: made once, in a folder of the user's choice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUNNERS = Path(__file__).parent / "runners"
READY = "ready.json"


@dataclass(frozen=True)
class System:
    """A transcriber.

    Attributes:
        runner: the script that runs it.
        packages: installed with what they need; `alone`: installed without.
        unlinked: a package whose compiled libraries are removed after that.
        about: how it is run, for the report.
    """

    runner: str
    about: str
    packages: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    unlinked: str = ""

    @property
    def recipe(self) -> dict[str, object]:
        """What an environment is made from: another recipe needs another environment."""
        return {"packages": list(self.packages), "alone": list(self.alone), "unlinked": self.unlinked}


SYSTEMS = {
    "hfmusic": System("run_hfmusic.py", "this checkout, with the thresholds that its processor comes with"),
    "basic-pitch": System(
        "run_basic_pitch.py",
        "basic-pitch 0.4.0 (Bittner et al. 2022; Apache-2.0), the ONNX weights of its wheel, ONNX Runtime, its own "
        "thresholds; amplitudes times 127 are its velocities",
        # Its wheel asks for TensorFlow, which nothing here needs.
        alone=("basic-pitch==0.4.0",),
        packages=(
            *("librosa==0.11.0", "mir_eval==0.8.2", "numpy==2.4.6", "onnxruntime==1.31.1", "pretty_midi==0.2.11.post0"),
            *("resampy==0.4.2", "scikit-learn==1.9.1", "scipy==1.17.1", "setuptools<81"),
        ),
    ),
    "transkun": System(
        "run_transkun.py",
        "transkun 2.0.1 (Yan and Duan 2024; MIT), the weights of its wheel, CPU torch; for piano alone; its notes end "
        "where keys are released",
        packages=("transkun==2.0.1", "torch==2.13.0", "setuptools<81"),
        # It imports torchaudio and uses nothing compiled of it; the libraries do not load beside CPU torch.
        unlinked="torchaudio",
    ),
}


def environment(name: str, folder: Path, python: str = sys.executable) -> Path:
    """The Python of a system's environment in `folder`, made if it is not there. hfmusic runs in this one.

    Raises:
        ValueError: it cannot be made; says what pip said last.
    """
    system, home = SYSTEMS[name], folder / "environments" / name
    if not system.packages:
        return Path(sys.executable)
    own, ready = home / "bin" / "python", home / READY
    if ready.is_file() and json.loads(ready.read_text(encoding="utf-8")) == system.recipe:
        return own
    print(f"{name}: making its environment in {home}", flush=True)
    _done([python, "-m", "venv", "--clear", str(home)], name)
    install = [str(own), "-m", "pip", "install", "--disable-pip-version-check", "-q"]
    _done([*install, *system.packages], name)
    if system.alone:
        _done([*install, "--no-deps", *system.alone], name)
    if system.unlinked:
        for library in home.glob(f"lib/python*/site-packages/{system.unlinked}/**/*.so*"):
            library.unlink()
    ready.write_text(json.dumps(system.recipe), encoding="utf-8")
    return own


def _done(command: list[str], name: str) -> None:
    try:
        made = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise ValueError(f"the environment of {name} cannot be made: {command[0]}: {error.strerror}") from None
    if made.returncode:
        last = (made.stderr.strip() or made.stdout.strip() or "no message").splitlines()[-1]
        raise ValueError(f"the environment of {name} cannot be made: {last}")


def runner(name: str, python: Path, job: Path, threads: int) -> int:
    """Run a system on a job (see runners/loop.py); its exit code."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    variables = {**os.environ, **counts}
    variables["PYTHONPATH"] = str(ROOT) if name == "hfmusic" else ""
    command = [str(python), str(RUNNERS / SYSTEMS[name].runner), str(job)]
    return subprocess.run(command, env=variables).returncode
