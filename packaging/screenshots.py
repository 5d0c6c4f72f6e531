"""Take pictures of every page and state from the real window: `python packaging/screenshots.py DIR [--only NAME …]`.

Builds one demo project with the real engine, then drives the window at 1280×800, 1920×1080 and 1024×700 in both themes, or at
the `--size`, `--theme` and `--scale` asked for. Needs no display. What is on them is in `scenes`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

from scenes import AFTER, SCENES
from stage import Stage

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

SIZES = ((1280, 800), (1920, 1080), (1024, 700))
THEMES = ("dark", "light")
README = ("inspect-dark", "inspect-light", "teach-light", "results-dark", "start-light")
"""Scene and theme of the pictures in the README, taken at 1280×800."""

_INDEX = """# Every page and state

Taken from the real window by `python packaging/screenshots.py --gallery DIR`. The same scenes at other sizes of the window, in
both themes and at 200 %: `python packaging/screenshots.py DIR --size 1024x700 1920x1080 --theme light dark --scale 2`.
A scene that fails is named at the end; the others are still taken.
"""


def build_demo(folder: Path) -> None:
    from inspector.domain import CancelToken, JobEnded, JobEvent, JobStatus
    from inspector.jobs.demo import make_demo_project
    from inspector.jobs.engine import Engine

    ended: list[JobEnded] = []

    def emit(event: JobEvent) -> None:
        if isinstance(event, JobEnded):
            ended.append(event)

    make_demo_project(folder, Engine(), emit=emit, cancel=CancelToken())
    if ended[-1].status is not JobStatus.DONE:
        raise SystemExit(f"The demo could not be built: {ended[-1].message}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="scenes to take")
    parser.add_argument("--theme", nargs="+", choices=THEMES, default=THEMES, help="themes to take")
    parser.add_argument(
        "--size", nargs="+", type=_size, default=SIZES, help="sizes of the window, as 1280x800"
    )
    parser.add_argument("--scale", help="a screen whose points are so many pixels wide, as 2 for 200 %%")
    parser.add_argument("--readme", action="store_true", help="only the pictures of the README")
    parser.add_argument(
        "--gallery", action="store_true", help="every scene, dark, 1280×800, as small WebP with an index"
    )
    parser.add_argument("--demo", type=Path, help="keep or reuse the demo project in this folder")
    chosen = parser.parse_args()
    chosen.target.mkdir(parents=True, exist_ok=True)
    if chosen.gallery:
        chosen.theme = ["dark"]
    if chosen.gallery or chosen.readme:
        chosen.size = SIZES[:1]
    if chosen.scale:
        os.environ["QT_SCALE_FACTOR"] = chosen.scale
    with tempfile.TemporaryDirectory() as home:
        os.environ["INSPECTOR_HOME"] = str(Path(home, "inspector"))
        os.environ["HOME"] = home  # so that pictures show "~" and not this computer's folders
        work = Path(home, "Documents")
        work.mkdir()
        kept = (chosen.demo or work / "Demo").absolute()
        if not (kept / "project.sqlite").exists():
            build_demo(kept)
        demo = work / "Demo"
        if kept != demo:
            shutil.copytree(kept, demo)
        from inspector.images.demo import parts as demo_parts

        parts = work / "parts"
        demo_parts.write_demo(parts)
        shutil.copytree(demo, work / "Gearbox line 3")
        failed: list[str] = []
        for theme in chosen.theme:
            only = chosen.only
            if chosen.readme:
                only = [name.removesuffix(f"-{theme}") for name in README if name.endswith(theme)]
            for size in chosen.size:
                stage = Stage(theme, size, work, demo, parts)
                try:
                    small = "png" if chosen.readme else "webp" if chosen.gallery else ""
                    failed += take(chosen.target, only, stage, theme, size, small)
                finally:
                    stage.window.shut_down()
        shutil.rmtree(work, ignore_errors=True)
    if failed:
        raise SystemExit(f"Not taken: {', '.join(failed)}")
    if chosen.gallery:
        index = "".join(f"\n## {_spoken(name)}\n\n![{_spoken(name)}]({name}.webp)\n" for name in SCENES)
        (chosen.target / "README.md").write_text(_INDEX + index, encoding="utf-8")


def _size(text: str) -> tuple[int, int]:
    """ "1280x800" → (1280, 800)."""
    width, height = text.split("x")
    return int(width), int(height)


def _spoken(scene: str) -> str:
    """ "teach_no_shots" → "Teach: no shots"."""
    page, _, state = scene.partition("_")
    return f"{page.capitalize()}: {state.replace('_', ' ')}" if state else page.capitalize()


def take(
    target: Path, only: list[str], stage: Stage, theme: str, size: tuple[int, int], small: str
) -> list[str]:
    """What failed; the scenes after it are still taken."""
    failed = []
    for name, scene in SCENES.items():
        if only and name not in only:
            continue
        plain = f"{name}-{theme}-{size[0]}x{size[1]}.png"
        file = target / (f"{name}.webp" if small == "webp" else plain)
        try:
            stage.calm()
            scene(stage)
            stage.settle()
            alone = None if name.startswith("inspect") else stage.application.activeModalWidget()
            stage.photograph(alone or stage.shown or stage.window, file, small)
            print(file, flush=True)
        except Exception:
            traceback.print_exc()
            failed.append(plain)
        try:
            AFTER.get(name, Stage.settle)(stage)
        except Exception:
            traceback.print_exc()
            failed.append(f"what comes after {name}")
    stage.window.close()
    stage.wait(lambda: not stage.window.isVisible())
    return failed


if __name__ == "__main__":
    sys.exit(main())
