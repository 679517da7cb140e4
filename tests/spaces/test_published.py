"""The Spaces as `hfmusic publish` puts them on a Hub: hfmusic comes from there as a wheel, and so do the models."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from huggingface_hub import HfApi, constants

import hfmusic.publish  # noqa: F401  (hfmusic.publish is then the verb; its module is in sys.modules)
from hfmusic.packing import Package, split_card
from hfmusic.space_wheel import own_wheel, with_own_wheel
from hfmusic.testing.local_hub import TOKEN, LocalHub

verb = sys.modules["hfmusic.publish"]
wheels = sys.modules["hfmusic.space_wheel"]
ROOT = Path(__file__).parents[2]
WHEEL = f"hfmusic-{hfmusic.__version__}-py3-none-any.whl"
SPACES = ("read", "hear", "find", "transfer")
NEEDED = (
    *("demo/page.css", "demo/player.js", "render/fonts/FluidR3_GM/000.sf3", "render/fonts/FluidR3_GM/LICENSE"),
    *("symbolic/vocabulary_semantic.txt", "symbolic/vocabulary_agnostic.txt", "templates/model_card.md"),
    *("data/rism_pae_incipits.tsv", "training/recipes/crnn_omr.yaml", "_model_cards/crnn-amt/model.safetensors"),
)

# A Space's own process: the page of the folder that it stands in, and hfmusic as pip put it there.
SERVER = """
import importlib.util, sys, time
from pathlib import Path
import hfmusic
from hfmusic.demo.serving import serve

assert Path(hfmusic.__file__).is_relative_to(sys.argv[1]), hfmusic.__file__
for folder in sys.argv[2:]:
    spec = importlib.util.spec_from_file_location(f"space_{Path(folder).name}", Path(folder) / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    print(serve(module.build(), block=False), flush=True)
time.sleep(3600)
"""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    with LocalHub(tmp_path / "hub") as server:
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(verb, "_api", lambda: HfApi(endpoint=server.url, token=TOKEN))
        monkeypatch.setattr(verb, "_token", lambda: TOKEN)
        yield server


def requirement(folder: Path) -> tuple[str, str]:
    """What is installed of hfmusic, and from which file of which repository."""
    match = re.search(
        r"^(hfmusic\[demo\]) @ (\S+)#sha256=[0-9a-f]{64}$", (folder / "requirements.txt").read_text(), re.M
    )
    assert match
    return match[0], match[2]


def outside(hub: LocalHub, **more: str) -> dict[str, str]:
    """The environment of a process that knows this Hub alone, and has no token."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_", "PIP_", "GRADIO_"))
    }
    environment = kept | hub.environment() | {"GRADIO_ANALYTICS_ENABLED": "False", "PIP_CONFIG_FILE": os.devnull} | more
    del environment["HF_TOKEN"]
    return environment


@pytest.mark.timeout(900)
def test_a_space_has_the_running_hfmusic_in_its_commit(hub: LocalHub, tmp_path: Path) -> None:
    summary = verb.publish(ROOT / "spaces" / "read", "org/reader")
    api = HfApi(endpoint=hub.url)
    assert api.list_repo_files("org/reader", repo_type="space").count(WHEEL) == 1
    assert [commit.title for commit in api.list_repo_commits("org/reader", repo_type="space")][1:] == ["initial commit"]
    clone = Path(api.snapshot_download("org/reader", repo_type="space", local_dir=tmp_path / "reader"))
    wanted, address = requirement(clone)
    assert address == f"{hub.url}/spaces/org/reader/resolve/main/{WHEEL}"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--no-index",
        "-d",
        str(tmp_path / "got"),
        wanted,
    ]
    subprocess.run(pip, env=outside(hub), check=True)
    with zipfile.ZipFile(tmp_path / "got" / WHEEL) as wheel:
        assert wheel.testzip() is None
        assert {f"hfmusic/{name}" for name in NEEDED} <= set(wheel.namelist())
        about = PathDistribution(zipfile.Path(wheel, f"hfmusic-{hfmusic.__version__}.dist-info/"))
        assert (about.name, about.version) == ("hfmusic", hfmusic.__version__)
    assert verb.publish(clone, "org/reader")["commit"] == summary["commit"]  # the same wheel, once


@pytest.mark.timeout(1500)
def test_published_spaces_find_their_models_on_their_own_hub(
    hub: LocalHub, tmp_path: Path, connect: Callable[[str], Client]
) -> None:
    checkout, site, home = tmp_path / "checkout", tmp_path / "site", tmp_path / "home"
    shutil.copytree(ROOT / "spaces", checkout / "spaces", ignore=shutil.ignore_patterns("metric_*", "__pycache__"))
    cards = [split_card((checkout / "spaces" / name / "README.md").read_text("utf-8"))[0] for name in SPACES]
    models = {one.removeprefix("NAMESPACE/") for card in cards for one in card.get("models", [])}
    (checkout / "model_cards").mkdir()
    for name in models:
        (checkout / "model_cards" / name).symlink_to(ROOT / "model_cards" / name)
    verb.publish_all("org", checkout)
    api = HfApi(endpoint=hub.url)
    folders = [
        api.snapshot_download(f"org/{name}", repo_type="space", local_dir=tmp_path / name, ignore_patterns="*.whl")
        for name in SPACES
    ]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*pip, requirement(Path(folders[0]))[0]], env=outside(hub), check=True)
    shutil.rmtree(site / "hfmusic" / "_model_cards")  # so that they can come from the Hub alone
    places = {"PYTHONPATH": str(site), "HF_HOME": str(home), "GRADIO_TEMP_DIR": str(tmp_path / "gradio")}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(site), *folders],
        **{"cwd": tmp_path, "env": outside(hub, **places), "stdout": subprocess.PIPE, "text": True},
    )
    try:
        assert server.stdout is not None
        addresses = [server.stdout.readline().strip() for _ in SPACES]
        read, hear, find, transfer = [connect(address) for address in addresses]
        _use(read, hear, find, transfer, Path(folders[0]).parent)
    finally:
        server.kill()
        server.wait()
    found = {path.name for path in (home / "hub").glob("models--*")}
    assert found == {f"models--org--{name}" for name in models}


def _use(read: Client, hear: Client, find: Client, transfer: Client, folders: Path) -> None:
    """Each page with an example that came with it."""
    told, _, tokens, *_ = read.predict(handle_file(str(folders / "read/examples/engraved.png")), None, api_name="/read")
    assert "symbols" in told and tokens.startswith("clef-")
    melody = handle_file(str(folders / "hear/examples/melody.flac"))
    for voices in ("one", "many"):
        told = hear.predict(melody, voices, "", "2", "any", 0.5, 0.5, 0.05, api_name="/listen")[0]
        assert re.search(r"\d notes in 2\.0 s", told)
    told, _ = find.predict(handle_file(str(folders / "find/examples/to_music.flac")), None, api_name="/find")
    assert "It is An die Musik" in told
    stem = folders / "transfer/examples/photograph_in_bad_light"
    given = [handle_file(str(stem.with_suffix(suffix))) for suffix in (".jpg", ".flac")]
    readings, _ = transfer.predict(*given, stem.with_suffix(".semantic").read_text(), api_name="/compare")
    assert readings.count("SER") == 5


def space(text: str, **files: Any) -> Package:
    return Package(Path("x"), "space", "x", {"requirements.txt": text.encode()} | files, {})


def test_requirements_of_hfmusic_become_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = space("evaluate\nhfmusic-other>=1\n")
    assert with_own_wheel(plain, "https://hub") is plain
    content = {"hfmusic/a.py": b"x = 1"}
    monkeypatch.setattr(wheels, "own_wheel", lambda: ("hfmusic-2-py3-none-any.whl", _zip(content)))
    for line in (
        "hfmusic[demo]>=0.1",
        "hfmusic[demo] @ https://old/hfmusic-1-py3-none-any.whl#sha256=ab",
        "hfmusic[demo]",
    ):
        package = with_own_wheel(space(f"a\n{line}\nb\n", **{"hfmusic-1-py3-none-any.whl": b""}), "https://hub/x")
        first, second, third = package.text("requirements.txt").split("\n")[:3]
        assert (first, third) == ("a", "b")
        assert second.startswith("hfmusic[demo] @ https://hub/x/hfmusic-2-py3-none-any.whl#sha256=")
        assert set(package.files) == {"requirements.txt", "hfmusic-2-py3-none-any.whl"}
    content["hfmusic/a.py"] = b"hf_" + b"a" * 34
    with pytest.raises(ValueError, match="its hfmusic/a.py holds what looks like a Hugging Face token"):
        with_own_wheel(space("hfmusic"), "https://hub")


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_where_no_wheel_can_be_made_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make = own_wheel.__wrapped__
    monkeypatch.setattr(wheels, "_PACKAGE", tmp_path / "hfmusic")
    with pytest.raises(ValueError, match="installed without its source: publish Spaces with a checkout"):
        make()
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(ValueError, match="hatchling makes no wheel of hfmusic"):
        make()
    monkeypatch.setattr(wheels.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'hfmusic\[publish\]'"):
        make()
