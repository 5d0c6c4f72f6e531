"""The report of a study: a page to print or to send, a table of all words, or everything as JSON. And its figures in words."""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inspector.domain import Decision
from inspector.errors import ExportError, ImageError
from inspector.exports.files import json_values, writing
from inspector.exports.pages import page
from inspector.exports.report import jpeg_uri
from inspector.exports.tables import shown
from inspector.records.qualification.outcome import Outcome, PartWords
from inspector.text import one_line, printable
from inspector.verdicts.agreement import (
    EFFECTIVENESS,
    FALSE_ALARMS,
    MISSES,
    Figures,
    Grade,
    Kappa,
    Share,
    share,
)

SUFFIXES = (".html", ".csv", ".json")
HEADINGS = ("Who", "Verdict", "Effectiveness", "Repeats the same", "Misses", "False alarms", "Kappa")
SIGNS = {Decision.OK: "✓", Decision.REVIEW: "?", Decision.NG: "✕", Decision.OTHER: "≠", None: "–"}
WORDS = {
    Decision.OK: "OK",
    Decision.REVIEW: "review",
    Decision.NG: "NG",
    Decision.OTHER: "not this product",
    None: "no word",
}
_GRADES = {Grade.ACCEPTABLE: "✓", Grade.MARGINAL: "?", Grade.NOT_ACCEPTABLE: "✕", None: "–"}
TIMES = {2: "twice", 3: "three times"}
_SIDE = 360  # longest side of a picture in the report, in pixels


def grade_words(grade: Grade | None) -> str:
    """Sign and word."""
    return f"{_GRADES[grade]} {grade or 'can’t be told'}"


def share_words(share: Share, grade: Grade | None = None) -> str:
    """For instance "✓ 92 % (81–98)": with the grade's sign where there is one, and the ends of the interval."""
    if not share.of:
        return "–"
    sign = f"{_GRADES[grade]} " if grade else ""
    return f"{sign}{_percent(share.value)} ({share.low * 100:.0f}–{share.high * 100:.0f})"


def kappa_words(kappa: Kappa | None) -> str:
    """For instance "0.86 (0.75–0.97)"; "–" where it can't be told."""
    if kappa is None:
        return "–"
    if kappa.low is None or kappa.high is None:
        return f"{kappa.value:.2f}"
    return f"{kappa.value:.2f} ({kappa.low:.2f}–{kappa.high:.2f})"


def figure_rows(outcome: Outcome) -> list[tuple[str, ...]]:
    """A row of words for each person and the detector, under HEADINGS."""
    found = outcome.agreement
    return [_figure_row(one) for one in (*found.people, *([found.detector] if found.detector else []))]


def between_rows(outcome: Outcome) -> list[tuple[str, str]]:
    """What people have in common, and their agreement two by two: (what, figure)."""
    found = outcome.agreement
    rows = []
    if found.alike is not None and found.right is not None:
        rows = [
            ("All say the same in every trial (reproducibility)", share_words(found.alike)),
            ("All say the same, and are right", share_words(found.right)),
            ("Kappa of all words together (Fleiss)", "–" if found.fleiss is None else f"{found.fleiss:.2f}"),
        ]
    return rows + [(f"Kappa of {one.first} and {one.second}", kappa_words(one.kappa)) for one in found.pairs]


def notes(outcome: Outcome) -> list[str]:
    """What a reader has to know, in sentences."""
    found, study = outcome.agreement, outcome.study
    said = [
        f"{len(outcome.parts)} parts, known to be {found.good} OK and {found.bad} NG; "
        f"judged {TIMES[study.trials]} by {_names(study.appraisers)}."
    ]
    idle = [name for name in study.appraisers if name not in {one.name for one in found.people}]
    if idle:
        said.append(f"{_names(idle)} did not judge every trial of any part, so there are no figures of them.")
    if outcome.left_out:
        names = ", ".join(f"“{printable(one.part.name)}”" for one in outcome.left_out[:5])
        more = f" and {len(outcome.left_out) - 5} more" if len(outcome.left_out) > 5 else ""
        said.append(f"Left out, as not everybody could judge it in every trial: {names}{more}.")
    sent = outcome.reviewed.good + outcome.reviewed.bad
    if found.detector is not None and sent:
        said.append(
            f"The detector sends {sent} of them to review ({outcome.reviewed.good} OK, {outcome.reviewed.bad} NG). "
            "That stops a part, so it counts as NG here."
        )
    others = outcome.others.good + outcome.others.bad
    if found.detector is not None and others:
        said.append(
            f"The detector takes {others} of them for another product ({outcome.others.good} OK, {outcome.others.bad} NG). "
            "That stops a part too, so it counts as NG here; but no defect was found."
        )
    if found.bad:
        most = share(0, found.bad, found.bad).high
        said.append(
            f"Even who misses none of {found.bad} NG parts may miss up to {_percent(round(most, 2))} of others: "
            "more NG parts would tell more."
        )
    else:
        said.append("No part is NG: how many defects are missed can't be told.")
    if not found.good:
        said.append("No part is OK: how many false alarms there are can't be told.")
    return said


LIMITS = (
    f"Acceptable: effectiveness from {EFFECTIVENESS[0]:.0%}, misses up to {MISSES[0]:.0%}, false alarms up to {FALSE_ALARMS[0]:.0%}; "
    f"marginal: {EFFECTIVENESS[1]:.0%}, {MISSES[1]:.0%}, {FALSE_ALARMS[1]:.0%} (AIAG MSA, 4th edition). The worst of the three counts. "
    "In brackets: 95% confidence, for which a part counts once however often it was judged. "
    "Kappa compares with what the parts are known to be: 1 always agrees, 0 no more than by chance."
).replace("%", "\u00a0%")
"""How the verdicts come about."""


def part_words(one: PartWords) -> list[tuple[str, str]]:
    """(who, words) of a part: what it is known to be, then of each person and of the detector as signs trial by trial."""
    rows = [("Known to be", f"{SIGNS[one.part.expected]} {WORDS[one.part.expected]}")]
    rows += [(name, " ".join(SIGNS[word] for word in said)) for name, said in one.words.items()]
    return [*rows, ("Detector", SIGNS[one.part.decision])]


def export_study(outcome: Outcome, target: Path) -> list[str]:
    """Write HTML, CSV or JSON, as the suffix of `target` says. Returns a sentence for each picture that is missing; raises
    `ExportError`, also for another suffix and where there is something at `target`."""
    write = {".html": _html, ".csv": _csv, ".json": _json}.get(target.suffix.lower())
    if write is None:
        raise ExportError(
            f"“{target.name}” is none of the kinds that a study is exported as.",
            f"Let the name end in {', '.join(SUFFIXES)}.",
        )
    return write(outcome, target)


def _csv(outcome: Outcome, target: Path) -> list[str]:
    """One line a part, a column for each trial of each person."""
    study = outcome.study
    trials = [f"{name}, trial {n}" for name in study.appraisers for n in range(1, study.trials + 1)]
    with writing(target) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            map(
                shown, ("part", "image", "class", "known to be", *trials, "detector", "image score", "sha256")
            )
        )
        for one in outcome.parts:
            part = one.part
            score = "" if part.image_score is None else part.image_score
            words = [word or "" for name in study.appraisers for word in one.words[name]]
            cells = [shown(part.name), shown(part.class_name), part.expected or "", *words]
            table.writerow([part.position, *cells, part.decision or "", score, part.sha256])
    return []


def _json(outcome: Outcome, target: Path) -> list[str]:
    text = json.dumps(as_json(outcome), ensure_ascii=False, indent=1, allow_nan=False)
    with writing(target) as temporary:
        temporary.write_bytes(text.encode("utf-8", "replace"))
    return []


def as_json(outcome: Outcome) -> dict[str, Any]:
    """A study with its figures and all words, in plain JSON values."""
    study, found = outcome.study, outcome.agreement
    whole = {
        "made_by": "Inspector",
        "version": version("inspector"),
        "study": study.title,
        "id": study.id,
        "begun": study.created.isoformat(),
        "closed": study.closed and study.closed.isoformat(),
        "by": study.who,
        "trials": study.trials,
        "appraisers": list(study.appraisers),
        "good": found.good,
        "bad": found.bad,
        "people": [_figures_json(one) for one in found.people],
        "detector": found.detector and _figures_json(found.detector),
        "sent_to_review": asdict(outcome.reviewed),
        "taken_for_another_product": asdict(outcome.others),
        "pairs": [asdict(one) for one in found.pairs],
        "alike": found.alike and asdict(found.alike),
        "right": found.right and asdict(found.right),
        "fleiss_kappa": found.fleiss,
        "left_out": [one.part.position for one in outcome.left_out],
        "parts": [
            {
                "position": one.part.position,
                "image": one.part.name,
                "class": one.part.class_name,
                "known_to_be": one.part.expected,
                "detector": one.part.decision,
                "image_score": one.part.image_score,
                "sha256": one.part.sha256,
                "words": dict(one.words),
            }
            for one in outcome.parts
        ],
    }
    plain: dict[str, Any] = json_values(whole)
    return plain


def _html(outcome: Outcome, target: Path) -> list[str]:
    template = page("study.html")
    problems: list[str] = []
    text = template.generate(
        title=outcome.study.title,
        begun=f"{outcome.study.created.astimezone():%Y-%m-%d %H:%M}",
        who=outcome.study.who,
        made=f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        version=version("inspector"),
        notes=notes(outcome),
        headings=HEADINGS,
        rows=figure_rows(outcome),
        between=between_rows(outcome),
        limits=LIMITS,
        disputed=(_card(one, problems) for one in outcome.disputed),
        disputed_count=len(outcome.disputed),
        appraisers=outcome.study.appraisers,
        parts=[_line(one) for one in outcome.parts],
    )
    with writing(target) as temporary, temporary.open("w", encoding="utf-8", errors="replace") as file:
        file.writelines(text)
    return problems


@dataclass(frozen=True, slots=True)
class _Card:
    """A part as the template shows it."""

    name: str
    picture: str
    trouble: str
    words: list[tuple[str, str]]


def _card(one: PartWords, problems: list[str]) -> _Card:
    from inspector.images.read import read
    from inspector.images.thumbnail import shrink

    picture = trouble = ""
    try:
        image = read(one.part.path, at_least=_SIDE, white=one.part.white)
        picture = jpeg_uri(shrink(image.pixels, _SIDE))
    except ImageError as error:
        trouble = f"“{printable(one.part.name)}” can't be shown: {error.message}"
        problems.append(trouble)
    return _Card(one.part.name, picture, trouble, part_words(one))


def _line(one: PartWords) -> list[str]:
    part = one.part
    words = [" ".join(SIGNS[word] for word in said) for said in one.words.values()]
    score = "" if part.image_score is None else f"{part.image_score:.4g}"
    known = f"{SIGNS[part.expected]} {WORDS[part.expected]}"
    return [str(part.position), part.name, part.class_name, known, *words, SIGNS[part.decision], score]


def _figure_row(one: Figures) -> tuple[str, ...]:
    effective, missed, alarmed = one.grades
    return (
        one_line(one.name),
        grade_words(one.grade),
        share_words(one.effective, effective),
        share_words(one.repeated) if one.trials > 1 else "–",
        share_words(one.misses, missed),
        share_words(one.false_alarms, alarmed),
        kappa_words(one.kappa),
    )


def _figures_json(one: Figures) -> dict[str, Any]:
    return {**asdict(one), "verdict": one.grade}


def _percent(value: float) -> str:
    if math.isnan(value):
        return "–"
    whole = value * 100
    form = ".0f" if abs(whole - round(whole)) < 0.05 else ".1f"  # 89.6 must not read as the limit of 90
    return f"{whole:{form}}\u00a0%"


def _names(names: Sequence[str]) -> str:
    """ "Ada, Bo and Cy"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
