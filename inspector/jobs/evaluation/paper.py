"""The papers' protocol: which published figures stand beside ours, and on which weights each method is measured.

`resources/published.json` holds the figures as printed, each with its source; nothing in it was measured here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from inspector import paths
from inspector.errors import InspectorError, WeightsError
from inspector.jobs.evaluation import datasets
from inspector.jobs.evaluation.plan import EvaluationPlan, method_title
from inspector.jobs.evaluation.tested import EVALUATION_SIZE
from inspector.methods import catalogue
from inspector.text import printable
from inspector.verdicts.metrics import FIGURES

SHOTS = (1, 2, 4)
"""The few-shot settings of the papers."""
FILE = "published.json"


@dataclass(frozen=True, slots=True)
class Published:
    """One row of a paper's table. `shots`: None where its source doesn't state them; `setting`: "one for all" or "one a
    class" where it does; `figures`: in per cent, by the names in FIGURES."""

    method: str
    data_set: str
    shots: int | None
    setting: str
    source: str
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a method was published with. `weights`: of the catalogue, to measure it on here; `same`: whether these are the
    published ones; `notes`: how ours differs, for people."""

    published_on: str
    weights: str
    same: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What an evaluation's figures are set beside. `notes`: sentences on what keeps them from being comparable."""

    data_set: str
    rows: tuple[Published, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As results.json carries it."""
        rows = [
            {
                "method": row.method,
                "shots": row.shots,
                "setting": row.setting,
                "source": row.source,
                **row.figures,
            }
            for row in self.rows
        ]
        return {"data_set": self.data_set, "per_cent": rows, "notes": list(self.notes)}


def data_sets() -> tuple[str, ...]:
    """The sets that figures are known of."""
    return tuple(_read()["sets"])


def published(data_set: str) -> list[Published]:
    """All rows on one set, in the file's order."""
    content = _read()
    return [
        Published(
            row["method"],
            row["set"],
            row["shots"],
            row["setting"],
            content["sources"][row["source"]],
            {name: row[name] for name in FIGURES if name in row},
        )
        for row in content["figures"]
        if row["set"] == data_set
    ]


def setting(method: str) -> Setting | None:
    """What a method, by its plain name, was published with; None where that isn't known."""
    found = _read()["methods"].get(method)
    if found is None:
        return None
    return Setting(found["published_on"], found["weights"], found["same"], tuple(found["notes"]))


def recognise(dataset: datasets.Dataset) -> str:
    """Which published set a folder holds, by its classes' names and, where these fit several, its layout.

    Raises InspectorError when they fit none.
    """
    known: dict[str, Any] = _read()["sets"]
    fitting = [name for name, content in known.items() if set(dataset.classes) <= set(content["classes"])]
    fitting.sort(key=lambda name: known[name]["layout"] != dataset.layout)
    if fitting:
        return fitting[0]
    nearest = max(known, key=lambda name: len(set(dataset.classes) & set(known[name]["classes"])))
    foreign = [one for one in dataset.classes if one not in known[nearest]["classes"]]
    raise InspectorError(
        f"{dataset.name} is none of the published sets ({', '.join(known)}): {_some(foreign)} "
        f"{'is' if len(foreign) == 1 else 'are'} not in {nearest}.",
        "Give the folder of one of them, or say which it stands for: "
        f'--data-set "{nearest}". Without --paper any set is measured.',
    )


def plans(plan: EvaluationPlan, data_set: str = "", weights: str = "") -> list[EvaluationPlan]:
    """One plan for each backbone that the plan's methods were published on, each in a folder of its own below the
    plan's output; all methods that figures are known of where it names none.

    `data_set`: instead of recognising it; `weights`: instead of the papers', for all methods.
    Raises InspectorError for a folder that is no published set or lacks classes that the plan doesn't leave out,
    WeightsError when weights are not on this computer.
    """
    dataset = datasets.read(plan.data)
    if data_set and data_set not in data_sets():
        raise InspectorError(
            f"There are no published figures on “{printable(data_set)}”.",
            f"Choose among: {', '.join(data_sets())}.",
        )
    name = data_set or recognise(dataset)
    notes = _differences(plan, dataset, name)
    rows = published(name)
    methods = plan.methods or tuple(
        method for method in catalogue.METHODS if any(row.method == method for row in rows)
    )
    groups: dict[str, list[str]] = {}
    for method in methods:
        groups.setdefault(weights or _weights(method), []).append(method)
    _check_here(groups)
    made = []
    for used, own in groups.items():
        plain = {catalogue.parse(method).method for method in own}
        comparison = Comparison(
            name,
            tuple(
                row for row in rows if row.method in plain and (row.shots is None or row.shots in plan.shots)
            ),
            (*notes, *(note for method in own for note in _notes(method, used))),
        )
        folder = plan.output / (Path(used).stem if _is_file(used) else used.replace(":", "-"))
        made.append(
            replace(plan, methods=tuple(own), output=folder, weights=used, comparison=comparison.as_json())
        )
    return made


@cache
def _read() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((paths.resources() / FILE).read_text(encoding="utf-8"))
    return content


def _weights(method: str) -> str:
    known = setting(catalogue.parse(method).method)
    if known is None:
        raise InspectorError(
            f"It is not known what {method_title(method)} was published on.", "Name weights with --weights."
        )
    return known.weights


def _check_here(groups: Mapping[str, Sequence[str]]) -> None:
    from inspector.features.weights import catalogue as weights

    missing = []
    for name, methods in groups.items():
        if not _is_file(name) and not weights.find(name).here:
            missing.append((name, ", ".join(map(method_title, methods))))
    if missing:
        fetch = "; ".join(f"inspector weights fetch {name}" for name, _ in missing)
        raise WeightsError(
            "The papers' weights are not on this computer: "
            + "; ".join(f"{name} (for {methods})" for name, methods in missing)
            + ".",
            f"Get them: {fetch}. Without a network, copy the file here: inspector weights add FILE. "
            "Or leave methods out with --method, or take other weights with --weights; "
            "figures are then not comparable.",
        )


def _is_file(weights: str) -> bool:
    """Whether weights are named by a file; loading it says what is wrong with it."""
    from inspector.features.weights.catalogue import SUFFIXES, sized

    return Path(sized(weights)[0]).suffix.lower() in SUFFIXES


def _differences(plan: EvaluationPlan, dataset: datasets.Dataset, name: str) -> list[str]:
    """How our protocol differs from the papers', the same for all methods. Raises InspectorError for missing classes."""
    wanted = _read()["sets"][name]["classes"]
    measured = plan.classes or dataset.classes
    missing = [one for one in wanted if one not in dataset.classes]
    foreign = [one for one in measured if one not in wanted]
    if missing and not plan.classes and not foreign:
        raise InspectorError(
            f"{dataset.name} has {len(dataset.classes)} of the {len(wanted)} classes of {name}; "
            f"{_some(missing)} {'is' if len(missing) == 1 else 'are'} missing.",
            f"Complete the folder, or measure what is there: --classes {','.join(dataset.classes)}. "
            "The table then says so.",
        )
    notes = []
    if foreign or len(measured) < len(wanted):
        shared = len(set(measured) & set(wanted))
        notes.append(
            f"Not comparable: means over {len(measured)} class{'es' if len(measured) != 1 else ''}, {shared} of the {len(wanted)} of {name}."
        )
    how = "one detector for all classes" if plan.one_for_all else "one detector a class"
    notes += [
        f"Ours: {how}, class {'known' if plan.class_known else 'found'}; the rows say how the published ones were "
        "taught.",
        f"Ours: whole images, no crop; maps at {EVALUATION_SIZE} px (papers: 224 to 400 px), AUPRO exact instead of by "
        "200 thresholds; average precision stands beside the papers' AUPR.",
        f"Ours: {_draws(plan)}, last epoch. The papers' shots are others.",
        "The papers mostly stretch images to squares; here those that aren't square are seen in their proportions where "
        "the method can.",
    ]
    return notes


def _draws(plan: EvaluationPlan) -> str:
    if plan.split is not None:
        return f"shots of {printable(plan.split.name)}"
    seeds = plan.seeds
    return f"{len(seeds)} draw{'s' if len(seeds) != 1 else ''} of the shots by seeds {', '.join(map(str, seeds))}"


def _notes(method: str, used: str) -> list[str]:
    variant = catalogue.parse(method)
    known = setting(variant.method)
    title = variant.title
    if known is None:
        return [f"{title}: not comparable, no published backbone is known."]
    found = [f"{title}: {note}" for note in known.notes]
    if variant.settings or variant.random_weights:
        found.append(f"{title}: not comparable, measured with settings that are not the published ones.")
    if used != known.weights or not known.same:
        found.append(
            f"{title}: not comparable, published on {known.published_on}, measured on {Path(used).name}."
        )
    return found


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
