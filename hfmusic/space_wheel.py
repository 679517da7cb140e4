"""The running hfmusic as a wheel in the commit of a Space that needs it: hfmusic is on no package index."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from hfmusic.packing import DATA_SUFFIXES, Package, secret_in

_REQUIREMENT = re.compile(r"^hfmusic(\[[^\]\n]*\])?[ \t]*(?:[<>=!~@;].*)?$", re.MULTILINE)
_WHEEL = re.compile(r"hfmusic-[^/]+\.whl")
_PACKAGE = Path(__file__).parent


def with_own_wheel(package: Package, address: str) -> Package:
    """A Space whose requirements.txt asks for hfmusic, with a wheel of the running one and its address as requirement;
    any other package as it is.

    An address, not a path: huggingface.co installs a Space's requirements before it copies the rest of the repository
    in. With the wheel's hash, so that a new wheel of the same version is installed too.

    Args:
        address: of the Space's files, https://huggingface.co/spaces/OWNER/NAME/resolve/main.

    Raises:
        ValueError: no wheel can be made, or something like a secret is in it; one sentence.
    """
    wanted = package.text("requirements.txt") if "requirements.txt" in package.files else ""
    if package.kind != "space" or not _REQUIREMENT.search(wanted):
        return package
    name, content = own_wheel()
    _check(name, content)
    place = f"{address}/{name}#sha256={hashlib.sha256(content).hexdigest()}"
    kept = {path: file for path, file in package.files.items() if not _WHEEL.fullmatch(path)}
    package = replace(package, files=kept | {name: content})
    rewritten = _REQUIREMENT.sub(lambda match: f"hfmusic{match[1] or ''} @ {place}", wanted)
    return package.with_content("requirements.txt", rewritten)


@cache
def own_wheel() -> tuple[str, bytes]:
    """Name and content of a wheel of the running hfmusic, with its models, the same bytes of the same files.

    Raises:
        ValueError: hfmusic runs without its source, hatchling is not installed, or it fails; one sentence.
    """
    root = _PACKAGE.parent
    if not (root / "pyproject.toml").is_file():
        raise ValueError(
            f"{root}: a Space takes a wheel of hfmusic along, and this one was installed without its source: publish "
            "Spaces with a checkout of it (pip install -e '.[publish]')"
        )
    if importlib.util.find_spec("hatchling") is None:
        raise ValueError("a Space takes a wheel of hfmusic along, made by hatchling: pip install 'hfmusic[publish]'")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            why = (done.stderr.strip() or done.stdout.strip() or "it says nothing").splitlines()[-1]
            raise ValueError(f"{root}: hatchling makes no wheel of hfmusic ({why})")
        return wheels[0].name, wheels[0].read_bytes()


def _check(name: str, content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        for path in wheel.namelist():
            found = None if path.endswith(DATA_SUFFIXES) else secret_in(wheel.read(path))
            if found:
                raise ValueError(f"{name}: its {path} holds what looks like {found}: take it out first")
