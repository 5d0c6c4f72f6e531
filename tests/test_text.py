import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from inspector.errors import ProjectError
from inspector.text import is_printable, one_line, printable, reason

JOINERS = "\u200c\u200d"
ANY = st.text(st.characters(exclude_categories=()))


@given(ANY)
def test_nothing_that_a_terminal_would_obey_is_left(text: str) -> None:
    shown = printable(text, longest=0)
    assert len(shown) == len(text)
    assert is_printable(shown)
    assert not any(
        unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for c in shown if c not in JOINERS
    )
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
    assert printable("検査\u3000１.png می\u200cخواهم 5\xa0%") == "検査\u3000１.png می\u200cخواهم 5\xa0%"
    assert (
        printable("\U0001fae9\uffff") == "\U0001fae9␣"
    )  # a character that is newer than Python's tables, and none at all


def test_what_others_say_is_one_line_in_every_error() -> None:
    said = 'malformed schema (unrecognized token: "key# VARCHAR, \n\tcreated DATETIME, \r\n\n\tremoved\0 DATETIME")\n'
    shown = 'malformed schema (unrecognized token: "key# VARCHAR, created DATETIME, removed␣ DATETIME")'
    assert one_line(said) == shown
    error = ProjectError(said, "Ask\x1b[31m \u202eAda.\n")
    assert (error.message, error.hint, str(error)) == (shown, "Ask␣[31m ␣Ada.", f"{shown} Ask␣[31m ␣Ada.")
    assert reason(ValueError("\n first\0\nsecond")) == "first␣"
    assert reason(ValueError()) == "ValueError"
