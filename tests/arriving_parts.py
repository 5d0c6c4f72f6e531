"""A project with a station at which parts arrive: real rows of real results, as a running station stores them."""

import hashlib
import io
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image

from inspector.domain import Decision, Thresholds
from inspector.records import project as projects
from inspector.records.classes import add_class
from inspector.records.detectors import NewDetector, add_detector, detector_staging
from inspector.records.files import ImageFacts
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.inspected.runs import start_run
from inspector.records.line.arrivals import NewArrival, as_rows
from inspector.records.line.stations import Part, StationRow, StationSettings, add_station, find_station
from inspector.records.shots import add_shots, list_shots

WORDS = (Decision.OK, Decision.NG, Decision.REVIEW)
_SCORES = {Decision.OK: 0.2, Decision.NG: 0.9, Decision.REVIEW: 0.6}


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, number // 256 % 256, 7)).save(file, "png")
    return file.getvalue()


class Line:
    """`project` with a class “Cookie” and a detector; stations are added by `station`."""

    def __init__(self, folder: Path, *, new: bool = True) -> None:
        if not new:
            self.project = projects.open(folder)
            return
        self.project = projects.create(folder, "Line 4")
        self.class_id = add_class(self.project, "Cookie")
        add_shots(self.project, self.class_id, [("a.png", png(60_000)), ("b.png", png(60_001))])
        files = detector_staging(self.project)
        for name in ("detector.json", "detector.safetensors"):
            (files / name).write_bytes(b"{}")
        detector_id = add_detector(
            self.project,
            NewDetector(
                folder=files,
                title="Cookie",
                method="patchcore",
                backbone={"key": "k", "weights": "inspector-tiny"},
                settings={},
                false_alarm_rate=0.05,
                shot_ids=[row.id for row in list_shots(self.project, self.class_id)],
                held_out={self.class_id: [0.2, 0.3]},
                thresholds={self.class_id: Thresholds(0.5, 0.7, 0.4, {})},
            ),
        )
        self.run_id = start_run(self.project, detector_id, "Station 1")
        self.made = 0

    def station(self, *outputs: Part, name: str = "Press 3", lot: str = "A-17") -> StationRow:
        settings = StationSettings(Part("folder", {"folder": "/in"}), outputs, lot=lot)
        add_station(self.project, name, settings, class_id=self.class_id)
        return find_station(self.project, name)

    def judge(
        self,
        station: StationRow,
        words: Sequence[Decision | None] = WORDS,
        *,
        name: Callable[[int], str] = "part {}.png".format,
        arrived: datetime | None = None,
        images: bool = True,
    ) -> list[int]:
        """One arrival for each word (None: it could not be read), with `images` of their own; the ids of the arrivals."""
        items, news = [], []
        for word in words:
            self.made += 1
            data = png(self.made)
            came = arrived or datetime.now(UTC) - timedelta(seconds=0.2)
            news.append(NewArrival(f"mark {self.made}", "A-17", came, None))
            if word is None:
                items.append(NewResult(name(self.made), error="It is cut off.", hint="Copy it again."))
            else:
                facts = ImageFacts(hashlib.sha256(data).hexdigest(), ".png", (8, 8), "RGB 8 bit")
                items.append(
                    NewResult(
                        name(self.made),
                        facts if images else None,
                        data,
                        self.class_id,
                        1.0,
                        _SCORES[word] + self.made / 1e6,
                    )
                )
        ids = record_results(self.project, self.run_id, items)
        with self.project.writing() as session:
            rows = as_rows(station.id, news, ids, list(words), datetime.now(UTC))
            session.add_all(rows)
            session.flush()
            return [row.id for row in rows]


def wait_for(done: Callable[[], object], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)
