"""Every block of README.md is carried out, in its order, in a folder of what it speaks of.

Commands run as they stand, but for the arguments of `SMALLER` after them, which make them small; of two values of an
option the later holds. What is neither run nor checked here fails by its text, so README cannot grow untested commands.
The papers' tables are trained whole in tests/test_reproduce*.py, all four demos in a browser in tests/spaces.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import datasets
import pytest
from huggingface_hub import HfApi, constants
from markdown_it import MarkdownIt

import hfmusic.publish  # noqa: F401  (hfmusic.publish is then the verb; its module is in sys.modules)
from hfmusic.testing.local_hub import TOKEN, LocalHub

from .readme_checks import CHECKS, Told
from .readme_material import ROOT, write_material
from .test_cli import run
from .test_reproduce import tiny  # noqa: F401  (a fixture: smc2022 with few steps of a small network)

README = ROOT / "README.md"

FEW_STEPS = "--set batch_size=2 --set mega_batches=1 --set num_workers=0 --set num_proc=1"
NETWORK = " ".join(
    f"--set model.{part}" for part in ("conv_channels=[2,2,2,2]", "hidden_size=8", "num_recurrent_layers=1")
)
# What begins so gets these arguments too.
SMALLER = {
    "hfmusic export": "--out exported",  # not into the checkout
    "hfmusic transcribe song.wav --by": "--to 15",
    "hfmusic build": "--num-proc 1",
    "hfmusic build primus -o dist/primus": "--n 6",
    "hfmusic build primus --sources rism": "--n 12 --variations 0 --generated 0",
    "hfmusic build primus_audio -o": "--n 3",
    # The font that ships is a piano and nothing else.
    "hfmusic build primus_audio -o dist/sounds": "--fonts FluidR3_GM.sf2:0,other.sf2:0",
    "hfmusic build primus_audio --paper": "--n 12 --variations 0",
    "hfmusic build synthesized_instruments": "--fonts FluidR3_GM.sf2:0,other.sf2:0 --n 3 --variations 1",
    "hfmusic build sheet_audio": "--n 2 --variations 0",
    "hfmusic train crnn_omr": f"--max-minutes 2 {FEW_STEPS} {NETWORK}",
    "hfmusic train crnn_omr --max": "--set max_steps=2",
    "hfmusic train crnn_omr --resume": "--set max_steps=3",
    "hfmusic train my.yaml": f"{FEW_STEPS} --set max_steps=1",
    "hfmusic reproduce smc2022 --table": "--cells omr --seeds 0",
}
RUN = ("hfmusic", "cp")
MADE = re.compile(r"[\w.]*\w\.(?:musicxml|mid|semantic|csv|json|html|png)\b")  # files, in what a comment says
PATIENCE_SECONDS = 600  # the machine may be busy with other things


@dataclass(frozen=True)
class Block:
    """A fenced block, and the heading that it stands under."""

    heading: str
    language: str
    text: str


@dataclass(frozen=True)
class Line:
    """A command of a shell block, and what its comment says."""

    words: list[str]
    comment: str

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def arguments(self) -> list[str]:
        """Those of `hfmusic`, with what makes it small."""
        more = [extra for begin, extra in SMALLER.items() if self.text.startswith(begin)]
        return [*self.words[1:], *shlex.split(" ".join(more))]


def blocks() -> list[Block]:
    found, heading, inside = [], "", False
    for token in MarkdownIt().parse(README.read_text(encoding="utf-8")):
        if token.type == "inline" and inside:
            heading = token.content
        if token.type in ("fence", "code_block"):
            found.append(Block(heading, token.info.strip(), token.content))
        inside = token.type == "heading_open"
    return found


def lines(block: Block) -> list[Line]:
    """The commands of a shell block; those that `&&` joins are several."""
    found = []
    for text in block.text.replace("\\\n", " ").splitlines():
        words, comment = shlex.split(text, comments=True), text.partition(" #")[2]
        while words:
            end = words.index("&&") if "&&" in words else len(words)
            found.append(Line(words[:end], comment))
            words = words[end + 1 :]
    return found


COMMANDS = [line for block in blocks() if block.language == "sh" for line in lines(block)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The folder that all is carried out in, and what is known there."""
    return Told(write_material(tmp_path_factory.mktemp("readme")), {})


@pytest.fixture
def hub(told: Told, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A Hub of this machine, for the lines that publish and load what was published."""
    verb = sys.modules["hfmusic.publish"]
    with LocalHub(told.folder / "hub") as server:
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(verb, "_api", lambda: HfApi(endpoint=server.url, token=TOKEN))
        monkeypatch.setattr(verb, "_token", lambda: TOKEN)
        yield server


def check_named(line: Line) -> None:
    """What installs is not run, but what it names must be there."""
    if line.words[0] == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert line.words[1:] and set(line.words[1:]) <= set(targets), f"README: {line.text}"
        return
    assert line.words[:2] == ["pip", "install"], f"README: nothing carries out {line.text!r}"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for wanted in line.words[2:]:
        name = re.fullmatch(r"(?:hfmusic|\.)(?:\[(\w+)])?", wanted)
        assert name and (name[1] is None or name[1] in extras), f"README: {line.text}"


def open_demo(name: str, told: Told) -> None:
    """Serve a page by the command, as a person would; only the first: tests/spaces opens all in a browser."""
    assert (ROOT / "spaces" / name / "app.py").is_file() and (ROOT / f"tests/spaces/test_{name}.py").is_file()
    if any(text.startswith("hfmusic demo") for text in told.lines):
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "hfmusic", "demo", name, "--port", str(port)]
    with subprocess.Popen(command, cwd=told.folder, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/", process)
        finally:
            process.terminate()
    assert process.returncode in (-15, 0, 130, 143)


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the demo ended by itself"
        try:
            assert urllib.request.urlopen(address, timeout=PATIENCE_SECONDS).status == 200
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"{address} did not answer")


def from_hub(line: Line, folder: Path, hub: LocalHub) -> str:
    """A command whose model is on the Hub, in a process that knows no other."""
    environment = os.environ | hub.environment() | {"HF_HOME": str(folder / "hf")}
    command = [sys.executable, "-m", "hfmusic", *line.arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"README: {line.text}: {done.stderr}"
    return done.stdout


def carry_out(line: Line, told: Told, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> None:
    if line.words[0] not in RUN:
        check_named(line)
        return
    out = ""
    if line.words[0] == "cp":
        subprocess.run(line.words, cwd=told.folder, check=True)
    elif line.words[1] == "demo":
        open_demo(line.words[2], told)
    elif line.words[1] == "transcribe" and "you/your-model" in line.words:
        out = from_hub(line, told.folder, request.getfixturevalue("hub"))
    else:
        code, out, err = run(*line.arguments, capsys=capsys)
        assert code == 0, f"README: {line.text}: {err}"
    told.lines[line.text] = out
    missing = [name for name in MADE.findall(line.comment) if not (told.folder / name).is_file()]
    assert not missing, f"README: {line.text}: {missing}"


def execute(text: str, told: Told) -> None:
    """Python, with the names of the blocks before it."""
    for statement in ast.parse(text).body:
        code = ast.unparse(statement)
        if isinstance(statement, ast.Expr):
            told.values[code] = eval(code, told.names)
        else:
            exec(code, told.names)


def write_file(text: str, folder: Path) -> None:
    """A file's content, whose first line says `# PATH`, and perhaps what it is."""
    name = re.match(r"# ([\w./-]+\w)", text)
    assert name, f"README: no name of a file in {text.splitlines()[0]!r}"
    (folder / name[1]).write_text(text, encoding="utf-8")


NEEDS = {"On your own data": "hub", "The papers' tables": "tiny"}


def test_every_block_is_carried_out() -> None:
    assert list(dict.fromkeys(block.heading for block in blocks())) == list(CHECKS)
    assert {block.language for block in blocks()} <= {"sh", "python", "yaml"}
    for line in COMMANDS:
        if line.words[0] not in RUN:
            check_named(line)
    unused = [begin for begin in SMALLER if not any(line.text.startswith(begin) for line in COMMANDS)]
    assert not unused, "README has no such command any more"


@pytest.mark.timeout(3 * PATIENCE_SECONDS)
@pytest.mark.parametrize("heading", CHECKS)
def test_what_the_readme_says_works(
    heading: str,
    told: Told,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(told.folder)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", told.folder / "datasets")
    if heading in NEEDS:
        request.getfixturevalue(NEEDS[heading])
    own = [block for block in blocks() if block.heading == heading]
    for block in own:
        if block.language == "python":
            execute(block.text, told)
        elif block.language == "yaml":
            write_file(block.text, told.folder)
        else:
            for line in lines(block):
                carry_out(line, told, request, capsys)
    commands = {line.text for block in own if block.language == "sh" for line in lines(block) if line.words[0] in RUN}
    assert commands <= told.lines.keys()
    CHECKS[heading](told)
