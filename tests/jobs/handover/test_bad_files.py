"""Files that are damaged, changed, of another kind or made to harm: each gives one sentence, and nothing is taken."""

import io
import json
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from inspector.errors import HandOverError
from inspector.jobs.handover import container
from inspector.jobs.handover.container import MANIFEST, look, unpack
from inspector.records.handed.content import Handed


@pytest.fixture
def into(tmp_path: Path) -> Callable[[], Path]:
    """An empty folder, anew each time."""

    def made() -> Path:
        shutil.rmtree(tmp_path / "into", ignore_errors=True)
        (tmp_path / "into").mkdir()
        return tmp_path / "into"

    return made


Into = Callable[[], Path]


def refused(file: Path, into: Into) -> HandOverError:
    with pytest.raises(HandOverError) as caught:
        unpack(file, into())
    assert caught.value.hint
    assert caught.value.message.count(". ") == 0
    return caught.value


def remade(source: Path, target: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Its members changed, the manifest left as it is unless `change` does more."""
    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target


def test_a_file_cut_short_anywhere_is_refused(handed: Path, tmp_path: Path, into: Into) -> None:
    data, cut = handed.read_bytes(), tmp_path / "cut.inspector"
    for share in (0, 0.0001, 0.01, 0.3, 0.5, 0.9, 0.999, 0.99999):
        cut.write_bytes(data[: int(len(data) * share)])
        refused(cut, into)


def test_whatever_byte_is_another_it_is_noticed_or_changes_nothing(
    handed: Path, tmp_path: Path, into: Into
) -> None:
    whole, broken = handed.read_bytes(), tmp_path / "broken.inspector"
    right = unpack(handed, into())
    draw = random.Random(7)
    ends = [*range(60), *(len(whole) - 1 - back for back in range(0, 2000, 23))]
    noticed = 0
    for place in [*ends, *(draw.randrange(len(whole)) for _ in range(60))]:
        data = bytearray(whole)
        data[place] ^= 1 << draw.randrange(8)
        broken.write_bytes(data)
        try:
            assert unpack(broken, into()) == right
        except HandOverError:
            noticed += 1
    assert noticed > 100


def test_noise_put_in_anywhere_never_does_more_than_refuse(handed: Path, tmp_path: Path, into: Into) -> None:
    whole, broken = handed.read_bytes(), tmp_path / "broken.inspector"
    draw = random.Random(11)
    for _ in range(40):
        start, length = draw.randrange(len(whole)), draw.choice([1, 4, 100, 5000])
        noise = draw.randbytes(draw.choice([0, length]))
        broken.write_bytes(whole[:start] + noise + whole[start + length :])
        refused(broken, into)


def test_other_kinds_of_files_are_told_apart(handed: Path, tmp_path: Path, into: Into) -> None:
    picture = tmp_path / "part.inspector"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    assert "another kind of file" in refused(picture, into).message
    with zipfile.ZipFile(picture, "w") as archive:
        archive.writestr("letter.txt", "hello")
    assert "archive of something else" in refused(picture, into).message
    assert "no file" in refused(tmp_path / "nothing.inspector", into).message
    renamed = tmp_path / "holiday.jpg"
    shutil.copyfile(handed, renamed)
    assert unpack(renamed, into())[1] == unpack(handed, into())[1]  # what counts is what is in it


def test_changed_added_left_out_and_renamed_members_are_noticed(
    handed: Path, tmp_path: Path, into: Into
) -> None:
    def softer(members: dict[str, bytes]) -> None:
        content = json.loads(members["content.json"])
        content["classes"][0]["calibrated"]["ng"] *= 2
        members["content.json"] = json.dumps(content).encode()

    def one_more(members: dict[str, bytes]) -> None:
        members["images/../../x.png"] = b""

    def one_less(members: dict[str, bytes]) -> None:
        del members[next(name for name in members if name.startswith("images/"))]

    def renamed(members: dict[str, bytes]) -> None:
        name = next(name for name in members if name.startswith("images/"))
        members[f"images/{'0' * 64}.png"] = members.pop(name)

    for change in (softer, one_more, one_less, renamed):
        found = refused(remade(handed, tmp_path / "changed.inspector", change), into)
        assert "was changed" in found.message


def signed(members: dict[str, bytes], **more: object) -> None:
    """A manifest whose checksums are right, as somebody makes it on purpose."""
    said = {
        name: {"size": len(data), "sha256": container.hashlib.sha256(data).hexdigest()}
        for name, data in members.items()
        if name != MANIFEST
    }
    manifest = {**json.loads(members[MANIFEST]), "members": said, **more}
    manifest["sha256"] = container._digest(manifest)
    members[MANIFEST] = json.dumps(manifest).encode()


def test_a_newer_format_asks_for_an_update(handed: Path, tmp_path: Path, into: Into) -> None:
    file = remade(
        handed, tmp_path / "new.inspector", lambda members: signed(members, format=2, program="Inspector 9")
    )
    found = refused(file, into)
    assert "newer version" in found.message
    assert found.hint == "Update Inspector."


@pytest.mark.parametrize(
    "name", ["../x.png", "/etc/x", "images/../../x.png", "C:\\x.png", "detector/x.pkl", "images/x.png"]
)
def test_no_name_leads_out_of_the_folder_or_to_a_file_of_another_kind(
    handed: Path, tmp_path: Path, into: Into, name: str
) -> None:
    def add(members: dict[str, bytes]) -> None:
        members[name] = b"x"
        signed(members)

    refused(remade(handed, tmp_path / "out.inspector", add), into)
    assert {path.name for path in tmp_path.iterdir()} <= {"into", "out.inspector", "home"}


def test_what_grows_when_it_is_read_is_refused_before_it_does(
    handed: Path, tmp_path: Path, into: Into
) -> None:
    bomb = tmp_path / "bomb.inspector"
    with zipfile.ZipFile(handed) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(bomb, "w") as archive:
        for name, data in members.items():
            if name.endswith(".safetensors"):  # packed a thousandfold
                archive.writestr(name, bytes(50 << 20), zipfile.ZIP_DEFLATED)
            else:
                archive.writestr(name, data)
    assert bomb.stat().st_size < 20 << 20
    refused(bomb, into)
    with zipfile.ZipFile(bomb, "w") as archive:
        archive.writestr(MANIFEST, b" " * (65 << 20), zipfile.ZIP_DEFLATED)
    refused(bomb, into)
    assert list((tmp_path / "into").rglob("*")) == []


def test_twice_the_same_name_is_refused(handed: Path, tmp_path: Path, into: Into) -> None:
    twice = io.BytesIO(handed.read_bytes())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(twice, "a") as archive:
        archive.writestr("content.json", b"{}")
    file = tmp_path / "twice.inspector"
    file.write_bytes(twice.getvalue())
    refused(file, into)


def test_a_description_that_can_not_be_is_refused_whatever_it_holds(handed: Path) -> None:
    content, _ = look(handed)
    assert Handed.of(content).as_json() == content
    draw, odd = (
        random.Random(3),
        [None, -1, 1e400, "x" * 600, [], {}, True, float("nan"), "../x", [[1]], 10**20],
    )
    for _ in range(300):
        changed = json.loads(json.dumps(content))
        here = changed
        while isinstance(here, dict | list) and here:
            key = draw.choice([*here]) if isinstance(here, dict) else draw.randrange(len(here))
            if draw.random() < 0.3 or not isinstance(here[key], dict | list) or not here[key]:
                here[key] = draw.choice(odd)
                break
            here = here[key]
        with suppress(HandOverError):  # and nothing else
            Handed.of(changed)


def test_a_full_disk_is_said_to_be_full_and_the_file_not_to_be_damaged(
    handed: Path, into: Into, tmp_path: Path
) -> None:
    folder = into()
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            "import resource, sys; from pathlib import Path\n"
            "from inspector.jobs.handover.container import unpack\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
            "unpack(Path(sys.argv[1]), Path(sys.argv[2]))",
            str(handed),
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "There is no room for what the file holds." in ran.stderr
    assert "damaged" not in ran.stderr
