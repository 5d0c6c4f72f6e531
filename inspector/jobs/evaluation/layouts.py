"""How labelled image sets lie on a disk: MVTec AD's folders
(MVTec LOCO's too), VisA's and Real-IAD's lists."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inspector.errors import InspectorError
from inspector.images.find import hidden
from inspector.images.read import SUFFIXES
from inspector.jobs.evaluation import lists
from inspector.jobs.evaluation.lists import GOOD
from inspector.text import is_printable, printable

MASK_ENDINGS = ("_mask", "")
"""What a mask's name may have after its image's, whatever its suffix and case."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`defect`: its type, "good" for a good part. `masks`: files that mark the defect together, if there are
    any. `key`: path from the set's folder, with slashes, fit to be shown and stored."""

    path: Path
    key: str
    class_name: str
    defect: str = GOOD
    masks: tuple[Path, ...] = ()

    @property
    def anomalous(self) -> bool:
        """Whether its labels call it defective."""
        return self.defect != GOOD


Found = tuple[list[Sample], list[Sample]]
"""Good parts to draw shots from; test images."""


def mvtec(folder: Path) -> Found | None:
    """`train/good`, `test/<good or defect type>`, `ground_truth/<defect
    type>/…`: one class or a folder of classes."""
    if (folder / "train" / GOOD).is_dir():
        places = [folder]
    else:
        places = [place for place in _folders(folder) if (place / "train" / GOOD).is_dir()]
    train, test = [], []
    for place in places:
        name = storable(place.name)
        train += [Sample(path, key(folder, path), name) for path in _images(place / "train" / GOOD)]
        for kind in _folders(place / "test"):
            masks = _Masks(place / "ground_truth" / kind.name if kind.name != GOOD else None)
            test += [
                Sample(path, key(folder, path), name, storable(kind.name), masks.of(path))
                for path in _images(kind)
            ]
    return (train, test) if train else None


def visa(folder: Path) -> Found | None:
    """`split_csv/*.csv` or `*.csv` with object, split,
    label, image and mask; the first that has good parts."""
    for table in _files([*(folder / "split_csv").glob("*.csv"), *folder.glob("*.csv")]):
        rows = lists.visa(_bytes(table), printable(table.name))
        samples = [(row.train, _sample(folder, folder, row)) for row in rows or ()]
        train = [sample for in_train, sample in samples if in_train and not sample.anomalous]
        if train:
            return train, [sample for in_train, sample in samples if not in_train]
    return None


def real_iad(folder: Path) -> Found | None:
    """JSON files with meta, train and test beside the image
    folders, or below a folder whose name has json in it."""
    train: list[Sample] = []
    test: list[Sample] = []
    for file in _files([*folder.glob("*.json"), *folder.glob("*json*/**/*.json")]):
        content = lists.real_iad(_bytes(file), printable(file.name))
        if content is None:
            continue
        places = [folder / (content.prefix or file.stem), folder / file.stem]
        places += sorted(folder.glob(f"*/{_escaped(file.stem)}"))
        place = next((one for one in places if one.is_dir()), folder)
        for row in content.rows:
            sample = _sample(folder, place, row, storable(file.stem))
            if not row.train:
                test.append(sample)
            elif not sample.anomalous:
                train.append(sample)
    return (train, test) if train else None


LAYOUTS = (("MVTec AD", mvtec), ("VisA", visa), ("Real-IAD", real_iad))


def key(folder: Path, path: Path) -> str:
    """The name of an image in stored evaluations: its path from the folder, with forward slashes."""
    return storable(path.relative_to(folder).as_posix())


def storable(name: str) -> str:
    """A name that may be written to any file: bytes that
    are no UTF-8 as \\xff, control characters as \\u0007."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if is_printable(c) else f"\\u{ord(c):04x}" for c in text)


class _Masks:
    """The masks of one defect type, found by their images' names: NAME_mask.png, NAME.bmp, NAME_MASK.PNG, or
    a folder NAME with a mask for each defect in it."""

    def __init__(self, folder: Path | None) -> None:
        self._found: dict[str, tuple[Path, ...]] = {}
        if folder is not None and folder.is_dir():
            files = {path.stem.casefold(): (path,) for path in reversed(_images(folder))}
            self._found = {place.name.casefold(): tuple(_images(place)) for place in _folders(folder)} | files

    def of(self, image: Path) -> tuple[Path, ...]:
        names = [image.stem.casefold() + ending for ending in MASK_ENDINGS]
        return next((self._found[name] for name in names if self._found.get(name)), ())


def _sample(folder: Path, place: Path, row: lists.Listed, otherwise: str = "") -> Sample:
    path = place / row.image
    masks = (place / row.mask,) if row.mask else ()
    return Sample(path, key(folder, path), row.class_name or otherwise, row.defect, masks)


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in _shown(folder.iterdir()) if p.suffix.lower() in SUFFIXES and p.is_file())


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in _shown(folder.iterdir()) if p.is_dir()) if folder.is_dir() else []


def _files(found: Iterable[Path]) -> list[Path]:
    return sorted(p for p in _shown(found) if p.is_file())


def _shown(found: Iterable[Path]) -> Iterable[Path]:
    return (path for path in found if not hidden(path.name))


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InspectorError(
            f"The list {printable(file.name)} can't be read: {error.strerror or error}.",
            "Check its permissions.",
        ) from error


def _escaped(name: str) -> str:
    """`name` as a pattern of glob that means itself."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
