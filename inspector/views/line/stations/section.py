"""The stations of the project: how each is, and what can be done with it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from inspector.views.line.edits import Draft, StationEdits
from inspector.views.line.operator.view import OperatorView
from inspector.views.line.stations.card import StationCard
from inspector.views.line.stations.reads import read_choices, read_stations
from inspector.views.line.stations.setup.dialog import SetupDialog
from inspector.views.line.troubles import of_state
from inspector.views.look import icons, theme
from inspector.views.look.empty import EmptyState
from inspector.views.look.kit import scrolling, switch
from inspector.views.look.labels import wrapped
from inspector.views.look.sections import Section

if TYPE_CHECKING:
    from inspector.records.line.stations import StationRow
    from inspector.views.line.stations.reads import Choices, StationView
    from inspector.views.shared.context import WindowContext

_LOOKED = 400  # ms between two looks at what goes on
_COUNTED = 5  # every so many looks, today's counts are read anew


class StationsSection(Section):
    """`cards`: by station; `dialog`: the setup that is open, if any; `operator`: the view that is open, if any."""

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self.edits = StationEdits(context, self)
        self.cards: dict[int, StationCard] = {}
        self.views: list[StationView] = []
        self.dialog: SetupDialog | None = None
        self.operator: OperatorView | None = None
        self._looks = 0
        self._recount = False  # people said something of old parts
        self._start_wanted = False
        self._wanted = ""  # the station whose operator view is to be opened once stations are known
        self.empty = EmptyState(
            "line",
            "No stations yet. A station inspects parts as they come, from a folder or a camera, and tells the line what it said.",
            "Add a station",
            "A name and a folder are enough to begin.",
        )
        self.empty.button.clicked.connect(self.add)
        self.heading = wrapped("heading")
        self.add_button = QPushButton("Add a station")
        self.add_button.setIcon(icons.icon("add"))
        self.add_button.clicked.connect(self.add)
        head = QHBoxLayout()
        head.setContentsMargins(16, 8, 16, 0)
        head.addWidget(self.heading, 1)
        head.addWidget(self.add_button)
        holder = QWidget()
        self._column = QVBoxLayout(holder)
        self._column.setContentsMargins(16, 8, 16, 16)
        self._column.setSpacing(12)
        self._column.addStretch(1)
        scroll = scrolling(holder, "Stations")
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        full = QWidget()
        column = QVBoxLayout(full)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        column.addWidget(scroll, 1)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(full)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOKED)
        self._timer.timeout.connect(self._look)
        context.results_changed.connect(self._words_changed)
        for changed in (context.stations_changed, context.detectors_changed, context.classes_changed):
            changed.connect(self._follow)
        context.project_changed.connect(self._other_project)
        context.stations.changed.connect(self._show_states)
        self._timer.start()

    def refresh(self) -> None:
        before = {view.row.id: view for view in self.views}
        read = partial(read_stations, before={} if self._recount else before)
        self._recount = False
        if not self.context.query(self, read, self._show, latest="stations"):
            self._show([])

    # what people do

    def add(self) -> None:
        """Ask for the setup of a new one."""
        from inspector.records.line.stations import Part, StationSettings

        names = [view.row.name.casefold() for view in self.views]
        name = next(f"Station {n}" for n in range(1, len(names) + 2) if f"station {n}" not in names)
        self.edit(Draft(0, name, StationSettings(Part(""))))

    def edit_row(self, row: StationRow) -> None:
        from inspector.records.line.stations import Part, StationSettings

        settings = row.settings or StationSettings(Part(""))
        self.edit(Draft(row.id, row.name, settings, row.class_id, row.detector_id))

    def edit(self, draft: Draft) -> None:
        """Open the setup; what can be chosen is read first."""

        def opened(choices: Choices) -> None:
            if self.dialog is not None:
                return
            if not draft.station_id and len(choices.classes) == 1:  # nothing has to be found
                only = Draft(0, draft.name, draft.settings, next(iter(choices.classes)))
                return self._open(choices, only)
            return self._open(choices, draft)

        if self.dialog is None and self.edits.may_set_up():
            self.context.query(self, read_choices, opened)

    def operate(self, station_id: int) -> None:
        """Open the operator view of a station."""
        view = next((one for one in self.views if one.row.id == station_id), None)
        if view is None or self.operator is not None:
            return
        self.operator = OperatorView(self.context, self.edits, view.row, self.window())
        self.operator.left.connect(self._operator_left)
        self.operator.open()

    def operate_named(self, name: str, *, start: bool) -> None:
        """The same by name, once the stations are known; `start` it too."""
        self._wanted, self._start_wanted = name, start
        self.refresh()

    # what is shown

    def _open(self, choices: Choices, draft: Draft) -> None:
        def save(made: Draft, failed: object) -> None:
            def done() -> None:
                if self.dialog is not None:
                    self.dialog.done(SetupDialog.DialogCode.Accepted)

            assert callable(failed)
            self.edits.save(made, done, failed)

        ask = partial(self._try, draft)
        self.dialog = SetupDialog(self.context, choices, draft, save=save, ask=ask, parent=self)
        self.dialog.finished.connect(self._closed)
        self.dialog.open()

    def _try(self, draft: Draft, part: object, say: object) -> None:
        self.edits.try_output(part, draft, say)  # type: ignore[arg-type]

    def _closed(self, _result: int) -> None:
        self.dialog = None

    def _operator_left(self) -> None:
        self.operator = None
        self.refresh()

    def _follow(self) -> None:
        if self.isVisible() or self._wanted:
            self.refresh()

    def _words_changed(self) -> None:
        self._recount = True
        self._follow()

    def _other_project(self) -> None:
        if self.operator is not None:
            self.operator.leave()
        self._show([])

    def _show(self, views: list[StationView]) -> None:
        self.views = views
        self._stack.setCurrentIndex(1 if views else 0)
        known = {view.row.id for view in views}
        for station_id in [key for key in self.cards if key not in known]:
            card = self.cards.pop(station_id)
            self._column.removeWidget(card)
            card.hide()
            card.deleteLater()
        for place, view in enumerate(views):
            card = self.cards.get(view.row.id) or self._card(view.row.id)
            self._column.removeWidget(card)
            self._column.insertWidget(place, card)
            card.show_view(view, self.context.viewing_only)
        self._show_states()
        why = self.context.viewing_only
        switch(self.add_button, why)
        switch(self.empty.button, why)
        if self._wanted and views:
            self._open_wanted()

    def _open_wanted(self) -> None:
        from inspector.errors import ProjectError
        from inspector.records.names import class_key

        name, self._wanted = self._wanted, ""
        row = next((one.row for one in self.views if class_key(one.row.name) == class_key(name)), None)
        if row is None:
            known = ", ".join(one.row.name for one in self.views)
            self.context.show_error(ProjectError(f"There is no station “{name}”.", f"There are: {known}."))
            return
        if self._start_wanted and not self.context.stations.running(row.id):
            self.edits.start(row)
        self.operate(row.id)

    def _card(self, station_id: int) -> StationCard:
        card = self.cards[station_id] = StationCard()

        def row() -> StationRow:
            assert card.view is not None
            return card.view.row

        card.start_requested.connect(lambda: self.edits.start(row()))
        card.stop_requested.connect(lambda: self.edits.stop(row()))
        card.operate_requested.connect(lambda: self.operate(station_id))
        card.edit_requested.connect(lambda: self.edit_row(row()))
        card.duplicate_requested.connect(
            lambda: self.edits.duplicate(row(), [view.row.name for view in self.views])
        )
        card.remove_requested.connect(lambda: self.edits.remove(row()))
        return card

    def _look(self) -> None:
        if not self.isVisible():
            return
        self._looks += 1
        running = any(self.context.stations.running(key) for key in self.cards)
        if running and self._looks % _COUNTED == 0:
            self.refresh()
        else:
            self._show_states()

    def _show_states(self) -> None:
        stations, running = self.context.stations, 0
        for station_id, card in self.cards.items():
            if card.view is None:
                continue
            state = stations.state(station_id)
            if state is None:
                trouble = stations.trouble(station_id)
                said = [trouble or card.view.why_not]
                card.show_state("failed" if trouble else "stopped", [one for one in said if one], None)
                continue
            running += 1
            troubles = of_state(state)
            word = "trouble" if troubles else "running" if state.running else "starting"
            card.show_state("stopping" if stations.stopping(station_id) else word, troubles, state.p95)
        count = len(self.cards)
        stations_word = "1 station" if count == 1 else f"{count} stations"
        self.heading.setText(
            f"{stations_word}, {running} running" if running else f"{stations_word}, none running"
        )
        theme.set_role(self.heading, "heading")
