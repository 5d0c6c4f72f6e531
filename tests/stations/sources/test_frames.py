"""Cameras and videos, through real files, a real stream over HTTP and Basler's own emulated camera."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from stations.sources.opened_sources import brightness, opened, until
from stations.sources.streams import Stream
from stations.station_runs import Running, arrivals, station

from inspector.images import read
from inspector.records.project import Project

Start = Callable[[int], Running]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Twelve frames, each brighter than the one before."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 96))
    for number in range(12):
        writer.write(np.full((96, 96, 3), 20 * number, np.uint8))
    writer.release()
    return path


def test_every_frame_of_a_video_is_judged_once_also_after_a_restart(
    project: Project, film: Path, start: Start
) -> None:
    key = station(project, "video", path=str(film), every=3)
    press = start(key)
    press.until_judged(2)
    press.stop()
    again = start(key)
    again.until(lambda: again.watch.state.source == "The video is over.")
    again.until(lambda: again.watch.state.waiting == 0)
    again.stop()
    assert [one.name for one in arrivals(project, key)] == [f"film {n:06}.png" for n in (0, 3, 6, 9)]


def test_a_video_comes_at_the_rate_that_was_asked_for(project: Project, film: Path) -> None:
    with opened(project, "video", path=str(film), rate=20.0) as source:
        began = time.monotonic()
        taken = until(source, 7)
        assert time.monotonic() - began > 0.25
    shown = [brightness(one) for one in taken]
    assert shown == sorted(shown)
    assert len({one.mark for one in taken}) == 7


def test_a_video_that_is_none_is_a_state(project: Project, tmp_path: Path) -> None:
    (tmp_path / "film.avi").write_bytes(b"no film")
    for path, said in ((tmp_path / "film.avi", "no video"), (tmp_path / "gone.avi", "can't be read")):
        with opened(project, "video", path=str(path)) as source:
            assert source.take(1, 0.05) == []
            assert said in source.state


@pytest.fixture
def stream() -> Iterator[Stream]:
    made = Stream()
    yield made
    if made.on:
        made.close()


def test_a_network_camera_that_goes_away_is_a_state_and_comes_back_by_itself(
    project: Project, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.stations.sources.frames._AGAIN", 0.1)
    with opened(project, "camera", device=f"http://127.0.0.1:{stream.port}/live", rate=20) as source:
        first = until(source, 3)
        stream.close()
        deadline = time.monotonic() + 30
        while not source.state:
            assert time.monotonic() < deadline
            source.take(9, 0.05)
        assert "can't be opened" in source.state or "no pictures" in source.state
        stream.back()
        until(source, 12)
        later = until(source, 3)
        assert source.state == ""
        marks = [one.mark for one in first + later]
        assert len(set(marks)) == 6
        stream.close()


def test_frames_that_nobody_takes_in_time_are_counted_as_dropped(project: Project, stream: Stream) -> None:
    with opened(project, "camera", device=f"http://127.0.0.1:{stream.port}/live", rate=40) as source:
        deadline = time.monotonic() + 30
        while source.dropped < 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert source.waiting == 8
        stream.close()


def test_a_triggered_camera_takes_one_picture_for_each_trigger(project: Project, stream: Stream) -> None:
    device = f"http://127.0.0.1:{stream.port}/live"
    with opened(project, "camera", device=device, trigger="software") as source:
        assert source.take(5, 0.3) == []
        for _ in range(2):
            assert source.trigger()
            assert len(until(source, 1)) == 1
        assert source.take(5, 0.2) == []
        stream.close()


def test_a_camera_that_is_not_there_is_a_state(project: Project) -> None:
    with opened(project, "camera", device="63") as source:
        deadline = time.monotonic() + 30
        while not source.state:
            assert time.monotonic() < deadline
            source.take(1, 0.05)
        assert "63 can't be opened" in source.state


@pytest.mark.filterwarnings("ignore:builtin type:DeprecationWarning")  # as an error it crashes pypylon's SWIG
def test_a_basler_camera_is_judged_as_its_driver_emulates_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYLON_CAMEMU", "1")
    with opened(project, "pylon", rate=10) as source:
        taken = until(source, 3)
    assert read.decode(taken[0].data or b"", "a.png").size[0] > 500
    assert len({one.mark for one in taken}) == 3
