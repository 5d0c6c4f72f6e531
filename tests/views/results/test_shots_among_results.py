"""Results of images that taught the detector: marked in lists, left out of counts."""

from PySide6.QtCore import Qt

from inspector.records.files import ImageFacts
from inspector.records.inspected.new_results import NewResult, record_results
from inspector.records.shots import list_shots
from inspector.views.review.result_model import HEADINGS, SHOT


def test_a_shot_is_marked_and_not_counted_unless_asked_for(hand, window, qtbot, idle):
    shot = list_shots(hand.project)[0]
    seen = NewResult(
        "again.png",
        ImageFacts(shot.sha256, ".png", shot.size, shot.mode),
        class_id=hand.class_id,
        image_score=0.1,
    )
    (result_id,) = record_results(hand.project, hand.run_id, [seen])
    window.context.results_changed.emit()
    idle()
    queue = window.pages["inspect"].queue
    assert queue.counts.text() == "✓ 1   ? 1   ✕ 1   ! 1   (1 shot)"
    assert "not counted" in queue.counts.toolTip()
    assert "(5)" in queue.run.currentText()
    window.show_page("results")
    idle()
    page = window.pages["results"]
    assert page.counts.text().startswith("4 results")
    assert page.bar.note.text() == "1 image that taught the detector is not counted."
    place = page.model.place(result_id)
    qtbot.waitUntil(lambda: page.model.row(place) is not None)
    name = page.model.index(place, 0)
    assert not name.data(Qt.ItemDataRole.DecorationRole).isNull()
    assert SHOT in name.data(Qt.ItemDataRole.ToolTipRole)
    assert page.model.index(place, HEADINGS.index("Verdict")).data() == "✓ OK shot"
    other = page.model.index(place + 1, 0)
    assert other.data(Qt.ItemDataRole.DecorationRole) is None
    page.bar.shots.click()
    qtbot.waitUntil(lambda: page.counts.text().startswith("5 results"))
    assert not page.bar.note.text()
    assert page.bar.shots.isVisible()
    page.grab()
    page.bar.gallery.click()
    page.grab()
