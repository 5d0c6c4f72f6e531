"""Following a station: how it goes over time, and what moved."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from inspector.domain import Deed
from inspector.text import printable
from inspector.views.line.trend import reading
from inspector.views.line.trend.alarm_list import AlarmList
from inspector.views.line.trend.charts import all_charts
from inspector.views.line.trend.files import TrendFiles
from inspector.views.line.trend.reading import SPANS, Asked, Shown
from inspector.views.line.trend.reference_dialog import ReferenceDialog
from inspector.views.look import icons, theme
from inspector.views.look.empty import EmptyState
from inspector.views.look.kit import choice, narrow_combo, switch, tool
from inspector.views.look.labels import plain
from inspector.views.look.sections import Section, SectionsPage
from inspector.views.shared.context import ResultQuery
from inspector.views.shared.undo import Steps

if TYPE_CHECKING:
    from inspector.records.line.alarms import AlarmRow, Following, Watched
    from inspector.records.line.stations import Reference, StationRow
    from inspector.records.project import Project
    from inspector.views.shared.context import WindowContext

_PACE = 5_000
"""ms between looks at what has come, at least."""
_CALM = 20
"""Reading takes at most this part of the time."""
_DRIFT = 60.0
"""Seconds for which what moved is taken as known."""


class TrendSection(Section):
    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self._project: Project | None = None
        self._watched: tuple[float, int, Watched] | None = None  # when, which station, what moved
        self._following: Following | None = None  # what it was found from
        self.dialog: ReferenceDialog | None = None
        self.asked = Asked(0, None, None, "day", 0)
        self.shown: Shown | None = None
        self.station = narrow_combo("Station")
        self.class_choice = narrow_combo("Class")
        self.lot = narrow_combo("Order")
        group = QButtonGroup(self)
        self.spans = {
            name: choice(
                group, words, f"The {name} that is shown" if name != "all" else "Everything", name == "day"
            )
            for name, words in SPANS.items()
        }
        self.earlier, self.later = tool("left", "Earlier"), tool("right", "Later")
        self.export_button = QPushButton(icons.icon("export"), "Export…")
        self.export_button.setToolTip("Write what is shown as a table (Ctrl+E)")
        self.report_button = QPushButton(icons.icon("file"), "Report…")
        self.report_button.setToolTip("A report of what is shown, to print or to sign")
        self.reference_button = QPushButton(icons.icon("accept"), "Reference…")
        self.reference_button.setToolTip("What is held to be usual, from which drift is told")
        self.files = TrendFiles(context, self)
        self.charts = all_charts()
        self.when = QLabel()
        self.alarms = AlarmList()
        self.empty = EmptyState(
            "evaluate", "No part has come to a station yet. How a line goes is shown here.", "Go to stations"
        )
        self._clock = QTimer(self)
        self._clock.setInterval(_PACE)
        self._steps = Steps(context, lambda _before: context.stations_changed.emit(), self)
        self._build()
        self._connect()

    def _build(self) -> None:
        self.top = QWidget()
        top = QHBoxLayout(self.top)
        top.setContentsMargins(16, 8, 16, 8)
        top.setSpacing(8)
        for combo in (self.station, self.class_choice, self.lot):
            top.addWidget(combo, 1)
        spans = QHBoxLayout()
        spans.setSpacing(2)
        spans.addWidget(self.earlier)
        for button in self.spans.values():
            spans.addWidget(button)
        spans.addWidget(self.later)
        top.addLayout(spans)
        top.addWidget(self.reference_button)
        top.addWidget(self.report_button)
        top.addWidget(self.export_button)
        theme.set_role(self.when, "quiet")
        plots = QWidget()
        column = QVBoxLayout(plots)
        column.setContentsMargins(8, 0, 0, 8)
        column.setSpacing(0)
        line = QHBoxLayout()
        line.setContentsMargins(8, 0, 12, 2)
        line.addWidget(self.when, 1)
        column.addLayout(line)
        for chart, share in zip(self.charts, (4, 3, 4, 3), strict=True):
            column.addWidget(chart, share)
        both = QSplitter(Qt.Orientation.Horizontal)
        both.setChildrenCollapsible(False)
        both.addWidget(plots)
        both.addWidget(self.alarms)
        both.setStretchFactor(0, 1)
        both.setSizes([960, 280])
        self.alarms.setMinimumWidth(200)
        self.body = QStackedWidget()
        for widget in (QWidget(), both, self.empty):
            self.body.addWidget(widget)
        self._both = both
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.top)
        whole.addWidget(self.body, 1)

    def _connect(self) -> None:
        for combo in (self.station, self.class_choice, self.lot):
            combo.activated.connect(self._chosen)
        for name, button in self.spans.items():
            button.clicked.connect(partial(self._span, name))
        self.earlier.clicked.connect(partial(self._step, 1))
        self.later.clicked.connect(partial(self._step, -1))
        self.export_button.clicked.connect(self.export)
        self.report_button.clicked.connect(lambda: self.files.report(self.shown))
        self.reference_button.clicked.connect(self.choose_reference)
        self.empty.button.clicked.connect(self._to_stations)
        self.alarms.opened.connect(self.open_alarm)
        for chart in self.charts:
            chart.hovered.connect(self._hovered)
            chart.picked.connect(self.open_bucket)
        self._clock.timeout.connect(self._follow)
        self.context.results_changed.connect(self._changed)
        self.context.stations_changed.connect(self._changed)
        self.context.thresholds_moved.connect(lambda _move: self._changed())

    # what is shown

    def refresh(self) -> None:
        project = self.context.project
        if project is not self._project:
            self._project, self._watched, self._following, self.shown = project, None, None, None
            self.asked = replace(self.asked, station_id=0, class_id=None, lot=None, back=0)
            self.body.setCurrentIndex(0)
        self._read()
        self._clock.start()

    def _read(self) -> None:
        known = None
        if self._watched is not None:
            when, station_id, watched = self._watched
            if station_id == self.asked.station_id and time.monotonic() - when < _DRIFT:
                known = watched
        read = partial(reading.read, asked=self.asked, known=known, following=self._following)
        self.context.query(self, read, self._show, latest="trend")

    def _show(self, shown: Shown) -> None:
        if shown.watched is not None and (self._watched is None or shown.watched is not self._watched[2]):
            self._watched = time.monotonic(), shown.asked.station_id, shown.watched
        before, self._following = self.shown, shown.following
        self.shown, self.asked = shown, shown.asked
        self.top.setVisible(bool(shown.stations))
        self._clock.setInterval(max(_PACE, int(shown.seconds * 1000 * _CALM)))
        _fill(self.station, [(one.name, one.id) for one in shown.stations], self.asked.station_id)
        station = shown.station
        own = station.class_id if station else None
        classes = [(name, key) for key, name in shown.classes.items() if own in (None, key)]
        every = [("All classes", None)] if own is None else []
        _fill(self.class_choice, [*every, *classes], self.asked.class_id if own is None else own)
        _fill(self.lot, [("All orders", None), *((lot, lot) for lot in shown.lots)], self.asked.lot)
        why = "" if shown.trend is not None else "There is nothing to write yet."
        for button in (self.export_button, self.report_button, self.reference_button):
            switch(button, why)
        self.later.setEnabled(self.asked.span != "all" and self.asked.back > 0)
        self.earlier.setEnabled(self.asked.span != "all")
        if shown.trend is None:
            self.body.setCurrentWidget(self.empty)
            return
        self.body.setCurrentWidget(self._both)
        edges, alarms = shown.edges, shown.alarms
        under = self.charts[0].under if before is not None and before.asked == shown.asked else -1
        marks = [one.since.timestamp() for one in alarms]
        for chart in self.charts:
            chart.set_times(edges, marks)
            chart.show_trend(shown)
            chart.point_at(under)
        self.when.setText(self._period(shown))
        few = "" if shown.usual or alarms else "Too few parts came yet to say what is usual for one class."
        if shown.too_few:
            few = "Too few parts came in the reference to say what is usual. Choose another one."
        self.alarms.show_rows(alarms, few or "Pictures and scores are as usual.")
        self.alarms.show_reference(shown.watched.reference.words if shown.watched else "")

    def _period(self, shown: Shown) -> str:
        assert shown.trend is not None
        begun, ended = (shown.trend.edges[place].astimezone() for place in (0, -1))
        same = begun.date() == ended.date()
        said = f"{begun:%d %b %Y %H:%M} – {ended:{'%H:%M' if same else '%d %b %Y %H:%M'}}"
        if shown.limits is None:
            return said
        wide = (
            f", {shown.limits.spread:.1f} times as wide as chance: NG parts come in batches"
            if shown.limits.spread > 1.05
            else ""
        )
        return f"{said}  ·  limits from {shown.source}{wide}"

    def _hovered(self, bucket: int) -> None:
        if bucket != self.charts[0].under:
            for chart in self.charts:
                chart.point_at(bucket)

    # what is chosen

    def _chosen(self) -> None:
        station = self.station.currentData()
        other = station != self.asked.station_id
        self.asked = replace(
            self.asked,
            station_id=station or 0,
            class_id=None if other else self.class_choice.currentData(),
            lot=None if other else self.lot.currentData(),
        )
        if self.asked.lot is not None:  # wherever in time it was made
            self._span("all")
        else:
            self._read()

    def _span(self, name: str) -> None:
        with QSignalBlocker(self.spans[name]):
            self.spans[name].setChecked(True)
        self.asked = replace(self.asked, span=name, back=0)
        self._read()

    def _step(self, back: int) -> None:
        self.asked = replace(self.asked, back=max(0, self.asked.back + back))
        self._read()

    def _follow(self) -> None:
        """Something may have come; out of sight nobody needs to know."""
        if not self.isVisible():
            self._clock.stop()
            return
        shown = self.shown
        if shown is None or self.asked.back or not self.asked.station_id:
            if shown is None or shown.trend is None:
                self._read()
            return

        def last(project: Project) -> int:
            from inspector.records.line.arrivals import last_arrival

            return last_arrival(project, shown.asked.station_id)

        def done(found: int) -> None:
            if shown is self.shown and (shown.trend is None or found > shown.trend.last):
                self._read()

        self.context.query(self, last, done, latest="last")

    def _changed(self) -> None:
        if self.isVisible():
            self._watched = None
            self._read()

    def choose_reference(self) -> None:
        """What drift is told from, for the station in sight."""
        shown = self.shown
        if shown is None or shown.station is None or shown.station.settings is None or self.dialog:
            return
        if self.context.writable() is None or not self.context.may(Deed.STATIONS):
            return
        self.dialog = ReferenceDialog(self.context, shown, self)
        self.dialog.chosen.connect(partial(self._take_reference, shown.station))
        self.dialog.destroyed.connect(lambda: setattr(self, "dialog", None))
        self.dialog.open()

    def _take_reference(self, station: StationRow, reference: Reference) -> None:
        from inspector.records.line.stations import set_reference

        assert station.settings is not None
        before = station.settings.reference
        self._steps.do(
            f"change the reference of “{station.name}”",
            lambda project: set_reference(project, station.id, reference),
            lambda project: set_reference(project, station.id, before),
            f"Drift of “{station.name}” is told from {reference.words}.",
            partial(self.context.go, "line"),
        )

    def _to_stations(self) -> None:
        parent = self.parentWidget()
        while parent is not None and not isinstance(parent, SectionsPage):
            parent = parent.parentWidget()
        if parent is not None:
            parent.show_section("stations")

    def export(self) -> bool:
        """Ctrl+E: what is shown, as CSV."""
        return self.files.export(self.shown)

    # pictures

    def open_alarm(self, row: AlarmRow) -> None:
        """The first pictures that show it, on Inspect."""
        if row.result_ids:
            self._open(row.result_ids, f"first pictures since {row.since.astimezone():%d %b %H:%M}")

    def open_bucket(self, bucket: int) -> None:
        """The NG parts of a bucket, the worst first."""
        shown = self.shown
        if shown is None or shown.trend is None:
            return
        begun, ended = shown.trend.edges[bucket : bucket + 2]

        def find(project: Project) -> list[int]:
            from inspector.records.line.trends import TrendOf
            from inspector.records.line.worst import worst_results

            asked = shown.asked
            of = TrendOf(asked.station_id, asked.class_id, asked.lot)
            return worst_results(project, of, begun, ended, 200, only_ng=True)

        def done(ids: list[int]) -> None:
            if ids:
                self._open(tuple(ids), f"NG of {begun.astimezone():%d %b %H:%M}")
            else:
                self.context.toast("No NG part came then.")

        self.context.query(self, find, done, latest="bucket")

    def _open(self, ids: tuple[int, ...], words: str) -> None:
        from inspector.records.result_filter import ResultFilter, ResultSort

        self.context.show_result(
            ids[0], "inspect", ResultQuery(ResultFilter(ids=ids), ResultSort.TIME, words=words)
        )


def _fill(combo: QComboBox, entries: list[tuple[str, object]], chosen: object) -> None:
    with QSignalBlocker(combo):
        combo.clear()
        for place, (words, data) in enumerate(entries):
            combo.addItem(printable(words), data)
            combo.setItemData(place, plain(words), Qt.ItemDataRole.ToolTipRole)
        combo.setCurrentIndex(max(0, next((n for n, (_, data) in enumerate(entries) if data == chosen), 0)))
