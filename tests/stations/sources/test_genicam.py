"""A GigE Vision camera as Aravis fakes one: a process of its own that answers over UDP, found, set up and read as real ones are.

It is reached through Aravis, and through a GenTL producer where one is installed (GENICAM_GENTL64_PATH)."""

import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress

import numpy as np
import pytest
from stations.sources.opened_sources import opened, until, wait_for
from stations.station_runs import Running, arrivals, station

from inspector.errors import ImageError, SettingsError
from inspector.images import read
from inspector.records.project import Project
from inspector.stations.source import Source, Taken
from inspector.stations.sources.industrial.aravis import library
from inspector.stations.sources.industrial.features import read_features
from inspector.stations.sources.industrial.gentl import producers
from inspector.stations.sources.industrial.pixels import pixels_of

FAKE = shutil.which("arv-fake-gv-camera-0.8")
SERIAL = "INSPECTOR7"
SMALL = "Width=128 Height=96"
"""The fake camera sends faster than small socket buffers take; a small picture fits."""
needs_fake = pytest.mark.skipif(FAKE is None, reason="Aravis' fake camera isn't installed (aravis-tools)")
needs_aravis = pytest.mark.skipif(library() is None, reason="Aravis isn't installed (libaravis-0.8-0)")
needs_producer = pytest.mark.skipif(not producers(""), reason="there is no GenTL producer here")


def _card() -> str:
    """The network card that has an address: producers don't look for cameras on the loopback."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with suppress(OSError):
                fcntl.ioctl(probe, 0x8915, struct.pack("256s", name.encode()[:15]))  # SIOCGIFADDR
                if name != "lo":
                    return name
    pytest.skip("there is no network card here")


class Fake:
    """The camera; `unplug` and `plug` as somebody does with its cable."""

    def __init__(self, at: str) -> None:
        self._command = [str(FAKE), "-i", at, "-s", SERIAL]
        self._process: subprocess.Popen[bytes] | None = None
        self.plug()

    def plug(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        assert self._process.poll() is None, "another program holds GigE Vision's port"

    def unplug(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    monkeypatch.setattr("inspector.stations.sources.frames._AGAIN", 0.2)
    made = Fake("127.0.0.1")
    yield made
    made.unplug()


@pytest.fixture
def fake_in_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    made = Fake(_card())
    yield made
    made.unplug()


def size(taken: Taken) -> tuple[int, int]:
    assert taken.data is not None
    return read.decode(taken.data, taken.name).size


def camera(project: Project, **values: str | float) -> AbstractContextManager[Source]:
    return opened(project, "genicam", **{"through": "aravis", "features": SMALL, **values})


@needs_fake
@needs_aravis
def test_a_camera_is_found_by_its_serial_number_and_gives_pictures_as_it_is_set_up(
    project: Project, fake: Fake
) -> None:
    with camera(project, camera=SERIAL, rate=20, exposure=2000, gain=1) as source:
        taken = until(source, 4)
        assert source.state == ""
    assert {size(one) for one in taken} == {(128, 96)}
    assert len({one.mark for one in taken}) == 4


@needs_fake
@needs_aravis
def test_exposure_shows_in_the_picture(project: Project, fake: Fake) -> None:
    def bright(exposure: float) -> float:
        with camera(project, rate=20, exposure=exposure, features=f"{SMALL} GainRaw=0") as source:
            data = until(source, 3)[-1].data
        return float(read.decode(data or b"", "a.png").pixels.mean())

    assert bright(9000) > 1.5 * bright(1000)


@needs_fake
@needs_aravis
def test_a_camera_that_is_unplugged_is_a_state_and_gives_pictures_again_once_it_is_back(
    project: Project, fake: Fake
) -> None:
    with camera(project, rate=20) as source:
        first = until(source, 2)
        fake.unplug()
        wait_for(source, lambda: source.state != "", 40)
        assert "refuses" in source.state or "isn't there" in source.state
        wait_for(source, lambda: "No camera is there" in source.state, 40)
        fake.plug()
        wait_for(source, lambda: source.state == "", 40)
        later = until(source, 2)
    assert len({one.mark for one in first + later}) == 4


@needs_fake
@needs_aravis
def test_a_camera_that_waits_for_its_command_takes_one_picture_for_each_trigger_with_its_job(
    project: Project, fake: Fake
) -> None:
    with camera(project, trigger="software", mode="software") as source:
        wait_for(source, lambda: source.trigger("order 5/1"), 10)
        first = until(source, 1)
        assert source.take(5, 0.5) == []
        assert source.trigger("order 5/2")
        second = until(source, 1)
        assert source.take(5, 0.5) == []
    assert [one.name.startswith("order 5") for one in first + second] == [True, True]
    assert first[0].mark != second[0].mark


@needs_fake
@needs_aravis
def test_every_frame_of_a_camera_is_taken_and_those_that_nobody_takes_in_time_are_counted(
    project: Project, fake: Fake
) -> None:
    with camera(project, trigger="every") as source:
        began = time.monotonic()
        until(source, 20)
        assert 0.4 < time.monotonic() - began < 4  # the fake gives 25 a second
        time.sleep(1)  # 25 come, 8 wait
        assert source.waiting == 8
        assert 5 <= source.dropped <= 40


@needs_fake
@needs_aravis
def test_a_frame_that_does_not_come_whole_is_counted_as_dropped_and_not_judged(
    project: Project, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    arv = library()
    status = arv.arv_buffer_get_status
    broken = iter([4, 0, 4])  # packets are missing, as Aravis says it
    monkeypatch.setattr(arv, "arv_buffer_get_status", lambda pointer: next(broken, None) or status(pointer))
    with camera(project, trigger="every") as source:
        until(source, 3)
        assert source.dropped == 2


@needs_fake
@needs_aravis
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"camera": "ELSEWHERE"}, f"ELSEWHERE isn't there. There are: {SERIAL}"),
        ({"features": "Colour=7"}, "Colour"),
        ({"features": "PixelFormat=Mono99"}, "Mono99"),
    ],
)
def test_what_a_camera_does_not_have_is_said_with_its_name(
    project: Project, fake: Fake, values: dict[str, str], said: str
) -> None:
    with camera(project, **values) as source:
        wait_for(source, lambda: source.state != "")
        assert said in source.state


@needs_fake
@needs_aravis
def test_a_station_judges_what_its_camera_shows(
    project: Project, fake: Fake, start: Callable[[int], Running]
) -> None:
    key = station(project, "genicam", through="aravis", features=SMALL, trigger="software")
    running = start(key)
    running.until(lambda: running.watch.state.running and running.watch.trigger("A-17/4"))
    running.until_judged(1)
    (row,) = arrivals(project, key)
    assert row.job == "A-17/4"
    assert row.name.startswith("A-17/4 ")
    assert row.said is not None


@needs_fake
@needs_producer
def test_a_camera_is_reached_through_a_gentl_producer(project: Project, fake_in_network: Fake) -> None:
    with opened(
        project, "genicam", through="gentl", camera=SERIAL, features=SMALL, rate=20, exposure=3000
    ) as source:
        taken = until(source, 3, 40)
        assert source.state == ""
    assert {size(one) for one in taken} == {(128, 96)}


@needs_fake
@needs_producer
def test_a_producer_says_which_feature_a_camera_does_not_have(
    project: Project, fake_in_network: Fake
) -> None:
    with opened(project, "genicam", through="gentl", camera=SERIAL, features="Colour=7") as source:
        wait_for(source, lambda: "has no feature Colour" in source.state, 40)


def test_features_are_pairs_and_anything_else_is_refused() -> None:
    assert read_features("A=1; B=x,C=2.5\n") == (("A", "1"), ("B", "x"), ("C", "2.5"))
    for wrong in ("A", "A=", "=1", "A B", "é=1", "A;rm=1 -x=2"):
        with pytest.raises(SettingsError):
            read_features(wrong)


def test_pixel_formats_of_cameras_become_pixels() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert np.array_equal(pixels_of(grey.tobytes(), "Mono8", 4, 3), grey)
    deep = np.arange(12, dtype="<u2").reshape(3, 4) * 300
    assert np.array_equal(pixels_of(deep.tobytes(), "Mono12", 4, 3), deep)
    red = np.zeros((8, 8), np.uint8)
    red[0::2, 0::2] = 200
    shown = pixels_of(red.tobytes(), "BayerRG8", 8, 8)
    assert shown.shape == (8, 8, 3)
    assert shown[4, 4].tolist() == [0, 0, 200]
    assert pixels_of((red.astype("<u2") * 16).tobytes(), "BayerRG12", 8, 8)[4, 4].tolist() == [0, 0, 200]
    assert pixels_of(bytes([1, 2, 3]), "RGB8", 1, 1).tolist() == [[[3, 2, 1]]]
    assert pixels_of(bytes([1, 2, 3]), "BGR8", 1, 1).tolist() == [[[1, 2, 3]]]
    for form, said in (("Mono12Packed", "Mono12Packed"), ("Mono16", "isn't whole"), ("BayerXY8", "BayerXY8")):
        with pytest.raises(ImageError, match=said):
            pixels_of(bytes(16), form, 4, 4)
