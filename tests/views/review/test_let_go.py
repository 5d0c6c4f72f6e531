"""What is seen of an image that a station's rule let go: its thumbnail, as large as it was, with its heat, and why."""

from pathlib import Path

import judged_parts
from at_the_line import kept_parts

from inspector.exports.heat import Heat
from inspector.records import project as projects
from inspector.records.inspected.results import list_results
from inspector.records.line.stations import Retention
from inspector.stations.upkeep.retention import tidy
from inspector.views.results.heat_thumbnails import make
from inspector.views.review.result_loader import read_pixels


def test_the_viewer_and_the_gallery_show_the_thumbnail_and_say_why(tmp_path: Path) -> None:
    with projects.create(tmp_path / "project", "Line 4") as project:
        taught = judged_parts.taught(project)
        press = kept_parts.station(project, Retention(ok_every=0))
        files = [kept_parts.png(1, 600)]
        ids = kept_parts.come(project, press, taught, [kept_parts.OK], data=files)
        (before,) = list_results(project, ids)
        whole = read_pixels(before)
        assert tidy(project, press, 10).images == 1
        (row,) = list_results(project, ids)
        shown = read_pixels(row)
        assert shown.picture is not None
        assert whole.picture is not None
        assert (shown.picture.width, shown.picture.height) == (whole.picture.width, whole.picture.height)
        assert shown.values is not None
        assert shown.note.startswith("The image was let go by the station's rule on ")
        assert shown.note.endswith("its thumbnail remains.")
        small = make(row, 320, Heat(0.0, 1.0, 0.05))
        assert (max(small.width(), small.height()), small.text("no heat")) == (320, "")
        assert row.files.thumbnail is not None
        row.files.thumbnail.unlink()
        assert "thumbnail can't be read" in read_pixels(row).trouble
