"""A station at a folder, as a line has it: how long verdicts take, and that nothing is lost or judged twice, also when it is killed."""

import json
import multiprocessing
import os
import random
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

from inspector import installation
from inspector.bench import drawn_parts
from inspector.bench.line.receivers import receiving
from inspector.errors import InspectorError
from inspector.jobs.engine import Engine
from inspector.records import project as projects
from inspector.records.line.arrivals import ArrivalRow, list_arrivals
from inspector.records.line.stations import Part, StationSettings, add_station, find_station

STATION = "Line"
_STUCK = 300.0
"""Seconds within which a runner has said something."""
_DRAWN = 24
_SLOW, _BROKEN = 7, 11
"""Every so manieth picture is written slowly, or is none."""


def line(
    seconds: float = 60.0, rate: float = 20.0, *, size: int = 512, progress: Callable[[str], None] = print
) -> dict[str, Any]:
    """A folder station (`inspector run`) that another process feeds `rate` drawn pictures of `size` pixels a second.

    `p50_ms`, `p95_ms`: from a file's getting its name to its result's being stored. `lost`, `doubled`: pictures without a result,
    and results too many. `rss_growth_mib`: by how much the runner's memory grew after a quarter of the time, None where the
    system doesn't say; likewise `cpu_ms_per_image`, processor time of the runner, which other programs hardly change.
    """
    with tempfile.TemporaryDirectory(prefix="inspector-line-") as folder:
        top, inbox = Path(folder), Path(folder) / "inbox"
        drawn = _project(top, size, {"path": str(inbox), "finished": "renamed", "after": "delete"})
        count = max(1, int(seconds * rate))
        with _Runner(top / "project") as runner:
            _put(drawn[0], inbox, "warm-up.png", -1)
            runner.wait_for(1)
            progress(f"Ready; {count:,} pictures at {rate:g} a second.")
            before = runner.cpu_seconds()
            with _feeding(_feed, drawn, inbox, count, rate, top / "written") as fed:
                memory = []
                while fed.is_alive():
                    fed.join(1.0)
                    memory.append(runner.memory_mib())
            runner.wait_for(count + 1)
            memory.append(runner.memory_mib())
            spent = runner.cpu_seconds()
            code = runner.stop()
        found = [one for one in _arrivals(top / "project") if one.name != "warm-up.png"]
        written = _moments(top / "written")
    late = [1000 * (one.arrived.timestamp() + one.took - written[one.name]) for one in found]
    lost, doubled = _compared(written, found)
    early = memory[len(memory) // 4]
    return {
        "images": len(written),
        "rate": rate,
        "seconds": seconds,
        "p50_ms": round(statistics.median(late), 1),
        "p95_ms": round(sorted(late)[int(0.95 * len(late))], 1),
        "max_ms": round(max(late), 1),
        "lost": lost,
        "doubled": doubled,
        "failed": sum(one.said is None for one in found),
        "rss_growth_mib": None if early is None or memory[-1] is None else round(memory[-1] - early, 1),
        "rss_mib": memory[-1] and round(memory[-1], 1),
        "cpu_ms_per_image": None
        if before is None or spent is None
        else round(1000 * (spent - before) / count, 1),
        "exit_code": code,
    }


def killed(
    kills: int = 20,
    images: int = 2000,
    *,
    rate: float = 20.0,
    seed: int = 0,
    outputs: bool = False,
    progress: Callable[[str], None] = print,
) -> dict[str, Any]:
    """The same while the runner is killed at random moments and started again, `kills` times. Some pictures are written slowly under
    their own names, some are none and must fail by name. `wrong`: pictures that were judged and should have failed, or the
    other way round. `told_wrong`: results that a file of JSON lines doesn't hold once and in order.
    With `outputs`, an MQTT broker and an OPC UA client, which the results are told too, go away and come back meanwhile; see
    `Receivers.compared`."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="inspector-line-") as folder, ExitStack() as stack:
        top, inbox = Path(folder), Path(folder) / "inbox"
        told = Part("jsonl", {"folder": str(top / "told")}, "jsonl")
        others = stack.enter_context(receiving(top, seed, outputs))
        parts = (told, *(others.outputs if others else ()))
        drawn = _project(top, 160, {"path": str(inbox), "after": "move"}, parts)
        with _feeding(_feed_badly, drawn, inbox, images, rate, top / "written") as fed:
            for number in range(kills):
                with _Runner(top / "project") as runner:
                    if number % 4:  # else also while it starts
                        runner.wait_for(rng.randrange(1, 12))
                    time.sleep(rng.uniform(0.0, 0.6))
                    runner.kill()
                progress(f"{number + 1} of {kills} killed, after {runner.told} pictures.")
            fed.join()
        progress("All are written.")
        with _Runner(top / "project") as runner:
            runner.until(lambda: not any(path.is_file() for path in inbox.iterdir()))
            if others is not None:
                others.stay()
                others.wait_for(images, _STUCK / 3)
            code = runner.stop()
        found, written = _arrivals(top / "project"), _moments(top / "written")
        left = sum(path.is_file() for path in inbox.iterdir())
        lines = (top / "told" / f"{STATION}.jsonl").read_text("utf-8").splitlines()
    lost, doubled = _compared(written, found)
    wrong = [one.name for one in found if (one.said is None) != one.name.startswith("broken")]
    told_ids = [json.loads(text)["id"] for text in lines]
    in_order = [one.id for one in found]
    return {
        "images": len(written),
        "kills": kills,
        "seed": seed,
        "lost": lost,
        "doubled": doubled,
        "wrong": len(wrong),
        "failed": sum(one.said is None for one in found),
        "left_in_folder": left,
        "told_wrong": sum(a != b for a, b in zip_longest(told_ids, in_order)),
        "exit_code": code,
        **(others.compared(in_order) if others else {}),
    }


def _project(top: Path, size: int, values: dict[str, str], outputs: tuple[Part, ...] = ()) -> list[Path]:
    """Make a taught project with a station; pictures to feed it."""
    shots, drawn = drawn_parts.files(top, _DRAWN, None, size=size)
    (top / "inbox").mkdir()
    with projects.create(top / "project", "Line") as project:
        drawn_parts.teach_part(project, Engine(), shots)
        add_station(project, STATION, StationSettings(Part("folder", values), outputs))
    return drawn


class _Runner:
    """`inspector run` in a process of its own; killed at the end, if it still runs."""

    def __init__(self, project: Path) -> None:
        self._process = subprocess.Popen(
            [*installation.command(), "run", str(project), "--station", STATION],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self.told = 0
        self._said: list[str] = []
        self._last = time.monotonic()
        self._readers = [threading.Thread(target=self._count), threading.Thread(target=self._listen)]
        for one in self._readers:
            one.start()

    def __enter__(self) -> "_Runner":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def wait_for(self, count: int) -> None:
        """Until it told of so many pictures."""
        self.until(lambda: self.told >= count)

    def memory_mib(self) -> float | None:
        """Its memory now."""
        try:
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        except (OSError, IndexError, AttributeError):
            return None

    def cpu_seconds(self) -> float | None:
        """Processor time that it has spent."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, IndexError, ValueError, AttributeError):
            return None

    def stop(self) -> int:
        """As a supervisor stops it; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(_STUCK)

    def kill(self) -> None:
        """At once, as a power cut would."""
        self._process.kill()
        self._process.wait()
        for one in self._readers:
            one.join()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def until(self, holds: Callable[[], bool]) -> None:
        """Until this holds. Raises InspectorError when it ends before, or says nothing for long."""
        self._last = time.monotonic()
        while not holds():
            if self._process.poll() is not None:
                raise InspectorError(f"The runner ended: {' '.join(self._said[-3:])}")
            if time.monotonic() - self._last > _STUCK:
                raise InspectorError(f"The runner is stuck: {' '.join(self._said[-3:])}")
            time.sleep(0.02)

    def _count(self) -> None:
        for _ in self._process.stdout or ():
            self.told += 1
            self._last = time.monotonic()

    def _listen(self) -> None:
        for text in self._process.stderr or ():
            self._said.append(text.strip())


@contextmanager
def _feeding(
    feed: Callable[..., None], drawn: Sequence[Path], inbox: Path, count: int, rate: float, log: Path
) -> Iterator[Any]:
    """The process that writes the pictures."""
    process = multiprocessing.get_context("spawn").Process(
        target=feed, args=(list(drawn), inbox, count, rate, log)
    )
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def _feed(drawn: Sequence[Path], inbox: Path, count: int, rate: float, log: Path) -> None:
    begin = time.monotonic()
    with log.open("w") as written:
        for number in range(count):
            time.sleep(max(0.0, begin + number / rate - time.monotonic()))
            name = f"part {number:06}.png"
            _put(drawn[number % len(drawn)], inbox, name, number)
            written.write(f"{time.time()} {name}\n")
            written.flush()


def _feed_badly(drawn: Sequence[Path], inbox: Path, count: int, rate: float, log: Path) -> None:
    begin = time.monotonic()
    slow: list[threading.Thread] = []
    with log.open("w") as written:
        for number in range(count):
            time.sleep(max(0.0, begin + number / rate - time.monotonic()))
            source = drawn[number % len(drawn)]
            name = f"part {number:06}.png"
            if number % _BROKEN == _BROKEN - 1:
                name = f"broken {name}"
                data = source.read_bytes()
                (inbox / name).write_bytes(data[: len(data) // 2] if number % 2 else data[:40] + data[60:])
            elif number % _SLOW == _SLOW - 1:
                slow = [one for one in slow if one.is_alive()]
                slow.append(threading.Thread(target=_write_slowly, args=(source, inbox / name, number)))
                slow[-1].start()
            else:
                _put(source, inbox, name, number)
            written.write(f"{time.time()} {name}\n")
            written.flush()
    for one in slow:
        one.join()


def _put(source: Path, inbox: Path, name: str, number: int) -> None:
    unfinished = inbox / f".{name}"
    drawn_parts.copy_with_own_hash(source, unfinished, number)
    unfinished.rename(inbox / name)


def _write_slowly(source: Path, target: Path, number: int) -> None:
    """Under its own name, with pauses longer than a file must stay the same."""
    unfinished = target.with_name(f".slow {target.name}")
    drawn_parts.copy_with_own_hash(source, unfinished, number)
    data = unfinished.read_bytes()
    unfinished.unlink()
    with target.open("wb") as file:
        for place in range(4):
            file.write(data[place * len(data) // 4 : (place + 1) * len(data) // 4])
            file.flush()
            time.sleep(0.5)


def _arrivals(folder: Path) -> list[ArrivalRow]:
    with projects.open(folder) as project:
        station = find_station(project, STATION).id
        return list_arrivals(project, station, limit=10_000_000)


def _moments(log: Path) -> dict[str, float]:
    """Name → when it was written, by the system's clock."""
    pairs = (text.split(" ", 1) for text in log.read_text().splitlines())
    return {name: float(moment) for moment, name in pairs}


def _compared(written: dict[str, float], found: Sequence[ArrivalRow]) -> tuple[int, int]:
    """(lost, doubled)"""
    counts = Counter(one.name for one in found)
    return len(written.keys() - counts.keys()), sum(counts.values()) - len(counts)
