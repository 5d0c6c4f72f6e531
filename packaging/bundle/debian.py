"""Inspector's folder as a Debian package: in /opt, with a command, a menu entry, its icon and a type for handed-over detectors."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import contents

HERE = Path(__file__).resolve().parent
HOME = "opt/inspector"
ICON = "resources/icons/inspector.svg"
NEEDS = "libc6, libstdc++6, libgcc-s1, libegl1, libgl1, libfontconfig1, libdbus-1-3, libxkbcommon0"
WANTS = "libx11-xcb1, fonts-dejavu-core"
"""A line without a screen does without these, so they are recommended only."""
BUNDLED = "libxcb-cursor0, libxkbcommon-x11-0, libxcb-icccm4, libxcb-keysyms1, libxcb-image0, libxcb-render-util0, libxcb-shape0"
"""What many desktops lack for Qt's window, so that it is in the folder; wanted where that is built."""


def pack(folder: Path, target: Path, architecture: str) -> Path:
    """Write `target`; the folder is taken by hard links, so it must be on the same drive as `target`."""
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        root = Path(temporary, "root")
        shutil.copytree(folder, root / HOME, symlinks=True, copy_function=os.link)
        lay(root)
        size = sum(file.lstat().st_size for file in root.rglob("*") if file.is_file()) // 1024
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN" / "control").write_text(control(architecture, size), encoding="utf-8")
        for path in (root, *root.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        target.unlink(missing_ok=True)
        build = ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z9", "--build", str(root), str(target)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    return target


def lay(root: Path) -> None:
    """What a desktop wants to find beside the folder."""
    command = root / "usr/bin/inspector"
    command.parent.mkdir(parents=True)
    command.symlink_to(f"../../{HOME}/inspector")
    for source, place in (
        (HERE / "inspector.desktop", "usr/share/applications/inspector.desktop"),
        (HERE / "inspector.xml", "usr/share/mime/packages/inspector.xml"),
        (contents.ROOT / ICON, "usr/share/icons/hicolor/scalable/apps/inspector.svg"),
        (contents.ROOT / ICON, "usr/share/icons/hicolor/scalable/mimetypes/application-x-inspector.svg"),
        (contents.ROOT / "LICENSE", "usr/share/doc/inspector/copyright"),
    ):
        target = root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def control(architecture: str, kilobytes: int) -> str:
    """The package's own description. Menus, icons and types are entered by the triggers of the packages that keep them."""
    return "\n".join(
        (
            "Package: inspector",
            f"Version: {contents.version()}",
            f"Architecture: {architecture}",
            "Maintainer: The Inspector developers <inspector@localhost>",
            f"Installed-Size: {kilobytes}",
            f"Depends: {NEEDS}",
            f"Recommends: {WANTS}",
            "Section: science",
            "Priority: optional",
            "Description: teach a machine to find defects from a handful of good parts",
            " Everything runs on this computer, and nothing leaves it. Python and all libraries are inside.",
            "",
        )
    )
