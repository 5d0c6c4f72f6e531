"""Why a place is red: beside the image the patch of the good shots that resembles it most, and in words how unusual it is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from inspector.domain import CancelToken
from inspector.errors import Cancelled, InspectorError
from inspector.views.look.words import share_text
from inspector.views.viewer import picture as pictures
from inspector.views.viewer.nearest_shot import GoodShot

if TYPE_CHECKING:
    from inspector.jobs.evidence import Explainer, Explanation
    from inspector.records.project import Project
    from inspector.views.inspect.image_at_hand import ImageAtHand
    from inspector.views.shared.context import WindowContext
    from inspector.views.viewer.viewer_panel import ViewerPanel

_PATIENCE = 150  # milliseconds before it is said that an answer takes a while
_USUAL = 0.95
"""Good parts show places that are as unusual as this one in twenty times."""


class EvidenceAtHand(QObject):
    """Answers for the spot that was clicked, or for the hottest one of an image; one question at a time, the newest next."""

    def __init__(self, context: WindowContext, viewer: ViewerPanel, at_hand: ImageAtHand) -> None:
        super().__init__(viewer)
        self._context, self._viewer, self._at_hand = context, viewer, at_hand
        self._explainer: Explainer | None = None
        self._busy = False
        self._next: tuple[float, float] | None = None
        self._waiting = QTimer(self)
        self._waiting.setSingleShot(True)
        self._waiting.setInterval(_PATIENCE)
        self._waiting.timeout.connect(
            lambda: self._viewer.good.show_message("Looking for the most similar good patch…")
        )
        viewer.why.toggled.connect(self._toggled)
        viewer.view.spot_clicked.connect(self.ask)
        at_hand.image_changed.connect(self._image_changed)
        context.project_changed.connect(self._free)

    def ask(self, x: float, y: float) -> None:
        """About the place (x, y) of the image on screen, in shares of its sides; turns the comparison on."""
        self._next = x, y
        if not self._viewer.why.isChecked():
            self._viewer.why.setChecked(True)  # asks
        else:
            self._go_on()

    def _toggled(self, on: bool) -> None:
        self._viewer.view.set_asking(on)
        self._viewer.view.set_mark(None)
        if not on:
            self._next = None
            self._waiting.stop()
            self._viewer.show_good(self._viewer.compare.isChecked())
            return
        self._viewer.compare.setChecked(False)
        self._viewer.show_good(True)
        self._image_changed()

    def _image_changed(self) -> None:
        if not self._viewer.why.isChecked():
            return
        if self._next is None:
            self._next = self._viewer.view.layer.hottest()
        if self._next is None or not self._at_hand.rows:
            self._next = None
            self._waiting.stop()
            self._viewer.good.show_message("")
        self._go_on()

    def _go_on(self) -> None:
        rows, asked = self._at_hand.rows, self._next
        if self._busy or asked is None or not rows:
            return
        self._next, result_id = None, rows[0].id
        self._viewer.view.set_cover(None)
        self._viewer.view.set_mark((*asked, 0.0, 0.0))
        self._busy = self._context.query(
            self,
            partial(self._read, result_id=result_id, x=asked[0], y=asked[1]),
            partial(self._show, result_id),
            failed=partial(self._failed, result_id),
        )
        self._waiting.start()

    def _read(self, project: Project, result_id: int, x: float, y: float) -> tuple[Explanation, GoodShot]:
        from inspector.images.read import read
        from inspector.jobs.evidence import Explainer

        if self._explainer is None:  # one question at a time, so one thread
            cancel = CancelToken()
            self._explainer = Explainer(self._context.runner.make_engine(cancel), cancel)
        found = self._explainer.explain(project, result_id, x, y)
        picture = pictures.picture(read(found.shot.path, white=found.white).pixels)
        return found, GoodShot(found.shot.name, picture)

    def _answered(self, result_id: int) -> bool:
        """Whether the answer is still wanted."""
        self._busy = False
        self._waiting.stop()
        rows = self._at_hand.rows
        wanted = self._viewer.why.isChecked() and bool(rows) and rows[0].id == result_id and not self._next
        self._go_on()
        return wanted

    def _show(self, result_id: int, answer: tuple[Explanation, GoodShot]) -> None:
        if self._answered(result_id):
            found, shot = answer
            evidence = found.evidence
            self._viewer.view.set_mark(evidence.patch)
            place = found.shot.place is not None
            self._viewer.good.show_patch(shot, evidence.patch, evidence.nearest, sentence(found), place)

    def _failed(self, result_id: int, error: BaseException) -> None:
        if not self._answered(result_id):
            return
        if isinstance(error, InspectorError | Cancelled):
            self._viewer.good.show_message(str(error))
        else:
            self._context.show_error(error)

    def _free(self) -> None:
        """Another project is open: what its detector needs may take the room."""
        if self._explainer is not None:
            self._explainer.cancel.cancel()
        self._busy, self._next, self._explainer = False, None, None


def sentence(found: Explanation) -> str:
    """How unusual a place is, in words of its class."""
    unusual = found.evidence.unusual
    if found.shots == 1:
        places, rest = "altered views of the only good shot", "the shot itself"
    else:
        places, rest = f"the {found.shots} good shots", f"the other shot{'s' if found.shots > 2 else ''}"
    if unusual >= 1:
        return f"No place in {places} differs so much from {rest}."
    if unusual >= _USUAL:
        share = share_text(min(int(unusual * 1000) / 1000, 0.999), ".1f")
        return f"This differs more from the good shots than {share} of all places in {places} differ from {rest}."
    said = f"Good parts look like this too: {share_text(1 - unusual)} of all places in {places} differ more from {rest}."
    if found.learned:
        said += " Where it is red, what was learned beyond the shots says so."
    return said
