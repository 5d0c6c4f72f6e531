"""Adding, changing, removing, starting and stopping stations; what changes their setup can be undone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from inspector.domain import Deed
from inspector.errors import ExportError, InspectorError, ProjectError
from inspector.text import reason
from inspector.views.shared.undo import Steps
from inspector.views.shared.undo_stack import Asks

if TYPE_CHECKING:
    from inspector.records.line.stations import Part, StationRow, StationSettings
    from inspector.records.project import Project
    from inspector.views.shared.context import WindowContext


@dataclass(frozen=True, slots=True)
class Draft:
    """A station as it is to be. `station_id` 0: a new one."""

    station_id: int
    name: str
    settings: StationSettings
    class_id: int | None = None
    detector_id: int | None = None


class StationEdits(QObject):
    def __init__(self, context: WindowContext, parent: QObject) -> None:
        super().__init__(parent)
        self.context = context
        self._steps = Steps(context, lambda _value: context.stations_changed.emit(), self)

    def may_set_up(self) -> bool:
        """Whether who is here may; if not, she was told."""
        return self.context.writable() is not None and self.context.may(Deed.STATIONS)

    def save(self, draft: Draft, done: Callable[[], None], failed: Callable[[BaseException], None]) -> None:
        """Add or change a station; `failed`: it can't be stored as it is."""
        if draft.station_id:
            self._change(draft, done, failed)
        else:
            self._add(draft, done, failed)

    def duplicate(self, row: StationRow, names: Sequence[str]) -> None:
        """Another station with the same setup, and outputs of its own."""
        from uuid import uuid4

        if row.settings is None or not self.may_set_up():
            return
        outputs = tuple(replace(one, key=f"{one.kind}-{uuid4().hex[:8]}") for one in row.settings.outputs)
        settings = replace(row.settings, outputs=outputs)
        draft = Draft(0, _free(row.name, names), settings, row.class_id, row.detector_id)
        self.save(draft, lambda: None, self.context.show_error)

    def remove(self, row: StationRow) -> None:
        """Its results stay."""
        from inspector.records.line.stations import remove_station, restore_station

        if self.may_set_up() and self._stopped(row.id):
            self._steps.do(
                f"remove the station “{row.name}”",
                lambda project: remove_station(project, row.id),
                lambda project: restore_station(project, row.id),
                f"Removed the station “{row.name}”; its results stay.",
                partial(self.context.go, "line"),
                lambda back, yes, no: yes() if back or self._stopped(row.id) else no(),
            )

    def start(self, row: StationRow) -> None:
        """Let it run in this window."""
        from inspector.records.line.stations import set_on

        project = self.context.writable()
        if project is None or not self.context.may(Deed.RUN):
            return

        def on(_none: None) -> None:
            if self.context.project is project:
                self.context.stations.start(project, row.id, row.name)
                self.context.stations_changed.emit()

        self.context.change(self, lambda project: set_on(project, row.id, True), on)

    def stop(self, row: StationRow) -> None:
        from inspector.records.line.stations import set_on

        if self.context.may(Deed.RUN):
            self.context.stations.stop(row.id)
            self.context.change(self, lambda project: set_on(project, row.id, False))

    def try_output(self, part: Part, draft: Draft, say: Callable[[str, bool], None]) -> None:
        """Open an output as the station would, ask its receiver whether it is there, and let go of it again."""
        from inspector.records.line.stations import StationRow
        from inspector.records.schema import now

        station = StationRow(
            draft.station_id, draft.name or "try", draft.class_id, "", None, draft.settings, now()
        )

        def work(project: Project) -> str:
            from inspector.stations.outputs.catalogue import make_output
            from inspector.stations.outputs.link import Link

            link = Link(project, station, threading.Event(), lambda _id: None, lambda _words: None)
            output = make_output(part, link)
            try:
                output.send(())
            finally:
                output.close()
            if "url" not in part.values:
                return "✓ The receiver is there."
            _reach(str(part.values["url"]))
            return "✓ Somebody listens there; whether results are taken shows with the first one."

        def failed(error: BaseException) -> None:
            if isinstance(error, InspectorError):
                say(str(error), False)
            else:
                say("It failed unexpectedly; the log has the details.", False)
                self.context.show_error(error)

        if not self.context.query(self, work, lambda words: say(words, True), failed=failed):
            say("No project is open.", False)

    def _add(self, draft: Draft, done: Callable[[], None], failed: Callable[[BaseException], None]) -> None:
        from inspector.records.line.stations import add_station, remove_station, restore_station

        made: list[int] = []

        def add(project: Project) -> None:
            from inspector.stations.places import require_places

            require_places(project, draft.settings, draft.station_id)
            if made:
                restore_station(project, made[0])
            else:
                made.append(
                    add_station(
                        project,
                        draft.name,
                        draft.settings,
                        class_id=draft.class_id,
                        detector_id=draft.detector_id,
                    )
                )

        def back(project: Project) -> None:
            remove_station(project, made[0])

        def ask(undoing: bool, yes: Callable[[], None], no: Callable[[], None]) -> None:
            if not undoing or self._stopped(made[0]):
                yes()
            else:
                no()

        self._written(f"add the station “{draft.name}”", (add, back), done, failed, ask)

    def _change(
        self, draft: Draft, done: Callable[[], None], failed: Callable[[BaseException], None]
    ) -> None:
        from inspector.records.line.stations import change_station, list_stations

        before: list[StationRow] = []

        def put(project: Project, one: Draft) -> None:
            change_station(
                project,
                one.station_id,
                name=one.name,
                settings=one.settings,
                class_id=one.class_id,
                detector_id=one.detector_id,
            )

        def change(project: Project) -> None:
            from inspector.stations.places import require_places

            require_places(project, draft.settings, draft.station_id)
            before[:] = [row for row in list_stations(project) if row.id == draft.station_id]
            put(project, draft)

        def back(project: Project) -> None:
            row = before[0]
            settings = row.settings or draft.settings
            put(project, Draft(row.id, row.name, settings, row.class_id, row.detector_id))

        def told() -> None:
            done()
            if self.context.stations.running(draft.station_id):
                self.context.toast("Changed; the station goes on with it in a moment.")

        self._written(f"change the station “{draft.name}”", (change, back), told, failed)

    def _written(
        self,
        text: str,
        works: tuple[Callable[[Project], None], Callable[[Project], None]],
        done: Callable[[], None],
        failed: Callable[[BaseException], None],
        asks: Asks | None = None,
    ) -> None:
        """`works`: what does it, and what takes it back."""

        def written(_none: None) -> None:
            self._steps.done(text, *works, partial(self.context.go, "line"), asks)
            self.context.stations_changed.emit()
            done()

        self.context.change(self, works[0], written, failed)

    def _stopped(self, station_id: int) -> bool:
        running = self.context.stations.running(station_id)
        if running:
            self.context.show_error(ProjectError("The station is running.", "Stop it first."))
        return not running


def _reach(url: str) -> None:
    """Raises `ExportError` where nobody listens at an address that is told by requests, none of which may be sent to try it."""
    import socket
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), 5.0).close()
    except OSError as error:
        raise ExportError(
            f"Nobody answers at {parts.hostname}, port {port}: {reason(error)}",
            "Look whether the address is right, and its program runs.",
        ) from error


def _free(name: str, names: Sequence[str]) -> str:
    """ "Station 1" → "Station 2" or what follows."""
    stem, _, number = name.rpartition(" ")
    stem, first = (stem, int(number) + 1) if stem and number.isdigit() else (name, 2)
    taken = {one.casefold() for one in names}
    return next(
        f"{stem} {n}" for n in range(first, first + len(names) + 2) if f"{stem} {n}".casefold() not in taken
    )
