"""`hfmusic publish` against the rehearsal Hub: what goes up, what does not, and what a failure leaves."""

from __future__ import annotations

import json
import re
import shutil
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import HfApi, constants

import hfmusic.publish  # noqa: F401  (hfmusic.publish is then the verb; its module is in sys.modules)
from hfmusic import packing
from hfmusic.cards import write_card
from hfmusic.cli import main
from hfmusic.dataset_card import with_statistics
from hfmusic.hub_links import HubLinks, card_on_hub, results_on_hub
from hfmusic.packing import belongs, pack, repository_name, split_card
from hfmusic.testing.local_hub import TOKEN, LocalHub
from hfmusic.testing.local_hub_cards import complaints

verb = sys.modules["hfmusic.publish"]
ROOT = Path(__file__).parent.parent
CARD = """---
license: mit
datasets:
- NAMESPACE/tunes
- NAMESPACE/lost
{more}---
# {name}

See [a](../a/README.md), [no](../lost/README.md).

PATH = "model_cards/{name}"  # or owner/name on the Hub
"""


def model(root: Path, name: str, more: str = "") -> Path:
    """A folder as save_pretrained and training leave it."""
    folder = root / "model_cards" / name
    folder.mkdir(parents=True)
    (folder / "README.md").write_text(CARD.format(name=name, more=more))
    config = {"model_type": "toy", "auto_map": {"AutoModel": "modeling_toy.Toy"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(b"\0weights of " + name.encode())
    (folder / "modeling_toy.py").write_text("from .layers_toy import Layer\n\nToy = Layer\n")
    (folder / "layers_toy.py").write_text("Layer = object\n")
    (folder / "unused.py").write_text("x = 1\n")
    (folder / "optimizer.safetensors").write_bytes(b"\0" * 8)
    (folder / "random_states_0.pkl").write_bytes(b"\0" * 8)
    (folder / "card.yaml").write_text("title: x\n")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "modeling_toy.pyc").write_bytes(b"\0")
    (folder / ".eval_results").mkdir()
    rows = [{"dataset": {"id": f"NAMESPACE/{data}", "task_id": "x"}, "value": 1.0} for data in ("tunes", "lost")]
    (folder / ".eval_results" / "hfmusic.yaml").write_text(yaml.safe_dump(rows))
    return folder


def dataset(root: Path, name: str, shards: int = 2) -> Path:
    folder = root / "dist" / name
    (folder / "data").mkdir(parents=True)
    for shard in range(shards):
        table = pa.table({"id": [f"{shard}-{row}" for row in range(3)], "tempo": [120.0] * 3})
        pq.write_table(table, folder / "data" / f"train-{shard:05}-of-{shards:05}.parquet")
    (folder / "README.md").write_text("---\nlicense: cc0-1.0\n---\n# Tunes\n")
    (folder / "build.json").write_text(json.dumps({"summary": {"rows": {"train": 3 * shards}}}))
    return folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    with LocalHub(tmp_path / "hub", max_bytes=2**20) as server:
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(verb, "_api", lambda: HfApi(endpoint=server.url, token=TOKEN))
        monkeypatch.setattr(verb, "_token", lambda: TOKEN)
        yield server


@pytest.fixture
def api(hub: LocalHub) -> HfApi:
    return HfApi(endpoint=hub.url, token=TOKEN)


def read(api: HfApi, repo: str, path: str, tmp_path: Path, kind: str = "model") -> str:
    return Path(api.hf_hub_download(repo, path, repo_type=kind, cache_dir=tmp_path / "cache")).read_text()


def test_a_model_goes_up_in_one_commit_with_what_belongs(hub: LocalHub, api: HfApi, tmp_path: Path) -> None:
    folder = model(tmp_path, "toy")
    summary = verb.publish(folder, "org/toy")
    wanted = {"README.md", "config.json", "model.safetensors", "modeling_toy.py", "layers_toy.py"}
    assert set(api.list_repo_files("org/toy")) == set(summary["files"]) == wanted
    assert [commit.title for commit in api.list_repo_commits("org/toy")][1:] == ["initial commit"]
    assert summary["url"] == f"{hub.url}/org/toy" and summary["commit"] == api.model_info("org/toy").sha
    assert {"unused.py", "random_states_0.pkl", "optimizer.safetensors"} <= set(summary["left_out"])
    assert verb.publish(folder, "org/toy")["commit"] == summary["commit"]  # nothing changed: no commit
    (folder / "layers_toy.py").rename(folder / "blocks_toy.py")
    (folder / "modeling_toy.py").write_text("from .blocks_toy import Layer\n\nToy = Layer\n")
    verb.publish(folder, "org/toy")
    assert set(api.list_repo_files("org/toy")) == wanted - {"layers_toy.py"} | {"blocks_toy.py"}
    assert len(api.list_repo_commits("org/toy")) == 3


def test_the_owner_of_the_token_and_the_folders_name_are_the_default(hub: LocalHub, api: HfApi, tmp_path: Path) -> None:
    assert verb.publish(model(tmp_path, "toy"), private=True)["repo"] == "local/toy"
    assert api.model_info("local/toy").private


def test_a_dry_run_lists_and_sends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model(tmp_path, "toy")
    summary = verb.publish(folder, "org/toy", dry_run=True)  # the Hub of this process is a closed port
    assert "url" not in summary and summary["files"]["model.safetensors"] == 15
    monkeypatch.setattr(sys, "argv", ["hfmusic", "publish", str(folder), "--repo", "org/toy", "--dry-run"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith("model org/toy: 6 files") and "  15  model.safetensors" in told and "stays here" in told


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "README.md").unlink(), "no README.md"),
        (lambda folder: (folder / "README.md").write_text("# A model\n"), "no license"),
        (lambda folder: (folder / "README.md").write_text("---\nlicense: other\n---\n"), "license_name and"),
        (lambda folder: (folder / "README.md").write_text("---\nlicense: [\n---\n"), "not YAML"),
        (lambda folder: (folder / "modeling_toy.py").write_text("t = 'hf_" + "a" * 34 + "'"), "a Hugging Face token"),
        (lambda folder: (folder / "config.json").write_text(json.dumps({"x": TOKEN})), "your own token"),
        (lambda folder: (folder / "config.json").unlink(), "wanted a model"),
    ],
)  # fmt: skip
def test_what_may_not_go_up(hub: LocalHub, api: HfApi, tmp_path: Path, harm: Callable[[Path], Any], said: str) -> None:
    folder = model(tmp_path, "toy")
    harm(folder)
    with pytest.raises(ValueError, match=said) as caught:
        verb.publish(folder, "org/toy")
    assert "\n" not in str(caught.value) and TOKEN not in str(caught.value)
    assert hub.store.names("models") == []


def test_an_unfinished_build_stays(tmp_path: Path) -> None:
    folder = dataset(tmp_path, "tunes")
    (folder / "build.json").write_text("{}")
    with pytest.raises(ValueError, match="not finished"):
        pack(folder)


def test_a_failed_push_leaves_nothing_half_done(hub: LocalHub, api: HfApi, tmp_path: Path) -> None:
    folder = model(tmp_path, "toy")
    (folder / "model.safetensors").write_bytes(b"\0" * (2**20 + 1))
    with pytest.raises(ValueError, match="refused|broke off"):
        verb.publish(folder, "org/new")
    assert hub.store.names("models") == []
    api.create_repo("org/old")
    before = api.model_info("org/old").sha
    with pytest.raises(ValueError, match="refused|broke off"):
        verb.publish(folder, "org/old")
    assert api.model_info("org/old").sha == before


def test_a_repository_changed_meanwhile_is_not_overwritten(
    hub: LocalHub, api: HfApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.create_repo("org/toy")
    client = HfApi(endpoint=hub.url, token=TOKEN)
    sent = client.preupload_lfs_files

    def meanwhile(*given: Any, **options: Any) -> None:
        sent(*given, **options)
        api.upload_file(path_or_fileobj=b"theirs", path_in_repo="theirs.txt", repo_id="org/toy")

    monkeypatch.setattr(client, "preupload_lfs_files", meanwhile)
    monkeypatch.setattr(verb, "_api", lambda: client)
    with pytest.raises(ValueError, match="changed meanwhile"):
        verb.publish(model(tmp_path, "toy"), "org/toy")
    assert api.list_repo_files("org/toy") == ["theirs.txt"]


def test_an_interrupted_dataset_goes_on_where_it_was(
    hub: LocalHub, api: HfApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, stored = dataset(tmp_path, "tunes", shards=3), []
    add = hub.store.add_object

    def counted(pieces: Any, sha256: str | None = None) -> dict[str, Any]:
        if sha256 is not None:
            stored.append(sha256)
        return add(pieces, sha256)

    monkeypatch.setattr(hub.store, "add_object", counted)
    client = HfApi(endpoint=hub.url, token=TOKEN)
    send, calls = client.preupload_lfs_files, []

    def stopped(*given: Any, **options: Any) -> None:
        calls.append(options)
        if len(stored) == 2:
            raise KeyboardInterrupt
        send(*given, **options)

    monkeypatch.setattr(client, "preupload_lfs_files", stopped)
    monkeypatch.setattr(verb, "_api", lambda: client)
    with pytest.raises(KeyboardInterrupt):
        verb.publish(folder, "org/tunes")
    assert len(stored) == 2 and hub.store.names("datasets") == []
    monkeypatch.setattr(client, "preupload_lfs_files", send)
    verb.publish(folder, "org/tunes")
    assert len(stored) == len(set(stored)) == 3
    card = read(api, "org/tunes", "README.md", tmp_path, "dataset")
    assert "| train | 9 | 3 |" in card and "| tempo | double | 120 |" in card and "n<1K" in card
    assert with_statistics(card, folder) == card


def test_a_whole_checkout_goes_up_and_its_links_lead_somewhere(hub: LocalHub, api: HfApi, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    model(checkout, "a", more="base_model: NAMESPACE/b\n")
    model(checkout, "b")
    dataset(checkout, "tunes")
    dataset(checkout, "unnamed")
    shutil.copytree(ROOT / "spaces" / "metric_ser", checkout / "spaces" / "metric_ser")
    summaries = verb.publish_all("org", checkout)
    assert [summary["repo"] for summary in summaries] == ["org/ser", "org/tunes", "org/b", "org/a"]
    assert "ser.py" in api.list_repo_files("org/ser", repo_type="space")
    for kind, name in [("space", "ser"), ("dataset", "tunes"), ("model", "a"), ("model", "b")]:
        card = read(api, f"org/{name}", "README.md", tmp_path, kind)
        assert complaints(card, kind) == [] and "NAMESPACE" not in card and "](.." not in card
        for link in re.findall(rf"\(({re.escape(hub.url)}[^)]*)\)", card):
            assert urllib.request.urlopen(link, timeout=10).status == 200
    card = read(api, "org/a", "README.md", tmp_path)
    assert f"See [a]({hub.url}/org/a), no." in card and 'PATH = "org/a"\n' in card
    info = api.model_info("org/a")
    assert info.card_data["datasets"] == ["org/tunes"] and info.card_data["base_model"] == "org/b"
    results = yaml.safe_load(read(api, "org/a", ".eval_results/hfmusic.yaml", tmp_path))
    assert [row["dataset"]["id"] for row in results] == ["org/tunes"]


def test_one_bad_folder_stops_all_before_anything_is_sent(hub: LocalHub, tmp_path: Path) -> None:
    model(tmp_path, "a")
    (model(tmp_path, "b") / "README.md").unlink()
    with pytest.raises(ValueError, match="no README.md"):
        verb.publish_all("org", tmp_path)
    assert hub.store.names("models") == []
    with pytest.raises(ValueError, match="no model_cards"):
        verb.publish_all("org", tmp_path / "hub")


def test_a_wrong_token_is_one_sentence_without_it(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "_api", lambda: HfApi(endpoint=hub.url, token="hf_wrongwrong"))
    monkeypatch.setattr(verb, "_token", lambda: "hf_wrongwrong")
    with pytest.raises(ValueError, match=r"refused \(401\)") as caught:
        verb.publish(model(tmp_path, "toy"), "org/toy")
    assert "hf_wrong" not in str(caught.value)
    monkeypatch.setattr(verb, "_token", lambda: None)
    with pytest.raises(ValueError, match="needs a token"):
        verb.publish(tmp_path / "model_cards" / "toy", "org/toy")


def test_no_hub_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "_token", lambda: TOKEN)
    with pytest.raises(ValueError, match="cannot be reached"):
        verb.publish(model(tmp_path, "toy"), "org/toy")


@pytest.mark.parametrize(
    "arguments", [["--all"], ["x", "--namespace", "org"], [], ["x", "--all", "--namespace", "o", "--repo", "a/b"]]
)
def test_bad_usage_is_code_2(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["hfmusic", "publish", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2


def test_everything_of_this_checkout_may_go_up() -> None:
    packages = verb.plan(ROOT, ROOT / "no_datasets")
    names = [package.name for package in packages]
    assert {"ser", "note_f1", "retrieval", "crnn-omr", "crnn-amt2omr", "r2crnn-omr-semantic"} <= set(names)
    assert names.index("crnn-amt") < names.index("crnn-amt2omr")
    for package in packages:
        assert complaints(package.text("README.md"), package.kind) == [], package.name
        if package.kind == "model":
            assert {"config.json", "model.safetensors", "train_config.json", ".eval_results/hfmusic.yaml"} <= set(
                package.files
            )
    crnn = next(package for package in packages if package.name == "crnn-omr")
    assert "pipeline_omr.py" in crnn.files and "card.yaml" in crnn.left_out


def test_names_and_files_that_belong() -> None:
    assert repository_name("metric_ser") == "ser"
    assert not belongs("model", "checkpoint-9/model.safetensors") and not belongs("space", ".env")
    assert belongs("space", "hfmusic-0.1.0-py3-none-any.whl") and not belongs("space", "other-1-py3-none-any.whl")
    assert belongs("space", "songs.index/data-1.npy") and not belongs("space", ".cache/a.png")
    assert belongs("space", "examples/a.png") and not belongs("space", "__pycache__/app.py")
    assert belongs("dataset", "data/train-00000-of-00001.parquet") and not belongs("dataset", ".build/plan.json")
    assert packing.secret_in(b"-----BEGIN RSA PRIVATE KEY-----") == "a private key"


def test_terms_of_their_own_get_a_name_and_a_place(hub: LocalHub, api: HfApi, tmp_path: Path) -> None:
    folder = dataset(tmp_path, "tunes")
    (folder / "README.md").write_text("---\nlicense: other\n---\n# Tunes\n")  # as builds wrote it once
    write_card(folder)
    verb.publish(folder, "org/songs")
    card = read(api, "org/songs", "README.md", tmp_path, "dataset")
    assert split_card(card)[0]["license_link"] == f"{hub.url}/datasets/org/songs" and complaints(card, "dataset") == []
    assert complaints("---\nlicense_link: README.md\n---\n", "dataset") == [
        "\"license_link\" must be LICENSE, LICENSE.md or an address, got 'README.md'"
    ]


def test_links_that_lead_nowhere_become_text() -> None:
    links = HubLinks("me", "https://hub", lambda kind, name: (kind, name) == ("space", "ser"))
    text = "[ser](../../spaces/metric_ser/README.md), [tables](../../reproductions/x.md), [web](https://a.b)"
    text += ', evaluate.load("spaces/metric_ser")'
    assert card_on_hub(text, "model_cards/x", links) == (
        '[ser](https://hub/spaces/me/ser), tables, [web](https://a.b), evaluate.load("me/ser")'
    )
    assert card_on_hub("---\nlicense_link: README.md\n---\n", "dist/x", links) == (
        "---\nlicense_link: https://hub/datasets/me/x\n---\n"
    )
    assert results_on_hub([{"dataset": {"id": "other/set"}, "value": 1}], links) == [
        {"dataset": {"id": "other/set"}, "value": 1}
    ]
