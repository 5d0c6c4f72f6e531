"""What a line is qualified with: an audit of what was done, a golden set with its checks, studies of who judges how; and the
verdict “not this product”."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UNCHANGEABLE = {
    "acts": "the audit is only added to",
    "golden_checks": "a check of the golden set is never changed",
    "outlines": "an outline is never changed",
    "study_words": "a word in a study is never changed",
}
_SEVERITY = (
    "CASE coalesce(override, decision) WHEN 'ok' THEN 0 WHEN 'review' THEN 1 WHEN 'ng' THEN 2 WHEN 'other' THEN 4 ELSE 3 END"
)


def upgrade() -> None:
    op.create_table("acts", _number(), _moment("created"), *_texts("who", "kind", "subject", "old", "new", "reason", "chain"))
    op.create_table(
        "golden_parts",
        _number(),
        _reference("class_id", "classes"),
        _reference("image_id", "images"),
        *_texts("name", "expected", "who"),
        _moment("created"),
        _moment("removed", nullable=True),
    )
    op.create_index(
        "uq_golden_parts_class_image",
        "golden_parts",
        ["class_id", "image_id"],
        unique=True,
        sqlite_where=sa.text("removed IS NULL"),
    )
    op.create_table(
        "golden_scores",
        _reference("detector_id", "detectors", primary_key=True),
        _reference("part_id", "golden_parts", primary_key=True),
        sa.Column("image_score", sa.Double(), nullable=True),
        *_texts("error"),
    )
    op.create_table("golden_checks", _number(), _moment("created"), *_texts("who", "occasion", "outcome", "signed"))
    op.create_table(
        "outlines",
        _number(),
        _reference("result_id", "results"),
        sa.Column("outline", sa.String(), nullable=True),
        *_texts("who"),
        _moment("created"),
    )
    op.create_index("ix_outlines_result", "outlines", ["result_id", "id"])
    op.create_table(
        "studies",
        _number(),
        *_texts("title", "plan", "who"),
        _moment("created"),
        _moment("closed", nullable=True),
        _moment("removed", nullable=True),
    )
    op.create_table(
        "study_parts",
        _reference("study_id", "studies", primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True),
        _reference("image_id", "images"),
        _reference("class_id", "classes", nullable=True),
        *_texts("name", "expected"),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("image_score", sa.Double(), nullable=True),
    )
    op.create_table(
        "study_words",
        _number(),
        _reference("study_id", "studies"),
        sa.Column("position", sa.Integer(), nullable=False),
        *_texts("appraiser"),
        sa.Column("trial", sa.Integer(), nullable=False),
        *_texts("decision"),
        _moment("created"),
    )
    op.create_index("ix_study_words_study", "study_words", ["study_id", "appraiser", "trial", "position"])
    for table, sentence in _UNCHANGEABLE.items():
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
            )
    op.add_column("results", sa.Column("product_distance", sa.Double(), nullable=True))
    op.add_column("detectors", sa.Column("products", sa.String(), nullable=True))
    op.drop_index("ix_results_run_severity", "results")
    op.drop_index("ix_results_severity", "results")
    op.execute("ALTER TABLE results DROP COLUMN severity")
    op.execute(f"ALTER TABLE results ADD COLUMN severity INTEGER GENERATED ALWAYS AS ({_SEVERITY}) VIRTUAL")
    op.create_index("ix_results_run_severity", "results", ["run_id", "severity"])
    op.create_index("ix_results_severity", "results", ["severity"])


def _number() -> sa.Column[int]:
    return sa.Column("id", sa.Integer(), primary_key=True)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]


def _moment(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _reference(name: str, table: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[int]:
    key = sa.ForeignKey(f"{table}.id", ondelete="RESTRICT")
    return sa.Column(name, sa.Integer(), key, primary_key=primary_key, nullable=nullable)
