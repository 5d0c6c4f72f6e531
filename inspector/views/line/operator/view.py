"""The operator view: full screen, one large answer, and nothing that could be set wrongly."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QHBoxLayout, QVBoxLayout, QWidget

from inspector.domain import Decision, Deed
from inspector.errors import InspectorError, NotAllowedError
from inspector.views.line.operator.head import Head
from inspector.views.line.operator.panel import SidePanel
from inspector.views.line.operator.part_picture import PartPicture
from inspector.views.line.operator.reads import FIRST, Counted, Line, read_line, read_rows
from inspector.views.line.operator.shift_check import ShiftCheck
from inspector.views.line.operator.strip import Strip, said_of
from inspector.views.line.troubles import halted, nothing_comes, of_state
from inspector.views.look import theme
from inspector.views.look.labels import wrapped
from inspector.views.look.thumbnails import Thumbnails
from inspector.views.look.verdict_chip import text
from inspector.views.review.verdict_edits import Review, VerdictEdits

if TYPE_CHECKING:
    from inspector.records.inspected.results import ResultRow
    from inspector.records.line.arrivals import ArrivalRow
    from inspector.records.line.stations import StationRow
    from inspector.records.project import Project
    from inspector.views.line.edits import StationEdits
    from inspector.views.shared.context import WindowContext

LOOKED = 33
"""ms between two looks at the station."""
CALM = 4.0
"""Parts a second up to which each gets its small picture."""
_SLOW = 1000  # ms between two reads where nothing new came
BACK = 10_000
"""ms after which the newest part is shown again."""
JUST = 0.35
"""Seconds after another part came in sight in which a button says nothing of it: the hand meant the one before."""


class OperatorView(QWidget):
    """A window of its own over the main one. `shown`: the part in sight; `held`: one that was chosen in the strip."""

    left = Signal()

    def __init__(self, context: WindowContext, edits: StationEdits, row: StationRow, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.context, self.stations, self.row = context, edits, row
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"{row.name} — Inspector")
        self.setAutoFillBackground(True)
        self.edits = VerdictEdits(context, "line", self)
        self.shown: ArrivalRow | None = None
        self.held: ArrivalRow | None = None
        self.line: Line | None = None
        self._rows: dict[int, ResultRow] = {}  # of the strip's small pictures
        self._looking_up = False
        self._counted: Counted | None = None
        self._opened = datetime.now(UTC)
        self._halted = ""  # why nothing is judged
        self._seen = -1  # the last result that the station told of
        self._beeped = 0  # the last arrival that was heard
        self._reading = self._dirty = self._anew = self._leaving = False
        self._changed_at = 0.0
        self._looked_at = 0.0
        self._came: deque[float] = deque(maxlen=64)
        self._check = ShiftCheck(context, self)
        self._check.running.connect(self._checking)
        self._check.said.connect(self._say)
        self._floor = 0  # what was done before is none of hers to take back

        self.head = Head(row.name)
        self.head.start.clicked.connect(self._pressed)
        self.head.leave.clicked.connect(self.close)
        self.head.trigger.clicked.connect(self.trigger)
        self.picture = PartPicture(context)
        self.picture.back.clicked.connect(self.let_go)
        self.picture.closer.connect(self.hold)
        self.side = SidePanel()
        self.strip = Strip(Thumbnails(context.runner, 160, self))
        self.notice = wrapped()
        self.notice.setAlignment(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        self._lay_out()

        self.side.confirmed.connect(lambda: self.say(agree=True))
        self.side.contradicted.connect(lambda: self.say(agree=False))
        self.side.check_requested.connect(self.check)
        self.side.lot_typed.connect(self._set_lot)
        self.strip.chosen.connect(self.hold)
        for keys, action in (
            ("Esc", self.close),
            ("F11", self.close),
            ("A", partial(self.say, agree=True)),
            ("X", partial(self.say, agree=False)),
            ("Ctrl+Z", self.undo),
            ("T", self.trigger),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(action)
        self._space = QShortcut(QKeySequence("Space"), self)  # elsewhere it presses the button in focus
        self._space.activated.connect(self.trigger)
        self._space.setEnabled(False)
        self._hold = QTimer(self)
        self._hold.setSingleShot(True)
        self._hold.timeout.connect(self.let_go)
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(6000)
        self._quiet.timeout.connect(self.notice.clear)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOKED)
        self._timer.timeout.connect(self._look)
        context.results_changed.connect(self.recount)
        context.stations_changed.connect(self.recount)
        context.stations.changed.connect(self._show_state)
        context.toast_requested.connect(self._toast)
        context.error_raised.connect(self._show_error)

    def open(self) -> None:
        """Show it, full screen, for whoever stands at the line: a sign-in ends."""
        project = self.context.project
        if project is not None and project.guarded:
            self.context.sign_in(None)
        self._floor = self.context.undo.index()
        self.showFullScreen()
        self.activateWindow()
        self.setFocus()
        self._show_state()
        self._read()
        self._timer.start()

    def leave(self) -> None:
        """Without a question: the project goes."""
        self._leaving = True
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._leaving and not self.context.may(Deed.LEAVE):
            event.ignore()
            return
        self._timer.stop()
        event.accept()
        self.left.emit()

    # what people do

    def hold(self, result_id: int) -> None:
        """Show a part of the strip again, for a while."""
        found = next((one for one in self.strip.arrivals if one.result_id == result_id), None)
        if found is not None:
            self.held = found
            self._hold.start(BACK)
            self._show_part()

    def let_go(self) -> None:
        """Back to the newest part."""
        self._hold.stop()
        self.held = None
        self._show_part()

    def say(self, *, agree: bool) -> None:
        """A person's word on the part in sight: what was said is right, or the opposite is."""
        shown = self.shown
        button = self.side.confirm if agree else self.side.other
        if shown is None or not button.isEnabled():
            return
        if monotonic() - self._changed_at < JUST:
            self._say("The part has just changed. Look again, or choose the one that you mean below.")
            return
        said = said_of(shown)
        assert said is not None
        if agree:
            decision = Decision.NG if said is Decision.REVIEW else said
        else:
            decision = Decision.NG if said is Decision.OK else Decision.OK
        reason = "False alarm" if said is Decision.NG and not agree else ""
        words = f"“{shown.name}”: {theme.WORDS[decision]} by your word."
        self.held = shown  # its answer changes in sight before the next one comes
        self._hold.start(1500)
        self.edits.review([Review((shown.result_id,), decision, reason)], words)

    def undo(self) -> None:
        """Take back what was last said here, and nothing that was done elsewhere."""
        self._floor = min(self._floor, self.context.undo.index())
        if self.context.undo.index() > self._floor:
            self.edits.undo()
        else:
            self._say("Nothing was said here that could be taken back.")

    def trigger(self) -> None:
        """Let the source take one picture now, where it waits for that."""
        watch = self.context.stations.watch(self.row.id)
        if self.head.trigger.isVisible() and not (watch is not None and watch.trigger()):
            self._say("The source took no picture: it isn't ready.")

    def check(self) -> None:
        """Check the golden set, beside what the station does."""
        self._check.begin(self.row)

    # what goes on

    def recount(self) -> None:
        """Words on old parts, or the order, are others now."""
        self._counted = None
        self._read(anew=True)

    def _look(self) -> None:
        state = self.context.stations.state(self.row.id)
        if state is not None and state.last != self._seen:
            self._seen = state.last
            self._read()
        elif monotonic() - self._looked_at > _SLOW / 1000:
            self._read(anew=True)
            self._show_state()
        calm = self._rate() <= CALM
        if calm != self.strip.calm:
            self.strip.calm = calm
            self._show_small()

    def _rate(self) -> float:
        now = monotonic()
        return float(sum(now - moment < 1.0 for moment in self._came))

    def _read(self, *, anew: bool = False) -> None:
        """One at a time; what comes meanwhile is read in one go afterwards. `anew`: the station's setup and the drive too."""
        self._anew |= anew
        if self._reading:
            self._dirty = True
            return
        known = None if self._anew else self.line
        if known is None:
            self._looked_at = monotonic()
        self._reading, self._dirty, self._anew = True, False, False
        read = partial(read_line, station_id=self.row.id, before=known, counted=self._counted)
        if not self.context.query(self, read, self._show_line, failed=self._failed, priority=FIRST):
            self._reading = False

    def _failed(self, error: BaseException) -> None:
        """A drive that doesn't answer, say: it is read again in a moment."""
        self._reading = False
        self.context.show_error(error)

    def _show_line(self, line: Line) -> None:
        self._reading = False
        before = None if self.line is None else self.line.arrivals[0].id if self.line.arrivals else 0
        self.line, self.row = line, line.row
        if not (self._dirty and self._counted is None):  # else it was counted before somebody's last word
            self._counted = line.counted
        new = [one for one in line.arrivals if before is not None and one.id > before]
        self._came.extend([monotonic()] * len(new))
        self._hear(new)
        self.side.show_counted(line.counted)
        if self.held is not None:
            self.held = next(
                (one for one in line.arrivals if one.result_id == self.held.result_id), self.held
            )
        self._show_part()
        self._show_state()
        if self._dirty:
            self._read()

    def _hear(self, new: list[ArrivalRow]) -> None:
        settings = self.row.settings
        if settings is not None and settings.sound and any(one.said is Decision.NG for one in new):
            QApplication.beep()
            self._beeped += 1

    def _show_part(self) -> None:
        newest = self.line.arrivals[0] if self.line and self.line.arrivals else None
        part = self.held or newest
        if part is None:
            self._show_none()
            return
        if self.shown is None or part.result_id != self.shown.result_id:
            self._changed_at = monotonic()
        self.shown = part
        said = said_of(part)
        by = " · by a person's word" if part.word is not None else ""
        if self._halted and self.held is None:  # a large OK would be taken for the part that lies there now
            self.side.word.show_words(self._halted, f"The last part was: {text(said)}")
        else:
            self.side.word.show_decision(said, f"{part.class_name}{by}" if part.class_name else by[3:])
        self.side.show_buttons(said, True)
        self.picture.back.setVisible(self.held is not None and part is not newest)
        if self.line is not None:
            self.strip.show_arrivals(self.line.arrivals, self._rows, part.result_id)
            self._show_small()
        self.picture.show_part(part)

    def _show_small(self) -> None:
        """Look up the pictures of the strip where there is time."""
        if self.line is None or not self.strip.calm or self._looking_up:
            return
        ids = [one.result_id for one in self.line.arrivals]
        missing = [key for key in ids if key not in self._rows]
        if not missing:
            self.strip.update()
            return

        def done(rows: list[ResultRow]) -> None:
            self._looking_up = False
            self._rows = {key: row for key, row in self._rows.items() if key in ids}
            self._rows |= {row.id: row for row in rows}
            if self.shown is not None and self.line is not None:
                self.strip.show_arrivals(self.line.arrivals, self._rows, self.shown.result_id)

        self._looking_up = self.context.query(self, partial(read_rows, result_ids=missing), done)

    def _show_none(self) -> None:
        running = self.context.stations.running(self.row.id)
        self.side.word.show_words(
            "Waiting" if running else "Stopped", "for the first part" if running else ""
        )
        self.side.show_buttons(None, False)
        self.picture.show_none("The first part will be shown here." if running else "Press Start to begin.")

    def _show_state(self) -> None:
        stations, key = self.context.stations, self.row.id
        state = stations.state(key)
        found = list(of_state(state)) if state else [stations.trouble(key)]
        if self.line is not None and state is not None and state.running:
            last = self.line.arrivals[0].arrived if self.line.arrivals else None
            found.append(nothing_comes(last, self._opened, datetime.now(UTC)))
        runs, stopping = stations.running(key), stations.stopping(key)
        started = state is not None and state.running
        said = "… Stopping" if stopping else "▶ Running" if started else "… Starting" if runs else "■ Stopped"
        self.head.show_state(said, runs=runs, stopping=stopping)
        values = self.row.settings.source.values if self.row.settings else {}
        triggered = started and values.get("trigger") in ("software", "mqtt")
        self.head.trigger.setVisible(triggered)
        self._space.setEnabled(triggered)
        self.head.show_words(self.row.class_name or "class found by itself", [one for one in found if one])
        before, self._halted = self._halted, halted(runs, state)
        if self.shown is None or before != self._halted:
            self._show_part()

    def _pressed(self) -> None:
        if self.context.stations.running(self.row.id):
            self.stations.stop(self.row)
        else:
            self._opened = datetime.now(UTC)
            self.stations.start(self.row)

    def _set_lot(self, lot: str) -> None:
        from inspector.records.line.stations import set_lot

        key, settings = self.row.id, self.row.settings
        if settings is None or " ".join(lot.split()) == settings.lot:
            return

        def write(project: Project) -> None:
            set_lot(project, key, lot)

        self.context.change(self, write, lambda _none: self.context.stations_changed.emit())

    def _checking(self, on: bool) -> None:
        self.side.check.setEnabled(not on)
        self.side.check.setText("Checking…" if on else "Start shift check")

    def _toast(self, words: str, _undo: object) -> None:
        self._say(words)

    def _say(self, words: str, lasting: bool = False) -> None:
        self.notice.setText(words)
        self._quiet.start(60_000 if lasting else 6000)

    def _show_error(self, error: BaseException) -> None:
        if isinstance(error, InspectorError) and not isinstance(error, NotAllowedError):
            self._say(str(error), lasting=True)

    def _lay_out(self) -> None:
        middle = QHBoxLayout()
        middle.setSpacing(16)
        middle.addWidget(self.picture, 62)
        middle.addWidget(self.side, 38)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(10)
        column.addWidget(self.head)
        column.addLayout(middle, 1)
        column.addWidget(self.strip)
        column.addWidget(self.notice)
        self.notice.setMinimumHeight(self.fontMetrics().height() + 4)
