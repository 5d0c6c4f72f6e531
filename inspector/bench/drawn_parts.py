"""What the measurements of whole jobs share: images of one
product, a detector taught on it, a job that must succeed."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

from inspector.domain import CancelToken, Emit, JobEnded, JobEvent, JobStatus
from inspector.errors import InspectorError
from inspector.images.find import find
from inspector.jobs.engine import Engine
from inspector.jobs.teach import teach
from inspector.methods import catalogue
from inspector.records.classes import add_class
from inspector.records.project import Project
from inspector.records.shots import add_shots

SHOTS = 4


def files(folder: Path, images: int, data: Path | None, size: int = 512) -> tuple[list[Path], list[Path]]:
    """Files of one product: (normal shots, images to inspect), each image with bytes of its own."""
    if data is not None:
        found = find([data]).images
        if len(found) < SHOTS + 1:
            raise InspectorError(f"{data} holds too few images.", f"Give a folder with more than {SHOTS}.")
        return list(found[:SHOTS]), list(found[SHOTS : SHOTS + images])
    from inspector.images.demo import parts as demo_parts

    drawn = folder / "drawn"
    kind = demo_parts.KINDS[0]
    product = demo_parts.write_demo(drawn, kinds=(kind,), size=size) / kind
    shots = sorted((product / "train" / "good").iterdir())[:SHOTS]
    tests = sorted((product / "test").glob("*/*"))
    batch = folder / "batch"
    batch.mkdir()
    for number in range(images):
        source = tests[number % len(tests)]
        copy_with_own_hash(source, batch / f"{number:05}{source.suffix}", number)
    return shots, sorted(batch.iterdir())


def copy_with_own_hash(source: Path, target: Path, number: int) -> None:
    """A PNG gets a text chunk of its own, other files a few
    bytes after their end: same pixels, another hash."""
    data = source.read_bytes()
    if data.startswith(b"\x89PNG"):
        from inspector.images.formats import png_chunk

        chunk = png_chunk(b"tEXt", b"number\0" + str(number).encode())
        target.write_bytes(data[:33] + chunk + data[33:])
    elif data.startswith(b"\xff\xd8"):
        comment = str(number).encode()
        target.write_bytes(data[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + data[2:])
    else:
        shutil.copyfile(source, target)


def teach_part(project: Project, engine: Engine, shots: list[Path]) -> None:
    """The class “Part” of these shots, taught in a second. Raises InspectorError."""
    class_id = add_class(project, "Part")
    add_shots(project, class_id, shots)
    run_job(lambda emit: teach(project, engine, method=catalogue.QUICK, emit=emit, cancel=CancelToken()))


def run_job(work: Callable[[Emit], None]) -> None:
    """Raises InspectorError with what a job says that did not end well."""
    ended: list[JobEnded] = []

    def emit(event: JobEvent) -> None:
        if isinstance(event, JobEnded):
            ended.append(event)

    work(emit)
    if ended[-1].status is not JobStatus.DONE:
        raise InspectorError(ended[-1].message, ended[-1].hint)
