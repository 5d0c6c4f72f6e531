"""The Inspect page: images in, verdicts out, the image in the middle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QSplitter, QStackedWidget, QWidget

from inspector.domain import JobEnded, JobEvent, JobItem, JobKind
from inspector.errors import InspectorError
from inspector.views.inspect.live_thresholds import Judgement
from inspector.views.inspect.queue_panel import ORDERS, QueuePanel
from inspector.views.inspect.result_loader import Shelf, Shown
from inspector.views.inspect.verdict_panel import VerdictPanel
from inspector.views.look import theme
from inspector.views.look.empty import EmptyState
from inspector.views.review.result_model import ResultModel
from inspector.views.review.review_popup import ReviewPopup
from inspector.views.review.verdict_edits import Changes
from inspector.views.shared.page import Page
from inspector.views.viewer import nearest_shot
from inspector.views.viewer.viewer_panel import ViewerPanel

if TYPE_CHECKING:
    from inspector.domain import CancelToken, Emit
    from inspector.jobs.engine import Engine
    from inspector.records.detectors import DetectorRow
    from inspector.records.results import Counts
    from inspector.records.runs import RunRow
    from inspector.views.inspect.class_scores import Standing
    from inspector.views.shared.context import WindowContext
    from inspector.views.viewer.nearest_shot import GoodShot

_LEFT, _RIGHT = 188, 236
_UNTAUGHT = "Nothing was taught yet. Teach a class from a few good parts first."


class InspectPage(Page):
    drop_text = "Drop images to inspect them"
    shortcuts = (
        ("← →", "Previous, next image"),
        ("Space", "Heat on or off"),
        ("1 2 3", "Heat, contour, mask"),
        ("+ −", "Zoom"),
        ("0", "Whole image"),
        ("9", "One to one"),
        ("C", "Nearest good shot beside the image"),
        ("F", "Panels away or back"),
        ("A", "Accept the verdict, next image"),
        ("X", "Override the verdict"),
        ("D", "Defect type"),
        ("U", "Undo"),
    )

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context)
        self.model = ResultModel(context, self)
        self.shelf = Shelf(context, self)
        self.changes = Changes(context, self)
        self.shown: Shown | None = None
        self._follow_job = 0  # the inspect job whose run is to be shown
        self._wanted: int | None = None  # the result to be chosen once the list is here
        self._waiting: list[Path] = []  # dropped before the detectors were read

        self.queue = QueuePanel(context, self.model)
        self.viewer = ViewerPanel(context)
        self.panel = VerdictPanel()
        self.judgement = Judgement(context, self.model, self.viewer, self.panel, self.changes, self)
        self.popup = ReviewPopup(self)
        self.nothing = EmptyState(  # in place of the image
            "images", "Drop images or a folder here to inspect them.", "Add images"
        )
        self.closed = EmptyState("home", "Open a project to inspect images.", "Go to Start")
        self.untaught = EmptyState("teach", _UNTAUGHT, "Go to Teach")
        self.centre = QStackedWidget()
        self.centre.addWidget(self.viewer)
        self.centre.addWidget(self.nothing)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        for widget in (self.queue, self.centre, self.panel):
            self.split.addWidget(widget)
        self.split.setChildrenCollapsible(False)
        self.split.setStretchFactor(0, 0)
        self.split.setStretchFactor(1, 1)
        self.split.setStretchFactor(2, 0)
        self.split.setSizes([_LEFT, 1280 - _LEFT - _RIGHT, _RIGHT])
        self.queue.setMinimumWidth(160)
        self.panel.setMinimumWidth(220)
        self.opening = QWidget()  # what the project holds is being read
        self.pages = QStackedWidget()
        self.pages.addWidget(self.closed)
        self.pages.addWidget(self.opening)
        self.pages.addWidget(self.untaught)
        self.pages.addWidget(self.split)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pages)

        self._opening = self._timer(150, self._say_opening)
        self._stream = self._timer(500, self._read_stream)
        self._rescore = self._timer(3000, self.judgement.refresh)
        self._connect()
        self._keys()
        self._project_changed()

    def _timer(self, milliseconds: int, action: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(action)
        return timer

    def _connect(self) -> None:
        self.queue.add_files.connect(self.choose_files)
        self.queue.add_folder.connect(self.choose_folder)
        self.queue.question_changed.connect(self._ask)
        self.queue.list.chosen.connect(self._choose)
        self.nothing.button.clicked.connect(self.choose_files)
        self.closed.button.clicked.connect(partial(self.context.go, "start"))
        self.untaught.button.clicked.connect(partial(self.context.go, "teach"))
        self.model.arrived.connect(self._ids_arrived)
        self.model.trouble.connect(self.context.show_error)
        self.panel.accepted.connect(self.accept)
        self.panel.override_asked.connect(self.override)
        self.viewer.compare.toggled.connect(self._compare)
        self.popup.decided.connect(self._decided)
        self.context.project_changed.connect(self._project_changed)
        self.context.detectors_changed.connect(self._read_detectors)
        self.context.detectors_changed.connect(self._something_changed)
        self.context.results_changed.connect(self._something_changed)
        self.context.job_event.connect(self._job_event)

    def _keys(self) -> None:
        view = self.viewer.view
        for keys, action in (
            ("Left", partial(self.queue.list.step, -1)),
            ("Right", partial(self.queue.list.step, 1)),
            ("Space", self.viewer.toggle_overlay),
            ("1", partial(self.viewer.set_mode, 0)),
            ("2", partial(self.viewer.set_mode, 1)),
            ("3", partial(self.viewer.set_mode, 2)),
            ("+", partial(view.zoom, 1.25)),
            ("=", partial(view.zoom, 1.25)),
            ("-", partial(view.zoom, 0.8)),
            ("0", view.fit),
            ("9", view.one_to_one),
            ("C", self.viewer.compare.toggle),
            ("F", self.toggle_panels),
            ("A", self.accept),
            ("X", self.override),
            ("D", partial(self.override, True)),
            ("U", self.changes.undo),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(action)

    # images in

    def accept_paths(self, paths: Sequence[Path]) -> bool:
        """Inspect these files and folders with the chosen detector."""
        self._inspect(paths)
        return True

    def _inspect(self, paths: Sequence[Path]) -> None:
        project, detector_id = self.context.project, self.queue.detector_id
        if project is None or not paths:
            return
        if detector_id is None:
            self._waiting = list(paths)
            self._read_detectors()
            return
        class_name = self.queue.chosen_class
        files = list(paths)

        def work(engine: Engine, emit: Emit, cancel: CancelToken) -> None:
            from inspector.jobs import inspect

            inspect.inspect(
                project,
                engine,
                files,
                detector_id=detector_id,
                class_name=class_name,
                emit=emit,
                cancel=cancel,
            )

        what = f"“{files[0].name}”" if len(files) == 1 else f"{len(files)} files and folders"
        self._follow_job = -1
        self.context.runner.start(JobKind.INSPECT, f"Inspect {what}", work)

    def choose_files(self) -> None:
        from inspector.images.read import SUFFIXES

        patterns = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        names, _ = QFileDialog.getOpenFileNames(
            self, "Inspect images", "", f"Images ({patterns});;All files (*)"
        )
        self.accept_paths([Path(name) for name in names])

    def choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Inspect a folder of images")
        if name:
            self.accept_paths([Path(name)])

    def show_result(self, result_id: int) -> None:
        """Bring one result to the screen, from whichever run."""
        self._wanted = result_id
        if self.queue.run.count() > 1:  # else the runs are still being read
            self._ids_arrived()

    def _job_event(self, event: JobEvent) -> None:
        if isinstance(event, JobItem) and event.result_id is not None:
            if self._follow_job == -1:
                self._follow_job = event.job_id
                self._show_run_of(event.result_id)
            self.model.refresh_soon()
            if not self._stream.isActive():
                self._stream.start()
        elif isinstance(event, JobEnded) and event.kind == JobKind.INSPECT:
            self._follow_job = 0 if self._follow_job == event.job_id else self._follow_job

    def _show_run_of(self, result_id: int) -> None:
        project = self.context.project

        def look() -> tuple[list[RunRow], int | None]:
            from inspector.records.results import list_results
            from inspector.records.runs import list_runs

            assert project is not None
            found = list_results(project, [result_id])
            return list_runs(project), found[0].run_id if found else None

        def done(found: tuple[list[RunRow], int | None]) -> None:
            self.queue.show_runs(found[0], choose=found[1])
            self.queue.list.result_id = -1
            self._ask()

        if project is not None:
            self.context.runner.read(self, look, done, self.context.show_error)

    def _read_stream(self) -> None:
        """New results are in: count them, now and then put them in the histogram."""
        self._read_counts()
        if not self._rescore.isActive():
            self._rescore.start()

    @property
    def standing(self) -> Standing | None:
        """Thresholds and scores of the class of the image at hand, once they are read."""
        return self.judgement.standing

    # what is in the project

    def activated(self) -> None:
        self.viewer.view.setFocus()
        wanted, self.context.wanted_result = self.context.wanted_result, None
        if wanted is not None:
            self.show_result(wanted)

    def _project_changed(self) -> None:
        self.shelf.clear()
        self.model.clear()
        self.queue.list.thumbnails.clear()
        self.queue.list.result_id = -1
        self.queue.show_detectors([])
        self.queue.show_runs([])
        self.queue.show_counts(None)
        self._waiting = []
        self._show_none()
        if self.context.project is None:
            self.pages.setCurrentWidget(self.closed)
        else:
            self.pages.setCurrentWidget(self.opening)
            self._read_detectors()
            self._read_runs()

    def _read_detectors(self) -> None:
        project = self.context.project

        def look() -> list[DetectorRow]:
            from inspector.records.detectors import list_detectors

            assert project is not None
            return list_detectors(project)

        if project is not None:
            self.context.runner.read(
                self, look, self._detectors_read, self.context.show_error, latest="detectors"
            )

    def _detectors_read(self, rows: list[DetectorRow]) -> None:
        self.queue.show_detectors(rows)
        usable = self.queue.detector_id is not None
        for widget in (
            self.queue.add_button,
            self.queue.folder_button,
            self.queue.detector,
            self.queue.class_name,
        ):
            widget.setEnabled(usable)
        if usable or self.queue.run.count() > 1:  # old results can be looked at without a detector
            self.pages.setCurrentWidget(self.split)
        else:
            self.untaught.sentence.setText(
                f"“{rows[0].title}” can't be used: {rows[0].problem}" if rows else _UNTAUGHT
            )
            self.pages.setCurrentWidget(self.untaught)
        if self._waiting and usable:
            waiting, self._waiting = self._waiting, []
            self.accept_paths(waiting)
        elif self._waiting:
            self._waiting = []
            self.context.show_error(
                InspectorError("There is no detector to inspect these images with.", "Teach a class first.")
            )

    def _read_runs(self) -> None:
        project = self.context.project

        def look() -> list[RunRow]:
            from inspector.records.runs import list_runs

            assert project is not None
            return list_runs(project)

        def done(rows: list[RunRow]) -> None:
            first = self.queue.run.count() <= 1 and rows
            self.queue.show_runs(rows, choose=rows[0].id if first else None)
            if first:
                self.pages.setCurrentWidget(self.split)
            self._ask()

        if project is not None:
            self.context.runner.read(self, look, done, self.context.show_error, latest="runs")

    def _ask(self) -> None:
        from inspector.records.result_filter import ResultFilter, ResultSort

        _, sort, descending = ORDERS[self.queue.order.currentIndex()]
        self.model.ask(ResultFilter(run_id=self.queue.run_id), ResultSort(sort), descending)
        self._read_counts()

    def _read_counts(self) -> None:
        project, run_id = self.context.project, self.queue.run_id

        def look() -> Counts:
            from inspector.records.result_filter import ResultFilter
            from inspector.records.results import count_results

            assert project is not None
            return count_results(project, ResultFilter(run_id=run_id))

        if project is not None:
            self.context.runner.read(
                self, look, self.queue.show_counts, self.context.show_error, latest="counts"
            )

    def _ids_arrived(self) -> None:
        wanted, results = self._wanted, self.queue.list
        if wanted is not None and self.model.place(wanted) < 0 and self.queue.run_id is not None:
            self.queue.run.setCurrentIndex(0)  # it is in another run
            self._ask()
            return
        self._wanted = None
        if not len(self.model.ids):
            self._show_none()
            return
        self.centre.setCurrentWidget(self.viewer)
        if wanted is not None and results.choose(wanted):
            return
        if results.result_id < 0 or self.model.place(results.result_id) < 0:
            results.choose_place(0)
        elif not results.currentIndex().isValid():
            results.choose(results.result_id)

    def _something_changed(self) -> None:
        """Thresholds, reviews or results are others now."""
        self.shelf.details_changed()
        self.model.refresh(rows_too=True)
        self._read_counts()
        if self.queue.list.result_id >= 0:
            self._choose(self.queue.list.result_id)
        self.judgement.refresh()

    # the image at hand

    def _choose(self, result_id: int) -> None:
        if not self._opening.isActive():
            self._opening.start()
        self.shelf.fetch(result_id, self._show, self._not_shown)

    def _say_opening(self) -> None:
        row = self.model.row(self.model.place(self.queue.list.result_id))
        if self.shown is None or self.shown.detail.row.id != self.queue.list.result_id:
            self.viewer.show_message(row.name if row else "", "Opening…")

    def _not_shown(self, error: BaseException) -> None:
        self._opening.stop()
        self.viewer.show_message("", str(error))

    def _show(self, shown: Shown) -> None:
        self._opening.stop()
        again = self.shown is not None and self.shown.detail.row.id == shown.detail.row.id
        same_pixels = again and self.shown is not None and self.shown.pixels is shown.pixels
        self.shown = shown
        row, pixels = shown.detail.row, shown.pixels
        if not same_pixels:
            if pixels.picture is None:
                self.viewer.show_message(row.name, pixels.trouble)
            else:
                self.viewer.show_picture(row.name, pixels.picture, pixels.values, note=pixels.note)
        self.panel.show_detail(shown.detail)
        self.judgement.show(shown)
        if not same_pixels:
            self._compare()
        self.shelf.ahead(self.queue.list.neighbours())

    def _compare(self) -> None:
        """Look for the good shot that is most like this image, and show it beside it."""
        on, project, shown = self.viewer.compare.isChecked(), self.context.project, self.shown
        self.viewer.show_good(on)
        picture = shown.pixels.picture if shown else None
        class_id = shown.detail.row.class_id if shown else None
        if not on or project is None or picture is None or class_id is None:
            self.viewer.good.show_shot(None)
            return

        def done(found: GoodShot | None) -> None:
            if shown is self.shown:
                self.viewer.good.show_shot(found)

        self.context.runner.read(
            self, partial(nearest_shot.nearest, project, class_id, picture), done, self.context.show_error
        )

    def _show_none(self) -> None:
        self.shown = None
        self.viewer.show_picture("", None)
        self.panel.show_detail(None)
        self.judgement.show(None)
        self.centre.setCurrentWidget(self.nothing)

    # a person's word

    def accept(self) -> None:
        """The verdict is right; on to the next image."""
        row = self.shown.detail.row if self.shown else None
        if row is not None and row.verdict is not None and row.id == self.queue.list.result_id:
            words = f"{_short(row.name)} accepted as {theme.WORDS[row.verdict]}."
            self.changes.review([row.id], row.verdict, defect_type=row.defect_type, text=words)
            self.queue.list.step(1)

    def override(self, type_first: bool = False) -> None:
        """Ask for another verdict, a reason, a type of defect."""
        project = self.context.project
        row = self.shown.detail.row if self.shown else None
        if project is None or row is None or row.verdict is None:
            return

        def look() -> list[str]:
            from inspector.records.results import list_defect_types

            return list_defect_types(project)

        def done(types: list[str]) -> None:
            from inspector.domain import Decision

            assert row.verdict is not None
            other = Decision.OK if row.verdict is Decision.NG else Decision.NG
            self.popup.ask(
                _short(row.name),
                row.verdict if type_first else other,
                row.defect_type,
                types,
                self.panel.popup_place(),
                type_first=type_first,
            )

        self.context.runner.read(self, look, done, self.context.show_error)

    def _decided(self, decision: object, reason: str, defect_type: str) -> None:
        from inspector.domain import Decision

        row = self.shown.detail.row if self.shown else None
        if row is not None and isinstance(decision, Decision):
            words = f"{_short(row.name)} is now {theme.WORDS[decision]}."
            self.changes.review([row.id], decision, reason, defect_type, words)

    # the page itself

    def toggle_panels(self) -> None:
        """The image alone, or with its panels."""
        show = self.queue.isHidden()
        self.queue.setVisible(show)
        self.panel.setVisible(show)


def _short(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= 40 else f"{name[:20]}…{name[-18:]}"
