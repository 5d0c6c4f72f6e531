"""Subjects of `inspector.bench.fuzz` whose readers do what no reader may. Worker processes import it by name."""

import os
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from inspector.bench.fuzz.run import Subject
from inspector.errors import ImageError


def draw() -> Mapping[str, bytes]:
    return {"a.txt": b"whole"}


def mutate(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    return data + bytes([rng.randrange(2)])


def refuse(file: Path) -> None:
    if file.read_bytes().endswith(b"\1"):
        raise ImageError(f"“{file.name}” is odd.", "Make it even.")


def stumble(file: Path) -> None:
    raise IndexError("beyond the end")


def hang(file: Path) -> None:
    time.sleep(60)


def die(file: Path) -> None:
    os._exit(3)


def subject(read: Callable[[Path], None]) -> dict[str, Subject]:
    return {"text": Subject(draw, mutate, read)}
