"""The Inspect page: images in, verdicts out, the image in the middle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QFileDialog, QStackedWidget, QWidget
from superqt.utils import qthrottled

from inspector.domain import Decision
from inspector.errors import InspectorError
from inspector.verdicts.provenance import Basis
from inspector.views.inspect import holdings, inspections
from inspector.views.inspect.evidence import EvidenceAtHand
from inspector.views.inspect.holdings import Holdings
from inspector.views.inspect.image_at_hand import ImageAtHand
from inspector.views.inspect.inspections import Inspections
from inspector.views.inspect.live_thresholds import LiveThresholds
from inspector.views.inspect.no_defects import NoDefects
from inspector.views.inspect.outlines.at_hand import OutlineAtHand
from inspector.views.inspect.queue_panel import QueuePanel
from inspector.views.inspect.run_confirmation import RunConfirmation
from inspector.views.inspect.verdict_panel import VerdictPanel
from inspector.views.look.empty import EmptyState
from inspector.views.look.kit import choose_images
from inspector.views.review.review_page import ReviewPage
from inspector.views.shared import clipboard
from inspector.views.shared.kept_splitter import KeptSplitter
from inspector.views.viewer.viewer_panel import ViewerPanel

if TYPE_CHECKING:
    from inspector.records.thresholds import ThresholdMove
    from inspector.views.shared.context import ResultQuery, WindowContext

_UNTAUGHT = "Nothing was taught yet. Teach a class from a few good parts first."


def _sides(width: int) -> tuple[int, int]:
    """How wide the queue and the verdict are, until somebody drags them."""
    return min(max(round(width * 0.16), 190), 340), min(max(round(width * 0.18), 224), 300)


class InspectPage(ReviewPage):
    shortcuts = (
        ("← →", "Previous, next image"),
        ("Space", "Heat on or off"),
        ("1 2 3", "Heat, contour, mask"),
        ("+ −", "Zoom"),
        ("0", "Whole image"),
        ("9", "One to one"),
        ("C", "Nearest good shot beside the image"),
        ("W", "Why is it red? Click a spot"),
        ("B", "The good shot in place of the image, and back"),
        ("F", "Panels away or back"),
        ("A", "Accept the verdict, next image"),
        ("X", "Override the verdict"),
        ("D", "Defect type"),
        ("N", "The chosen region is no defect"),
        ("M", "It is a defect, and was missed"),
        ("E", "Draw where the defects lie"),
        ("U", "Undo"),
    )

    def __init__(self, context: WindowContext) -> None:
        super().__init__(context, "inspect", "Open a project to inspect images.")
        self.inspections = Inspections(context, self)
        self._follow: int | None = None  # the result whose run is to be chosen once the runs are here
        self._waiting: list[Path] = []  # dropped before the detectors were read
        self._known = False  # what the project holds was read
        self._acted = False  # an image was chosen by hand since the last drop

        self.queue = QueuePanel(context, self.model)
        self.confirming = RunConfirmation(context, self.judging.edits, self)
        self.viewer = ViewerPanel(context)
        self.panel = VerdictPanel()
        self.live = LiveThresholds(context, self.model, self.viewer, self.panel, self.judging.edits, self)
        self.at_hand = ImageAtHand(context, self.queue.list, self.viewer, self.panel, self.live)
        self.nothing = EmptyState(  # in place of the image
            "images", "Drop images or a folder here to inspect them.", "Add images"
        )
        self.untaught = EmptyState("teach", _UNTAUGHT, "Go to Teach")
        self.evidence = EvidenceAtHand(context, self.viewer, self.at_hand)
        self.no_defects = NoDefects(context, self.viewer.view, self.panel, self.at_hand, self.judging.edits)
        self.outline = OutlineAtHand(context, self.viewer.view, self.at_hand, self.judging.edits)
        self._build()
        self._read_stream_soon = qthrottled(self._read_stream, timeout=500, leading=False)
        self._rescore_soon = qthrottled(self.live.refresh, timeout=3000, leading=False)
        self._connect()
        self._keys()
        self._project_changed()

    def _build(self) -> None:
        self.centre = QStackedWidget()
        self.centre.addWidget(self.viewer)
        self.centre.addWidget(self.nothing)
        self.split = KeptSplitter("inspect", _sides)
        for stretch, widget in enumerate((self.queue, self.centre, self.panel)):
            self.split.addWidget(widget)
            self.split.setStretchFactor(stretch, stretch % 2)
        self.queue.setMinimumWidth(180)
        self.panel.setMinimumWidth(224)
        self.opening = QWidget()  # what the project holds is being read
        for page in (self.opening, self.untaught, self.split):
            self.pages.addWidget(page)

    def _connect(self) -> None:
        self.queue.add_files.connect(self.choose_files)
        self.queue.add_folder.connect(self.choose_folder)
        self.queue.question_changed.connect(self._ask)
        self.queue.continue_asked.connect(self.inspections.resume)
        self.queue.confirm_asked.connect(self.confirming.ask)
        self.queue.list.chosen.connect(self._choose)
        self.queue.list.touched.connect(self._act)
        self.queue.list.activated.connect(lambda _index: self.viewer.view.setFocus())
        self.inspections.began.connect(self._began)
        self.inspections.streamed.connect(self._streamed)
        self.nothing.button.clicked.connect(self.choose_files)
        self.untaught.button.clicked.connect(partial(self.context.go, "teach"))
        self.model.arrived.connect(self._ids_arrived)
        self.panel.accepted.connect(self.accept)
        self.panel.override_asked.connect(self.override)
        self.panel.missed.clicked.connect(self.call_missed)
        for widget in (self.queue.list, self.viewer.view):
            widget.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            widget.customContextMenuRequested.connect(partial(self._menu, widget))
        self.context.project_changed.connect(self._project_changed)
        self.context.detectors_changed.connect(self._something_changed)
        self.context.results_changed.connect(self._something_changed)
        self.context.thresholds_moved.connect(self._judge_anew)

    def _keys(self) -> None:
        view = self.viewer.view
        self.bind_keys(
            {
                "Left": partial(self.step, -1),
                "Right": partial(self.step, 1),
                "Space": self.viewer.toggle_overlay,
                "1": partial(self.viewer.set_mode, 0),
                "2": partial(self.viewer.set_mode, 1),
                "3": partial(self.viewer.set_mode, 2),
                "+": partial(view.zoom, 1.25),
                "=": partial(view.zoom, 1.25),
                "-": partial(view.zoom, 0.8),
                "0": view.fit,
                "9": view.one_to_one,
                "C": self.viewer.compare.toggle,
                "W": self.viewer.why.toggle,
                "B": self.viewer.blink,
                "N": self.no_defects.call_selected,
                "M": self.call_missed,
                "E": self.outline.draw,
                "F": self.toggle_panels,
            }
        )

    # images in

    def accept_paths(self, paths: Sequence[Path]) -> bool:
        """Inspect these files and folders with the chosen detector."""
        detector = self.queue.chosen_detector
        if not paths or self.context.writable() is None:
            return True
        if detector is not None:
            self._acted = False
            self.inspections.start(paths, detector, self.queue.chosen_class)
        elif self._known:
            self._waiting = []
            self.context.show_error(
                InspectorError("There is no detector to inspect these images with.", "Teach a class first.")
            )
        else:
            self._waiting = list(paths)
        return True

    def paste(self) -> bool:
        """Inspect the files or the picture that were copied; a paste here never teaches."""
        files, picture = clipboard.images()
        if files:
            self.accept_paths(files)
        elif picture.isNull():
            self.context.toast("There is no picture and no file to paste.")
        elif self.context.writable() is not None:
            self.context.query(self, lambda _project: inspections.keep_picture(picture), self._pasted)
        return True

    def _pasted(self, kept: Path) -> None:
        self.accept_paths([kept])

    def choose_files(self) -> None:
        self.accept_paths(choose_images(self, "Inspect images"))

    def choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Inspect a folder of images")
        if name:
            self.accept_paths([Path(name)])

    def _began(self, result_id: int) -> None:
        """The first result of what was dropped is here: show its run, unless she is at work on another by now."""
        if self._acted:
            self.context.toast(
                "The images that were added are being inspected: a run of their own, in the list."
            )
        else:
            self.queue.step_through(None)
            self._wanted = self._follow = result_id
        self._read_holdings()

    def _streamed(self) -> None:
        self.model.refresh_soon()
        self._read_stream_soon()

    def _read_stream(self) -> None:
        """New results are in: count them, now and then put them in the histogram."""
        self._read_counts()
        self._rescore_soon()

    # what is in the project

    def activated(self) -> None:
        self.viewer.view.setFocus()
        wanted, self.context.wanted_result = self.context.wanted_result, None
        among, self.context.wanted_among = self.context.wanted_among, None
        if wanted is not None:
            self.show_result(wanted, among)

    def show_result(self, result_id: int, among: ResultQuery | None = None) -> None:
        """Bring one result to the screen, from whichever run; `among` the results to step through from there."""
        self._wanted = result_id
        if among is not None:
            self.queue.step_through(among)
            self._ask()
        elif self._known:
            self._ids_arrived()

    def _project_changed(self) -> None:
        project = self.context.project
        self.at_hand.forget()
        self.model.clear()
        self.inspections.forget()
        self.queue.list.thumbnails.clear()
        self.queue.list.result_id = -1
        self.queue.step_through(None)
        self.queue.show_detectors([])
        self.queue.show_runs([])
        self.queue.show_counts(None)
        self._waiting, self._known, self._acted = [], False, False
        self._wanted = self._follow = None
        self.panel.set_viewing(self.context.viewing_only)
        self._show_none()
        self.pages.setCurrentWidget(self.closed if project is None else self.opening)
        self._read_holdings()

    def _read_holdings(self) -> None:
        read = partial(holdings.read, result_id=self._follow)
        self.context.query(self, read, self._show_holdings, latest="holdings")

    def _show_holdings(self, held: Holdings) -> None:
        first, self._known = not self._known, True
        before, choose = self.queue.question, held.run_id
        if choose is not None:
            self._follow = None
        elif first and held.runs:
            choose = held.runs[0].id
        judge = self.queue.detector_id
        self.queue.show_detectors(held.detectors, self.context.viewing_only, self.inspections.under_way)
        now = self.queue.chosen_detector
        if self.isVisible() and judge is not None and now is not None and now.id != judge:
            self.context.toast(f"The next images are judged by {now.label}.")
        self.queue.show_runs(held.runs, choose)
        usable = self.queue.detector_id is not None
        if usable or held.runs:  # old results can be looked at without a detector
            self.pages.setCurrentWidget(self.split)
        else:
            problem = next((f"“{row.title}” can't be used: {row.problem}" for row in held.detectors), "")
            self.untaught.sentence.setText(problem or _UNTAUGHT)
            self.pages.setCurrentWidget(self.untaught)
        if first or self.queue.question != before:
            self._ask()
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.accept_paths(waiting)

    def _ask(self) -> None:
        self.model.ask(self.queue.question)
        self._read_counts()

    def _read_counts(self) -> None:
        self.read_counts(self.queue.question.where, self.queue.show_counts)

    def _ids_arrived(self) -> None:
        wanted, results = self._wanted, self.queue.list
        everything = self.queue.run_id is None and not self.queue.filtered
        if wanted is not None and self.model.place(wanted) < 0 and not everything:
            self.queue.step_through(None)
            self.queue.run.setCurrentIndex(0)  # it is among others
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
        """Reviews, results or detectors are others now."""
        self.at_hand.details_changed()
        self.model.refresh(rows_too=True)
        self._read_holdings()
        self._read_counts()
        if self.queue.list.result_id >= 0:
            self._choose(self.queue.list.result_id)
        self.live.refresh()

    def _judge_anew(self, move: ThresholdMove) -> None:
        """Thresholds were moved for good: all that is here follows; only what can't be known here is read."""
        self.model.judge_anew(move)
        self.at_hand.judge_anew(move)
        if move.flipped:
            self._read_counts()

    def step(self, by: int) -> None:
        """To the next (1) or the previous (-1) image."""
        self._act()
        self.queue.list.step(by)

    def _act(self) -> None:
        self._acted = True

    def _choose(self, result_id: int) -> None:
        row = self.model.row(self.model.place(result_id))
        self.at_hand.choose(result_id, row.name if row else "")

    def _show_none(self) -> None:
        self.at_hand.clear()
        self.centre.setCurrentWidget(self.nothing)

    # a person's word

    def accept(self) -> None:
        """The verdict is right; on to the next image."""
        self.judging.accept(self.at_hand.rows, partial(self.step, 1))

    def override(self, type_first: bool = False) -> None:
        """Ask for another verdict, a reason, a type of defect."""
        self.judging.override(self.at_hand.rows, self.panel.popup_place(), type_first)

    def call_missed(self) -> None:
        """It is a defect though it isn't NG: a golden part from now on, and thresholds that don't miss it are proposed."""
        for row in self.at_hand.rows:
            if row.verdict is Decision.NG and row.decision is Decision.NG:
                self.context.toast("It is NG already.")
            elif row.verdict is not None:
                self.judging.edits.call_defect(row, partial(self.live.ask_others, Basis.DEFECTS))

    def _menu(self, widget: QWidget, at: QPoint) -> None:
        if widget is self.queue.list and not self.queue.list.indexAt(at).isValid():
            return
        asked: dict[str, Callable[[], object]] = {}
        if widget is self.viewer.view:
            spot = self.viewer.view.share_at(at.toPointF())
            region = self.no_defects.region_at(at.toPointF())
            if spot is not None:
                asked["Why is it red here?"] = partial(self.evidence.ask, *spot)
            if region is not None and not self.context.viewing_only:
                asked["Not a defect"] = partial(self.no_defects.call, region)
            if not self.context.viewing_only:
                asked["Draw the defects…"] = self.outline.draw
        for row in self.at_hand.rows:
            self.show_menu(widget.mapToGlobal(at), row, self.panel.accept, self.panel.override, here=asked)

    # the page itself

    def toggle_panels(self) -> None:
        """The image alone, or with its panels."""
        show = self.queue.isHidden()
        self.queue.setVisible(show)
        self.panel.setVisible(show)
