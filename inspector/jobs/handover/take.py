"""Take over: a detector out of a file judges here as it did there, which is shown before it may."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector import paths
from inspector.domain import CancelToken, Decision, Emit, JobKind, Proposal
from inspector.errors import HandOverError, ImageError, WeightsError
from inspector.images import read
from inspector.jobs.engine import Engine
from inspector.jobs.events import Reporter, job
from inspector.jobs.golden import said as golden_said
from inspector.jobs.handover.container import DETECTOR, look, spoken, unpack
from inspector.jobs.proposal import prepared
from inspector.records.audit import few
from inspector.records.files import ImageFacts, image_name, keep_image, make_last
from inspector.records.handed.content import Handed, HandedClass, HandedImage
from inspector.records.handed.rows import Arrival, free_names, insert_handed, thresholds_of
from inspector.records.names import class_key
from inspector.records.project import Project
from inspector.records.qualification.checks import add_check
from inspector.records.qualification.golden import Seen, judge_golden
from inspector.records.taught.new_detectors import detector_staging
from inspector.verdicts.product import far, is_other, why_moved

if TYPE_CHECKING:
    from inspector.features.backbone import Backbone
    from inspector.methods.detector import Detector

TOLERANCE = 1e-3
"""By how much what the detector says here may differ from what it said there, in parts of the score, or of the review threshold where
that is higher (what it was taught on scores next to nothing, and that is all rounding): processors round otherwise. More, and it is only
proposed."""
_SAME = 1e-6
"""Less than this is how the same number is rounded on other threads."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a file says that it holds. `classes`: their names; `taken`: those that a project has already. `weights`: needed here."""

    classes: tuple[str, ...]
    taken: tuple[str, ...]
    project: str
    detector: int
    made: str
    golden: int
    weights: str
    fingerprint: str


def read_offer(file: Path, known: Sequence[str] = ()) -> Offer:
    """What a file holds, without taking anything over; `known`: the classes of the project it would come into. Raises
    `HandOverError`."""
    values, fingerprint = look(file)
    content = Handed.of(values)
    names = tuple(one.name for one in content.classes)
    keys = {class_key(name) for name in known}
    return Offer(
        names,
        tuple(name for name in names if class_key(name) in keys),
        content.project,
        content.detector,
        content.made,
        sum(len(one.golden) for one in content.classes),
        str(content.backbone.get("weights", "")),
        fingerprint,
    )


def take_over(
    project: Project,
    engine: Engine,
    file: Path,
    *,
    names: Mapping[str, str] | None = None,
    who: str = "",
    emit: Emit,
    cancel: CancelToken,
) -> None:
    """Put the detector of a file into a project, with its classes, shots and golden set. `names`: class of the file → what it is called
    here; one that a class here has is refused, as classes are never merged.

    On arrival it scores its golden parts and some shots, and what it says is compared with what it said where it comes from: where any
    differs by more than TOLERANCE, or can't be scored, it is only proposed. `JobEnded.result`: `detector_id`, `classes`, `compared`,
    `largest` (difference, see TOLERANCE), `proposed`, `fingerprint`. Whatever fails leaves nothing behind.
    """
    with job(project, JobKind.TEACH, emit) as report:
        project.require_writable()
        report.start(f"Take over {file.name}", 100)
        report.progress(0, "Comparing the file with its checksums")
        scratch = paths.scratch_folder("handover")
        staging = None
        try:
            values, fingerprint = unpack(file, scratch)
            content = Handed.of(values)
            cancel.check()
            asked = _asked(names or {}, content)
            own = free_names(project, [asked.get(class_key(one.name), one.name) for one in content.classes])
            report.progress(20, "Loading the weights")
            backbone, weights = _backbone(engine, content.backbone)
            detector = _load(scratch / DETECTOR, content, backbone)
            exact = engine.exact(weights) if content.precision == "fp32" else backbone
            same = detector if exact is backbone else _load(scratch / DETECTOR, content, exact)
            facts = _facts(scratch, content, cancel)
            report.progress(40, "Comparing scores")
            seen, largest, problem = _compare(scratch, content, (detector, same), report, cancel)
            staging = detector_staging(project)
            for name in ("detector.json", "detector.safetensors"):
                shutil.copyfile(scratch / DETECTOR / name, staging / name)
                paths.sync(staging / name)
            _keep(project, scratch, facts)
            cancel.check()
            arrival = Arrival(
                content,
                staging,
                facts,
                own,
                {**content.backbone, "weights": weights},
                seen,
                file.name,
                fingerprint,
            )
            proposal = Proposal() if problem else None
            detector_id, class_ids = insert_handed(
                project, arrival, proposal=proposal, who=who, job_id=report.job_id
            )
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            if staging is not None:
                shutil.rmtree(staging, ignore_errors=True)
        words = judge_golden(project, detector_id, class_ids)
        if words and proposal is None:
            add_check(project, words, occasion=f"Detector #{detector_id} taken over", who=who)
        compared = sum(
            image.score is not None for one in content.classes for image in (*one.golden, *one.shots)
        )
        report.progress(100, "Taken over")
        report.message = _said(own, compared, largest, problem, fingerprint)
        if not all(word.kept for word in words):
            report.message += f" {golden_said(words)}"
        report.result = {
            "detector_id": detector_id,
            "classes": own,
            "compared": compared,
            "largest": largest,
            "proposed": bool(problem),
            "fingerprint": fingerprint,
        }


def _asked(names: Mapping[str, str], content: Handed) -> dict[str, str]:
    """What classes of the file are to be called here, by key."""
    known = {class_key(one.name) for one in content.classes}
    for name in names:
        if class_key(name) not in known:
            raise HandOverError(
                f"The file holds no class “{name}” that could be called otherwise.",
                f"It holds {', '.join(one.name for one in content.classes)}.",
            )
    return {class_key(key): name for key, name in names.items()}


def _said(names: Sequence[str], compared: int, largest: float, problem: str, fingerprint: str) -> str:
    parts = "1 image" if compared == 1 else f"{compared} images"
    if problem:
        now = f"It is only proposed: {problem} Look at it on the Teach page before it judges."
    elif largest < _SAME:
        now = f"It judges from now on, and gives {parts} exactly the scores that it gave there."
    else:
        now = (
            f"It judges from now on; its scores of {parts} differ from those it gave there by at most {_percent(largest)} "
            f"({_percent(TOLERANCE)} is allowed)."
        )
    return f"Taken over: {', '.join(names)}. {now} Fingerprint {spoken(fingerprint)}."


def _percent(share: float) -> str:
    return f"{100 * share:.1g} %"


def _backbone(engine: Engine, wanted: Mapping[str, Any]) -> tuple["Backbone", str]:
    """The weights that a detector was taught on, and what they are called here. Raises `HandOverError` naming those that lack."""
    from inspector.features.weights import catalogue

    said = str(wanted.get("weights", ""))
    alike = [
        one.name
        for one in catalogue.entries()
        if one.record.get("sha256") == wanted.get("weights_sha256") and one.record
    ]
    size = f"@{said.rsplit('@', 1)[1]}" if "@" in said else ""
    own = [] if {"/", "\\"} & set(said) else [said]  # no path of another computer is looked at here
    for name in dict.fromkeys([*own, *(f"{one}{size}" for one in alike)]):
        try:
            found = engine.scoring(name)
        except WeightsError:
            continue
        if not found.identity.mismatch(wanted):
            return found, name
    architecture, tag = str(wanted.get("architecture", "")), str(wanted.get("tag", ""))
    raise HandOverError(
        f"This detector needs the weights “{said}” ({architecture}, {tag}), and just these are not on this computer.",
        f"Add them on the Weights page, then take it over again. Their sha256 begins with {str(wanted.get('weights_sha256'))[:12]}.",
    )


def _load(folder: Path, content: Handed, backbone: "Backbone") -> "Detector":
    from inspector.methods import catalogue, storage

    manifest = storage.read_manifest(folder)
    if content.method not in catalogue.METHODS:
        raise HandOverError(
            "This detector's method isn't known to this version of Inspector.", "Update Inspector."
        )
    detector = storage.load(folder, backbone)
    names = {one.taught_name for one in content.classes}
    told_apart = {one.taught_name for one in content.classes if one.product is not None}
    whites = {one.taught_name: one.taught_white for one in content.classes if one.taught_white is not None}
    same = manifest["backbone"].get("key") == content.backbone.get("key")
    if (
        manifest["method"] != content.method
        or names != set(detector.classes)
        or not same
        or whites != detector.whites
        or not told_apart <= detector.looks.classes.keys()
    ):
        raise HandOverError(
            "What the file says of its detector doesn't fit the detector in it, so nothing was taken over.",
            "Ask for the file again.",
        )
    return detector


def _facts(scratch: Path, content: Handed, cancel: CancelToken) -> dict[str, ImageFacts]:
    """What each image is, by decoding it: nothing that the file says of it is believed."""
    found = {}
    for sha256, suffix in content.files.items():
        cancel.check()
        path = _place(scratch, sha256, suffix)
        data = read.read_bytes(path)
        facts = ImageFacts.of(read.decode(data, path.name, path), data)
        if facts.sha256 != sha256 or facts.suffix != suffix:
            raise HandOverError("An image in the file is another than it says.", "Ask for the file again.")
        found[sha256] = facts
    return found


def _place(scratch: Path, sha256: str, suffix: str) -> Path:
    return scratch / "images" / f"{sha256}{suffix}"


def _compare(
    scratch: Path,
    content: Handed,
    detectors: tuple["Detector", "Detector"],
    report: Reporter,
    cancel: CancelToken,
) -> tuple[dict[tuple[int, str], Seen], float, str]:
    """(what it says here of golden parts, the largest difference, see TOLERANCE, what speaks against it in a sentence or "").
    `detectors`: as it judges here, and the same in the precision in which it was asked where it comes from."""
    detector, exact = detectors
    found: dict[tuple[int, str], Seen] = {}
    largest, differing, otherwise = 0.0, [], []
    for number, one in enumerate(content.classes):
        compared = 0
        for image in (*one.golden, *one.shots):
            if image.score is None:
                continue
            cancel.check()
            report.progress(40 + 50 * (number + 1) / (len(content.classes) + 1), f"Comparing “{image.name}”")
            compared += 1
            there, here = Seen(image.score, image.distance), _seen(scratch, content, detector, one, image)
            told = here if exact is detector else _seen(scratch, content, exact, one, image)
            if image.expected is not None:
                found[number, image.sha256] = here
            gap = _gap(told, there, one)
            largest = max(largest, gap)
            if gap > TOLERANCE:
                differing.append(image.name)
            if here.score is not None and _said_of(here, one) is not _said_of(there, one):
                otherwise.append(image.name)
        if not compared:
            return found, 1.0, f"it doesn't say what it gave any image of “{one.name}” there."
    named = few([f"“{name}”" for name in dict.fromkeys([*otherwise, *differing])])
    if otherwise:
        return found, largest, f"{named} would be judged otherwise than where it comes from."
    if differing:
        much = f"by up to {_percent(largest)}, more than {_percent(TOLERANCE)}" if largest < 1 else "by far"
        return found, largest, f"what it gives {named} differs from what it gave there {much}."
    return found, largest, ""


def _gap(here: Seen, there: Seen, of: HandedClass) -> float:
    """By how much a score or, where other products are told apart, a distance differs, see TOLERANCE; 1 where there is none here."""
    if here.score is None or there.score is None:
        return 1.0
    gap = abs(here.score - there.score) / max(abs(there.score), abs(thresholds_of(of).review), 1e-6)
    if of.product is None or there.distance is None:
        return gap
    if here.distance is None:
        return 1.0
    return max(gap, abs(here.distance - there.distance) / max(there.distance, of.product.distance))


def _said_of(seen: Seen, of: HandedClass) -> Decision | None:
    from inspector.verdicts.judge import decide

    other = is_other(seen.distance, of.product.in_force if of.product else None)
    return None if seen.score is None else decide(seen.score, thresholds_of(of), other)


def _seen(scratch: Path, content: Handed, detector: "Detector", of: HandedClass, image: HandedImage) -> Seen:
    path, name = _place(scratch, image.sha256, content.files[image.sha256]), of.taught_name
    try:
        (score_map,) = detector.score([prepared(path, detector, name)], [name])
    except ImageError as error:
        return Seen(None, error=error.message)
    if not score_map.finite:
        return Seen(None, error="The detector gave no number for it.")
    return Seen(float(score_map.image_score), far(score_map, of.product), why_moved(score_map, of.product))


def _keep(project: Project, scratch: Path, facts: Mapping[str, ImageFacts]) -> None:
    for sha256, one in facts.items():
        keep_image(project, one, _place(scratch, sha256, one.suffix).read_bytes(), lasting=False)
    make_last(project, [image_name(sha256, one.suffix) for sha256, one in facts.items()])
