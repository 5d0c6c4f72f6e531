"""Settings: every value has a range, a damaged file is said and never stops anything."""

import contextlib
import errno
import os
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import HealthCheck, given
from hypothesis import settings as rounds
from hypothesis import strategies as st

from inspector import settings
from inspector.errors import SettingsError
from inspector.settings import Settings

EDGE = [10**400, -(10**400), float("nan"), float("inf"), -float("inf"), "", "\0", "‮dark", "x" * 10_000, []]
VALUES = st.one_of(
    st.sampled_from(EDGE),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.text(max_size=100),
    st.lists(st.text(max_size=50), max_size=20),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(min_size=1, max_size=5), st.integers(), max_size=3),
)
NAMES = [field.name for field in fields(Settings)]
many = rounds(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def file(home: Path) -> Path:
    target = home / "config" / "settings.toml"
    target.parent.mkdir(parents=True)
    return target


def in_range(chosen: Settings) -> bool:
    return (
        chosen.theme in ("system", "dark", "light")
        and 1 <= chosen.batch_size <= 256
        and 0.001 <= chosen.false_alarm_rate <= 0.5
        and 0 <= chosen.overlay_opacity <= 1
        and len(chosen.recent_projects) <= 12
        and all(isinstance(item, str) for item in chosen.recent_projects)
    )


@many
@given(data=st.binary(max_size=300))
def test_any_bytes_give_settings_in_their_range(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    chosen, problems = settings.read()
    assert in_range(chosen)
    try:
        understood = tomllib.loads(data.decode("utf-8"))
    except ValueError:
        assert len(problems) == 1
    else:
        assert bool(problems) <= bool(set(understood) & set(NAMES))


@many
@given(stored=st.dictionaries(st.sampled_from([*NAMES, "unknown"]), VALUES))
def test_any_values_give_settings_in_their_range_and_each_bad_one_is_named(
    file: Path, stored: dict[str, Any]
) -> None:
    file.write_bytes(tomlkit.dumps(stored).encode("utf-8", "replace"))
    chosen, problems = settings.read()
    assert in_range(chosen)
    for name in NAMES:
        said = [problem for problem in problems if f", {name} can't be" in problem]
        if name not in stored:
            assert not said
            assert getattr(chosen, name) == getattr(Settings(), name)
        elif said:
            assert getattr(chosen, name) == getattr(Settings(), name)
            assert "\n" not in said[0]
        else:
            value = stored[name]
            assert getattr(chosen, name) == (tuple(value) if isinstance(value, list) else value)


@many
@given(values=st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_what_was_accepted_comes_back_the_same(file: Path, values: dict[str, Any]) -> None:
    chosen = Settings()
    for name, value in values.items():
        with contextlib.suppress(SettingsError):
            setattr(chosen, name, tuple(value) if isinstance(value, list) else value)
    settings.save(chosen)
    assert settings.read() == (chosen, [])


@pytest.mark.parametrize("value", [0, -5, 257, 10**400, 2.0, True, "8"])
def test_a_batch_size_out_of_its_range_is_named_and_the_default_used(file: Path, value: Any) -> None:
    file.write_text(tomlkit.dumps({"batch_size": value}))
    chosen, (problem,) = settings.read()
    assert chosen.batch_size == 8
    assert "batch_size" in problem
    assert "from 1 to 256" in problem
    assert "8 is used" in problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 5000 + "]" * 5000, "too deeply"),
        ("a = " + "9" * 5000, "can't be read"),
        ("theme =", "can't be read"),
        ("# " + "x" * 1_000_000, "too large"),
    ],
)
def test_a_file_that_cannot_be_parsed_gives_defaults_and_one_sentence(
    file: Path, text: str, said: str
) -> None:
    file.write_text(text)
    chosen, (problem,) = settings.read()
    assert chosen == Settings()
    assert said in problem
    assert "defaults are used" in problem


def test_no_file_is_no_problem(home: Path) -> None:
    assert settings.read() == (Settings(), [])


def test_settings_that_cannot_be_saved_say_what_to_do(home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "config").write_text("a file where the folder should be")
    with pytest.raises(SettingsError, match="can't be saved") as refused:
        settings.save(Settings())
    assert "INSPECTOR_HOME" in refused.value.hint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_is_told_from_a_defect(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('theme = "dark"\n')

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match="No space left"):
        settings.save(Settings(theme="light"))
    monkeypatch.undo()
    assert file.read_text() == 'theme = "dark"\n'


def test_a_project_whose_path_cannot_be_stored_is_opened_and_not_remembered() -> None:
    chosen = Settings()
    chosen.remember("/parts/\udcff")
    chosen.remember("/parts/line 3")
    assert chosen.recent_projects == ("/parts/line 3",)
