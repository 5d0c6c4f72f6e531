"""Build Inspector as a folder that needs no Python: `python packaging/bundle/build.py TARGET`.

Run it with the Python of a clean virtual environment that holds `pip install ".[line]" pyinstaller` and the CPU build of torch, which
must be asked for where pip's default is another. Writes to TARGET the folder `inspector`, on Linux `inspector-VERSION-linux-ARCH.tar.gz`
and `inspector_VERSION_ARCH.deb` (needs dpkg-deb), and prints what takes how much room. `smoke.py` proves them.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from collections import Counter
from importlib import metadata
from pathlib import Path

import contents
import debian

HERE = Path(__file__).resolve().parent
MARK = Path("_internal", "inspector", "package.txt")
"""Read by `inspector.installation`."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("target", type=Path)
    parser.add_argument(
        "--any-torch", action="store_true", help="also with a build of torch that is not for CPUs alone"
    )
    parser.add_argument("--keep", action="store_true", help="pack the folder that an earlier run froze")
    chosen = parser.parse_args()
    target = chosen.target.resolve()
    began = time.monotonic()
    folder = target / "inspector"
    if not chosen.keep:
        check(any_torch=chosen.any_torch)
        freeze(target)
    mark(folder, "bundle")
    said(f"frozen in {time.monotonic() - began:.0f} s")
    for part, size in largest(folder):
        said(f"{size / 1e6:8.1f} MB  {part}")
    if sys.platform.startswith("linux"):
        kind = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        archive = target / f"inspector-{contents.version()}-linux-{platform.machine()}.tar.gz"
        pack(folder, archive)
        said(
            f"{archive.stat().st_size / 1e6:8.1f} MB  {archive.name}, {time.monotonic() - began:.0f} s in all"
        )
        mark(folder, "deb")
        package = debian.pack(folder, target / f"inspector_{contents.version()}_{kind}.deb", kind)
        mark(folder, "bundle")
        said(
            f"{package.stat().st_size / 1e6:8.1f} MB  {package.name}, {time.monotonic() - began:.0f} s in all"
        )


def check(*, any_torch: bool) -> None:
    """Refuse what would make a package that is too large or another version."""
    import torch

    if torch.version.cuda and not any_torch:
        raise SystemExit(
            f"torch {torch.__version__} is built for CUDA {torch.version.cuda}: install its CPU build."
        )
    if metadata.version("inspector") != contents.version():
        raise SystemExit("Another version of Inspector is installed here: pip install --no-deps .")


def freeze(target: Path) -> None:
    """Run PyInstaller; what it writes beside the folder lies in TARGET/work."""
    work = target / "work"
    work.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ)
    if suffix := {"win32": ".ico", "darwin": ".icns"}.get(sys.platform):
        environment["INSPECTOR_ICON"] = str(icon(work / f"inspector{suffix}"))
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--clean", "--log-level", "WARN"]
    command += ["--distpath", str(target), "--workpath", str(work), str(HERE / "inspector.spec")]
    subprocess.run(command, env=environment, check=True)


def icon(target: Path) -> Path:
    """The window's icon in the form that a system wants."""
    from PIL import Image
    from PySide6.QtCore import QByteArray
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    drawn = QImage(512, 512, QImage.Format.Format_ARGB32)
    drawn.fill(0)
    painter = QPainter(drawn)
    QSvgRenderer(QByteArray((contents.ROOT / debian.ICON).read_bytes())).render(painter)
    painter.end()
    drawn.save(str(target.with_suffix(".png")))
    Image.open(target.with_suffix(".png")).save(target)
    return target


def mark(folder: Path, word: str) -> None:
    """Write into the package which one it is."""
    (folder / MARK).write_text(f"{word}\n", encoding="utf-8")


def largest(folder: Path, count: int = 16) -> list[tuple[str, int]]:
    """The parts that take most room, then the rest and all of it; bytes. Links count nothing."""
    sizes: Counter[str] = Counter()
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            inner = file.relative_to(folder).parts
            sizes[
                inner[1].removesuffix(".libs") if len(inner) > 2 else "Python, programs and system libraries"
            ] += file.stat().st_size
    most = sizes.most_common(count)
    whole = sum(sizes.values())
    return [*most, ("everything else", whole - sum(size for _, size in most)), ("unpacked", whole)]


def pack(folder: Path, archive: Path) -> None:
    """The folder as tar.gz, without this computer's names of people and times."""
    archive.unlink(missing_ok=True)
    compress = shutil.which("pigz") or "gzip"
    command = ["tar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"]
    subprocess.run(
        [*command, "-I", compress, "-cf", str(archive), "-C", str(folder.parent), folder.name], check=True
    )


def said(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
