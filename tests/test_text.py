from hypothesis import given
from hypothesis import strategies as st

from inspector.text import printable

ANY = st.text(st.characters(exclude_categories=()))


@given(ANY)
def test_nothing_that_a_terminal_would_obey_is_left(text: str) -> None:
    shown = printable(text, longest=0)
    assert len(shown) == len(text)
    assert shown.isprintable()
    assert shown.encode("utf-8").decode("utf-8") == shown


@given(ANY)
def test_a_name_in_a_sentence_is_short_and_keeps_its_beginning_and_end(text: str) -> None:
    shown = printable(text)
    assert len(shown) <= 80
    assert shown == printable(text, longest=0) or (shown[:50], shown[-25:]) == (
        printable(text, longest=0)[:50],
        printable(text, longest=0)[-25:],
    )


def test_hostile_names_are_shown_as_what_they_are() -> None:
    assert printable("a\0b\x1b[31m\n‮gnp.exe") == "a␣b␣[31m␣␣gnp.exe"
    assert printable("Maß 12 µm 部品.png") == "Maß 12 µm 部品.png"
