"""Imports go one way, models/ stands alone, and the command line stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "hfmusic"
# Each may import itself and those before it.
LAYERS = ["symbolic", "render", "retrieval", "metrics", "data", "training", "hearing", "reading"]
VERBS = {
    "align",
    "build",
    "cards",
    "evaluate",
    "export",
    "fuse",
    "index",
    "publish",
    "rendering",
    "retrieve",
    "roll_index",
    "train",
    "transcribe",
}
SHARED = {
    "by_rolls",
    "embedding",
    "files",
    "formats",
    "hub",
    "hub_links",
    "packing",
    "dataset_card",
    "inputs",
    "outputs",
    "runtime",
    "scores",
    "space_wheel",
}
ALONE = "models"
REMOTE_CODE_MAY_IMPORT = {
    "torch",
    "transformers",
    "numpy",
    "PIL",
    "huggingface_hub",
    "safetensors",
    "soundfile",
    "soxr",
}


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports anywhere in it, relative ones resolved."""
    home = ("hfmusic", *path.relative_to(PACKAGE).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(home[: len(home) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found |= {f"{module}.{alias.name}" for alias in node.names} if module == "hfmusic" else {module}
    return found


def parts(path: Path) -> set[str]:
    """First parts of hfmusic that a file imports: `symbolic`, `hub` ..."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("hfmusic.")}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_itself_and_those_below(layer: str) -> None:
    allowed = {*LAYERS[: LAYERS.index(layer) + 1], "files"}
    allowed |= {ALONE} if layer in ("data", "training", "hearing", "reading") else set()
    allowed |= {"hub"} if layer == "hearing" else set()
    files = list((PACKAGE / layer).rglob("*.py"))
    assert files
    for path in files:
        assert parts(path) <= allowed, f"{path.relative_to(PACKAGE)} imports {parts(path) - allowed}"


def test_models_stand_alone() -> None:
    for path in (PACKAGE / ALONE).glob("*.py"):
        for name in imports(path):
            top = name.split(".")[0]
            own = name.startswith("hfmusic.models")
            fine = own or top in REMOTE_CODE_MAY_IMPORT or top in sys.stdlib_module_names
            assert fine, f"models/{path.name} imports {name}"


def test_verbs_do_not_import_the_command_line() -> None:
    for name in VERBS | SHARED:
        assert "cli" not in parts(PACKAGE / f"{name}.py")


def test_nouns_do_not_import_verbs() -> None:
    for layer in [*LAYERS, ALONE]:
        for path in (PACKAGE / layer).rglob("*.py"):
            assert not parts(path) & VERBS, f"{path} imports a verb"


def test_help_loads_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "numpy", "datasets")
    code = f"import sys, hfmusic.cli; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("first", ["import hfmusic, transformers", "import transformers, hfmusic"])
def test_auto_classes_know_the_models_in_either_order(first: str) -> None:
    code = f"{first}; print(transformers.AutoConfig.for_model('crnn').model_type)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "crnn", run.stderr[-500:]


def test_a_verb_stays_callable_after_its_module_is_imported() -> None:
    import hfmusic
    import hfmusic.transcribe  # noqa: F401
    from hfmusic.transcribe import Transcription

    assert callable(hfmusic.transcribe)
    assert Transcription.__module__ == "hfmusic.transcribe"
