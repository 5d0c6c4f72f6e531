import json
import subprocess
import sys

import pytest
import safetensors.torch
import torch

from inspector.domain import CancelToken
from inspector.errors import DetectorError
from inspector.methods import catalogue, detector


@pytest.fixture
def made(tiny_clip, parts):
    found = catalogue.make("patchcore")
    found.fit(parts, tiny_clip, progress=lambda *_: None, cancel=CancelToken())
    return found


@pytest.fixture
def folder(made, tmp_path):
    detector.save(made, tmp_path / "detectors" / "1")
    return tmp_path / "detectors" / "1"


def edit(folder, **changes):
    file = folder / detector.MANIFEST_FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_detector_is_one_safetensors_file_and_one_json_file(folder, made, tiny_clip):
    assert sorted(path.name for path in folder.iterdir()) == ["detector.json", "detector.safetensors"]
    manifest = json.loads((folder / "detector.json").read_text())
    assert manifest["method"] == "patchcore"
    assert manifest["classes"] == list(made.classes)
    assert manifest["backbone"]["key"] == tiny_clip.identity.key
    assert not list(folder.parent.glob(".*"))


def test_saving_again_replaces_the_whole_detector(folder, made, tiny_clip, parts):
    made.add_shots("disc", parts["plate"])
    detector.save(made, folder)
    assert detector.load(folder, tiny_clip).bank.count("disc") == 4
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_save_that_fails_leaves_the_old_detector(folder, made, tiny_clip, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = (folder / "detector.safetensors").read_bytes()
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DetectorError, match="the disk is full"):
        detector.save(made, folder)
    assert (folder / "detector.safetensors").read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    detector.load(folder, tiny_clip)


def test_a_changed_byte_in_the_learned_values_is_noticed(folder, tiny_clip):
    file = folder / "detector.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(DetectorError, match="damaged or was changed"):
        detector.load(folder, tiny_clip)


def test_another_backbone_is_refused_by_name(folder, wordless_clip, tiny_clip):
    with pytest.raises(DetectorError, match=r"taught on the backbone tiny .*, but wordless .* is in use"):
        detector.load(folder, wordless_clip)


def test_another_version_of_the_same_backbone_is_refused_without_riddles(folder, tiny_clip):
    manifest = json.loads((folder / "detector.json").read_text())
    manifest["backbone"]["key"] = "0123"
    (folder / "detector.json").write_text(json.dumps(manifest))
    with pytest.raises(DetectorError, match=r"another version of tiny than the one in use") as refused:
        detector.load(folder, tiny_clip)
    assert "Teach it again" in refused.value.hint


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json", '{"format": "1"}'])
def test_a_broken_description_is_one_sentence(folder, tiny_clip, content):
    (folder / "detector.json").write_text(content)
    with pytest.raises(DetectorError, match=r"can't be read|incomplete"):
        detector.load(folder, tiny_clip)


def test_what_is_missing_is_said(folder, tiny_clip, tmp_path):
    with pytest.raises(DetectorError, match="no detector in nowhere"):
        detector.load(tmp_path / "nowhere", tiny_clip)
    (folder / "detector.safetensors").unlink()
    with pytest.raises(DetectorError, match="learned values is missing"):
        detector.load(folder, tiny_clip)


def test_a_newer_format_and_an_unknown_method_are_refused(folder, tiny_clip):
    edit(folder, method="oracle")
    with pytest.raises(DetectorError, match="no method named “oracle”"):
        detector.load(folder, tiny_clip)
    edit(folder, format=detector.FORMAT + 1)
    with pytest.raises(DetectorError, match="newer version"):
        detector.load(folder, tiny_clip)


def test_foreign_tensors_with_a_right_checksum_are_one_sentence(folder, tiny_clip):
    import hashlib

    data = safetensors.torch.save({"9.0.block1": torch.zeros(3)})
    (folder / "detector.safetensors").write_bytes(data)
    edit(folder, sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(DetectorError, match="can't be read"):
        detector.load(folder, tiny_clip)


def test_an_untaught_detector_is_not_saved(tmp_path):
    with pytest.raises(DetectorError, match="not taught yet"):
        detector.save(catalogue.make("patchcore"), tmp_path / "detector")
    assert not list(tmp_path.glob("detector"))


def test_the_catalogue_lists_the_methods_without_importing_torch():
    code = (
        "import sys; from inspector.methods import catalogue as c; "
        "print(','.join(c.METHODS)); assert [i.available for i in c.METHODS.values()]; "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    wanted = ["anople", "iipad", "finegrained", "mpama", "winclip", "promptad", "patchcore", "subspace"]
    assert done.stdout.strip().split(",") == wanted


def test_every_available_method_can_be_made_and_names_itself():
    assert {"patchcore", "subspace"} <= {info.name for info in catalogue.available()}
    for info in catalogue.available():
        made = catalogue.make(info.name)
        assert made.method == info.name
        assert made.classes == ()


def test_a_method_that_is_not_installed_or_a_wrong_setting_is_one_sentence(monkeypatch):
    missing = catalogue.MethodInfo("ghost", "Ghost", "", "inspector.methods.ghost:Ghost")
    monkeypatch.setitem(catalogue.METHODS, "ghost", missing)
    assert not missing.available
    with pytest.raises(DetectorError, match="not part of this installation"):
        catalogue.make("ghost")
    with pytest.raises(DetectorError, match="can't be made with colour"):
        catalogue.make("patchcore", colour="red")
    with pytest.raises(DetectorError, match="must be odd"):
        catalogue.make("patchcore", neighbourhood=4)
