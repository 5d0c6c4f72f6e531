"""What several people said of one result is kept apart."""

from collections.abc import Callable
from typing import Any

from inspector.domain import Decision
from inspector.records.inspected.results import count_results, result_ids
from inspector.records.project import Project
from inspector.records.result_filter import ResultFilter
from inspector.records.reviews import add_review, list_reviews, newest_words, withdraw_review


def test_people_disagree_while_the_newest_standing_words_of_two_differ(
    project: Project, taught: Any, record: Callable[..., list[int]]
) -> None:
    first, second, third = record(0.1, 0.5, 0.9)

    def disputed(wanted: bool = True) -> list[int]:
        return [int(i) for i in result_ids(project, ResultFilter(disputed=wanted))]

    add_review(project, [first, second], Decision.OK, who="Ada")
    add_review(project, [second], Decision.NG, who="Ada")  # she changed her mind: no dispute
    assert disputed() == []
    (word,) = add_review(project, [first], Decision.NG, who="Bo")
    assert disputed() == [first]
    assert disputed(False) == [second, third]
    assert count_results(project, ResultFilter(disputed=True)).total == 1
    words = newest_words(list_reviews(project, first))
    assert [(one.who, one.decision) for one in words] == [("Ada", Decision.OK), ("Bo", Decision.NG)]
    withdraw_review(project, [word], who="Bo")
    assert disputed() == []
    add_review(project, [second], Decision.OK, who="Bo")
    assert disputed() == [second]
    add_review(project, [second], Decision.OK, who="Ada")
    assert disputed() == []
    assert [one.who for one in newest_words(list_reviews(project, second))] == ["Bo", "Ada"]
