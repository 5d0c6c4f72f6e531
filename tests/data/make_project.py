"""Make `projects/v<revision>`: one small real project for each schema revision, which every later version must open.

Run once for a new revision, never again for an old one: `python tests/data/make_project.py`.
"""

import json
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from inspector.domain import CancelToken, Decision, JobEvent
from inspector.images import demo_parts
from inspector.jobs.inspect import inspect
from inspector.jobs.teach import teach
from inspector.records import project as projects
from inspector.records import schema
from inspector.records.classes import add_class, list_classes
from inspector.records.result_filter import ResultFilter
from inspector.records.results import list_results, result_ids
from inspector.records.reviews import add_review, list_reviews, withdraw_review
from inspector.records.shots import add_shots

sys.path.insert(0, str(Path(__file__).parents[1] / "jobs"))

import stem_engine


def main() -> None:
    target = Path(__file__).parent / "projects" / f"v{int(schema.REVISION)}"
    if target.exists():
        sys.exit(f"{target.name} is there already and must stay as it was made.")
    engine = stem_engine.make()
    with tempfile.TemporaryDirectory() as top:
        demo = demo_parts.write_demo(
            Path(top), shots=1, good=1, defective=1, kinds=("washer", "cloth"), size=64
        )
        with projects.create(target, "First revision") as project:
            ids = {product: add_class(project, product) for product in ("washer", "cloth")}
            for product, class_id in ids.items():
                add_shots(project, class_id, sorted((demo / product / "train" / "good").iterdir()))
            nothing = CancelToken()
            teach(
                project,
                engine,
                method="patchcore",
                class_ids=[ids["washer"]],
                settings={"taps": ["stem16"]},
                emit=_ignore,
                cancel=nothing,
            )
            add_class(project, "screw")
            broken = Path(top) / "washer" / "test" / "broken.png"
            broken.write_bytes(b"")
            inspect(
                project, engine, [demo / "washer" / "test"], class_name="washer", emit=_ignore, cancel=nothing
            )
            scored = result_ids(project, ResultFilter(failed=False))
            row = list_results(project, scored)[0]
            (review,) = add_review(
                project, [row.id], Decision.NG, who="Ada", reason="burr", defect_type="burr"
            )
            withdraw_review(project, [review], who="Ada")
            add_review(project, [row.id], Decision.OK, who="Bo", reason="dust only")
            rows = list_results(project, result_ids(project))
            expected = {
                "name": project.name,
                "classes": {item.name: item.state for item in list_classes(project)},
                "verdicts": {item.name: item.verdict for item in rows},
                "reviewers": [item.who for one in rows for item in list_reviews(project, one.id)],
            }
        _shrink(target)
        (target / "expected.json").write_text(json.dumps(expected, indent=1), "utf-8")


def _ignore(event: JobEvent) -> None:
    if getattr(event, "error", ""):
        print(event)


def _shrink(target: Path) -> None:
    """Small pages, as the repository keeps this for good."""
    (target / "project.lock").unlink(missing_ok=True)
    with closing(sqlite3.connect(target / projects.DATABASE)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA page_size=1024")
        connection.execute("VACUUM")


if __name__ == "__main__":
    main()
