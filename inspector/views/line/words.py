"""How counts and times of a line are written."""

from collections.abc import Mapping

from inspector.domain import Decision
from inspector.views.look.verdict_chip import text as verdict_text


def counted(counts: Mapping[Decision | None, int]) -> str:
    """ "✓ 1,204 OK   ? 3 Review   ✕ 17 NG", and failed ones where there are some."""
    words = []
    for decision in (*Decision, None):
        count = counts.get(decision, 0)
        if count or decision in (Decision.OK, Decision.REVIEW, Decision.NG):
            sign, _, word = verdict_text(decision).partition(" ")
            words.append(f"{sign} {count:,} {word}")
    return "    ".join(words)


def seconds_text(seconds: float) -> str:
    """ "180 ms", "1.4 s"."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
