"""Two people's words on one result, side by side."""

from inspector.domain import Decision
from inspector.records.reviews import add_review


def test_results_that_people_disagree_on_are_found_and_both_words_are_shown(
    hand, window, choose, qtbot, idle
):
    add_review(hand.project, hand.ids[:2], Decision.OK, who="Ada")
    add_review(hand.project, hand.ids[1:2], Decision.NG, who="Bo")
    window.context.results_changed.emit()
    idle()
    window.show_page("results")
    page = window.pages["results"]
    qtbot.waitUntil(lambda: page.model.rowCount() == 4)
    page.filters.reviewed.setCurrentText("People disagree")
    page.filters.reviewed.activated.emit(page.filters.reviewed.currentIndex())
    qtbot.waitUntil(lambda: page.model.ids.tolist() == [hand.ids[1]])
    qtbot.waitUntil(lambda: page.counts.text().startswith("1 result "))
    page.selection.choose([hand.ids[1]])
    qtbot.waitUntil(page.override_button.isEnabled)
    page.override()
    qtbot.waitUntil(page.popup.isVisible)
    assert page.popup.said.text() == "Ada: OK · Bo: NG"
    page.popup.reject()
    page.filters.reset()
    window.show_page("inspect")
    shown = choose(hand.ids[1])
    assert "Ada: OK · Bo: NG." in shown.panel.remark.text()
    shown = choose(hand.ids[0])
    assert "Ada: OK" not in shown.panel.remark.text()
