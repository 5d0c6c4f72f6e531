import contextlib
import hashlib
import json
import random
import subprocess
import sys

import pytest
import safetensors.torch
import torch

from inspector.domain import CancelToken
from inspector.errors import DetectorError
from inspector.methods import catalogue, storage


@pytest.fixture
def made(tiny_clip, parts):
    found = catalogue.make("patchcore")
    found.fit(parts, tiny_clip, progress=lambda *_: None, cancel=CancelToken())
    return found


@pytest.fixture
def folder(made, tmp_path):
    storage.save(made, tmp_path / "detectors" / "1")
    return tmp_path / "detectors" / "1"


QUICK = {"epochs": 1, "adaptation_epochs": 1, "variants": 1, "alps": 1, "ahps": 1}


def stored_quickly(method, parts, backbone, folder):
    quick = {name: value for name, value in QUICK.items() if name in catalogue.defaults(method)}
    made = catalogue.make(method, **quick)
    made.fit(parts, backbone, progress=lambda *_: None, cancel=CancelToken())
    storage.save(made, folder)


def edit(folder, tensors=None, **changes):
    """What somebody who changes a detector on purpose does: every checksum is right afterwards."""
    file = folder / storage.MANIFEST_FILE
    manifest = json.loads(file.read_text()) | changes
    if tensors is not None:
        data = safetensors.torch.save({name: value.clone() for name, value in tensors.items()})
        (folder / storage.TENSORS_FILE).write_bytes(data)
        manifest["sha256"] = hashlib.sha256(data).hexdigest()
    file.write_text(json.dumps(manifest | {"manifest_sha256": storage._digest(manifest)}))


def test_a_detector_is_one_safetensors_file_and_one_json_file(folder, made, tiny_clip):
    assert sorted(path.name for path in folder.iterdir()) == ["detector.json", "detector.safetensors"]
    manifest = json.loads((folder / "detector.json").read_text())
    assert manifest["method"] == "patchcore"
    assert manifest["classes"] == list(made.classes)
    assert manifest["backbone"]["key"] == tiny_clip.identity.key
    assert not list(folder.parent.glob(".*"))


def test_saving_again_replaces_the_whole_detector(folder, made, tiny_clip, parts):
    made.add_shots("disc", parts["plate"])
    storage.save(made, folder)
    assert storage.load(folder, tiny_clip).taught.memory.count("disc") == 4
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_save_that_fails_leaves_the_old_detector(folder, made, tiny_clip, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = (folder / "detector.safetensors").read_bytes()
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DetectorError, match="the disk is full"):
        storage.save(made, folder)
    assert (folder / "detector.safetensors").read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    storage.load(folder, tiny_clip)


def test_a_changed_byte_in_the_learned_values_is_noticed(folder, tiny_clip):
    file = folder / "detector.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(DetectorError, match="damaged or was changed"):
        storage.load(folder, tiny_clip)


def test_another_backbone_is_refused_by_name(folder, wordless_clip, tiny_clip):
    with pytest.raises(DetectorError, match=r"taught on the backbone tiny .*, but wordless .* is in use"):
        storage.load(folder, wordless_clip)


def test_another_version_of_the_same_backbone_is_refused_without_riddles(folder, tiny_clip):
    manifest = json.loads((folder / "detector.json").read_text())
    edit(folder, backbone=manifest["backbone"] | {"key": "0123"})
    with pytest.raises(DetectorError, match=r"another version of tiny than the one in use") as refused:
        storage.load(folder, tiny_clip)
    assert "Teach it again" in refused.value.hint


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json", '{"format": "1"}'])
def test_a_broken_description_is_one_sentence(folder, tiny_clip, content):
    (folder / "detector.json").write_text(content)
    with pytest.raises(DetectorError, match=r"can't be read|incomplete"):
        storage.load(folder, tiny_clip)


def test_what_is_missing_is_said(folder, tiny_clip, tmp_path):
    with pytest.raises(DetectorError, match="no detector in nowhere"):
        storage.load(tmp_path / "nowhere", tiny_clip)
    (folder / "detector.safetensors").unlink()
    with pytest.raises(DetectorError, match="learned values is missing"):
        storage.load(folder, tiny_clip)


def test_a_newer_format_and_an_unknown_method_are_refused(folder, tiny_clip):
    edit(folder, method="oracle")
    with pytest.raises(DetectorError, match="no method named “oracle”"):
        storage.load(folder, tiny_clip)
    edit(folder, format=storage.FORMAT + 1)
    with pytest.raises(DetectorError, match="newer version"):
        storage.load(folder, tiny_clip)


def test_a_changed_setting_is_noticed_and_a_file_of_an_earlier_version_has_no_checksum_of_them(
    folder, tiny_clip
):
    file = folder / "detector.json"
    manifest = json.loads(file.read_text())
    manifest["settings"]["bank"]["sigma"] = 2.0
    file.write_text(json.dumps(manifest))
    with pytest.raises(DetectorError, match="description in 1 is damaged or was changed"):
        storage.load(folder, tiny_clip)
    del manifest["manifest_sha256"]
    file.write_text(json.dumps(manifest))
    assert storage.load(folder, tiny_clip).settings["sigma"] == 2.0


DEEP = "[" * 50_000 + "]" * 50_000


@pytest.mark.parametrize("text", [DEEP, f'{{"settings": {DEEP}}}', '{"format": ' + "9" * 5000 + "}"])
def test_a_description_that_is_nested_too_deep_or_holds_endless_numbers_is_one_sentence(
    folder, tiny_clip, text
):
    (folder / "detector.json").write_text(text)
    with pytest.raises(DetectorError, match=r"can't be read|incomplete"):
        storage.load(folder, tiny_clip)


SETTINGS = {
    "map_size": [0, -1, 30_000, 10**400, 16.0, "16", None, True, [], float("nan")],
    "sigma": [-1, 61, 10**400, float("nan"), float("inf"), "1", None, True, {}],
    "neighbourhood": [0, 2, -3, 33, 10**400, 3.0, "3", None, []],
    "classes": [[], ["disc"], ["disc", "disc"], ["plate", "disc", "nut"], "disc", None, {"disc": 1}],
}


@pytest.mark.parametrize(("name", "value"), [(k, v) for k, rows in SETTINGS.items() for v in rows])
def test_a_setting_of_the_memory_that_it_cannot_have_is_one_sentence(folder, tiny_clip, name, value):
    settings = json.loads((folder / "detector.json").read_text())["settings"]
    edit(folder, settings=settings | {"bank": settings["bank"] | {name: value}})
    with pytest.raises(DetectorError):
        storage.load(folder, tiny_clip)


@pytest.mark.parametrize(
    "taps", [["block9"], ["stem8"], ["vv2"], [], [3], "block1", 7, ["block1", "block2", "block3"], {}]
)
def test_taps_that_the_backbone_or_the_memory_does_not_have_are_one_sentence(folder, tiny_clip, taps):
    settings = json.loads((folder / "detector.json").read_text())["settings"]
    edit(folder, settings=settings | {"taps": taps})
    with pytest.raises(DetectorError):
        storage.load(folder, tiny_clip)


def test_values_of_a_huge_number_ask_for_no_memory(folder, tiny_clip):
    tensors = safetensors.torch.load((folder / storage.TENSORS_FILE).read_bytes())
    name = next(iter(tensors))
    value = tensors.pop(name)
    for number in ("99999999999", "9" * 400, "²"):
        for other in (f"0.{number}.{name.split('.', 2)[2]}", f"{number}.0.{name.split('.', 2)[2]}"):
            edit(folder, {**tensors, other: value})
            with pytest.raises(DetectorError):
                storage.load(folder, tiny_clip)


def _mutants(tensors, draw):
    """A name, and what stands in its place: (name, tensor | None)."""
    for name, value in tensors.items():
        yield {name: None}
        yield {name: None, f"{name}x": value}
        yield {f"{name}.more": value}
        yield {name: value[None]}
        yield {name: value.flatten()[:-1]}
        yield {name: value.to(torch.float16)}
        if value.is_floating_point():
            for wrong in (float("nan"), float("inf")):
                spoilt = value.clone()
                spoilt.view(-1)[draw.randrange(value.numel())] = wrong
                yield {name: spoilt}
        else:
            yield {name: value.clone().fill_(77)}


@pytest.mark.parametrize("method", catalogue.METHODS)
def test_learned_values_that_a_method_cannot_have_are_one_sentence_or_change_no_shape(
    method, tiny_clip, parts, tmp_path
):
    stored_quickly(method, parts, tiny_clip, tmp_path / "it")
    tensors = safetensors.torch.load((tmp_path / "it" / storage.TENSORS_FILE).read_bytes())
    mutants, draw, refused = list(_mutants(tensors, random.Random(0))), random.Random(1), 0
    for mutant in draw.sample(mutants, min(len(mutants), 60)):
        changed = {k: v for k, v in {**tensors, **mutant}.items() if v is not None}
        edit(tmp_path / "it", changed)
        try:
            (found,) = storage.load(tmp_path / "it", tiny_clip).score(parts["disc"][:1], ["disc"])
        except DetectorError:
            refused += 1
        else:  # a shape that is free, such as that of what the prompts were made of
            assert found.values.shape == (16, 16)
    assert refused > 0.8 * min(len(mutants), 60)


@pytest.mark.parametrize("method", catalogue.METHODS)
def test_settings_that_a_method_cannot_have_are_one_sentence_or_score_all_the_same(
    method, tiny_clip, parts, tmp_path
):
    stored_quickly(method, parts, tiny_clip, tmp_path / "it")
    stored = json.loads((tmp_path / "it" / "detector.json").read_text())["settings"]
    own = stored.get("settings", stored)
    for name in own:
        for value in (None, -1, 0, 99, 10**400, 1e300, float("nan"), True, "x", [], {}, [1, 2, 3], [[1]]):
            mutant = {**own, name: value}
            edit(tmp_path / "it", settings={**stored, "settings": mutant} if "settings" in stored else mutant)
            with contextlib.suppress(DetectorError):
                (found,) = storage.load(tmp_path / "it", tiny_clip).score(parts["disc"][:1], ["disc"])
                assert found.values.shape == (16, 16)


def test_a_detector_that_names_other_classes_than_it_was_taught_is_refused(folder, tiny_clip):
    edit(folder, classes=["disc", "nut"])
    with pytest.raises(DetectorError, match="names other classes"):
        storage.load(folder, tiny_clip)


def test_an_untaught_detector_is_not_saved(tmp_path):
    with pytest.raises(DetectorError, match="not taught yet"):
        storage.save(catalogue.make("patchcore"), tmp_path / "detector")
    assert not list(tmp_path.glob("detector"))


def test_the_catalogue_lists_the_methods_without_importing_torch():
    code = (
        "import sys; from inspector.methods import catalogue as c; "
        "print(','.join(c.METHODS)); assert [i.available for i in c.METHODS.values()]; "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    wanted = [
        "anople",
        "iipad",
        "finegrained",
        "mpama",
        "winclip",
        "promptad",
        "patchcore",
        "subspace",
        "anomalydino",
    ]
    assert done.stdout.strip().split(",") == wanted


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
