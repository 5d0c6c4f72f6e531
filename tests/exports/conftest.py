import pytest
from export_rows import EMPTY, TIME, change, make_row

from inspector.domain import Decision
from inspector.exports.rows import ExportRow


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[ExportRow]:
    folder = tmp_path_factory.mktemp("project")
    return [
        make_row(folder, 1, "washer_1.png", "washer", None),
        make_row(
            folder,
            2,
            '=HYPERLINK("x")<b>.png',
            "washer",
            "stain",
            defect_type="scratch",
            reviewer="@eve",
        ),
        make_row(folder, 3, "washer_1.jpg", "washer", "missing"),
        make_row(folder, 4, "Größe 部品\nzwei.png", "cloth", "missing", defect_type="scratch"),
        make_row(
            folder,
            5,
            "../../etc/passwd",
            "cloth",
            "stain",
            override=Decision.OK,
            reason="-water only",
            reviewer="Ana",
            reviewed=TIME,
        ),
        change(
            ExportRow(EMPTY, run="#3 Monday shift", detector="#7 memory", taught=TIME),
            id=6,
            name="broken.png",
            error="“broken.png” is empty (0 bytes).",
        ),
    ]
