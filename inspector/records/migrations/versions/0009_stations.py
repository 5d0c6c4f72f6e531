"""At the line: stations with what came to them and what was told of it, roles with a PIN, images that were let go; and tests of
how small a defect is found."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stations",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        _reference("class_id", "classes", nullable=True),
        _reference("detector_id", "detectors", nullable=True),
        sa.Column("settings", sa.String(), nullable=False),
        sa.Column("created", sa.String(), nullable=False),
        sa.Column("removed", sa.String(), nullable=True),
    )
    op.create_index("uq_stations_key", "stations", ["key"], unique=True, sqlite_where=sa.text("removed IS NULL"))
    op.create_table(
        "arrivals",
        sa.Column("id", sa.Integer(), primary_key=True),
        _reference("station_id", "stations"),
        _reference("result_id", "results"),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("lot", sa.String(), nullable=False),
        sa.Column("said", sa.String(), nullable=True),
        sa.Column("arrived", sa.String(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=name != "took") for name in ("took", *_LOOKS)),
    )
    op.create_index("uq_arrivals_mark", "arrivals", ["station_id", "mark"], unique=True)
    op.create_index("ix_arrivals_station", "arrivals", ["station_id", "id"])
    op.create_index("ix_arrivals_moment", "arrivals", ["station_id", "arrived", "said", "result_id"])
    op.create_index("ix_arrivals_lot", "arrivals", ["station_id", "lot", "arrived", "said", "result_id"])
    op.create_index("ix_arrivals_result", "arrivals", ["result_id"])
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER arrivals_no_{action.lower()} BEFORE {action} ON arrivals "
            "BEGIN SELECT RAISE(ABORT, 'what came to a station is never changed'); END"
        )
    op.create_table(
        "smallest_tests",
        sa.Column("id", sa.Integer(), primary_key=True),
        _reference("detector_id", "detectors"),
        _reference("class_id", "classes"),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("who", "outcome", "created")),
    )
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER smallest_tests_no_{action.lower()} BEFORE {action} ON smallest_tests "
            "BEGIN SELECT RAISE(ABORT, 'a test is never changed'); END"
        )
    op.create_table(
        "passed_over",
        _reference("station_id", "stations", primary_key=True),
        sa.Column("source", sa.String(), primary_key=True),
        sa.Column("mark", sa.String(), primary_key=True),
    )
    op.create_table(
        "deliveries",
        _reference("station_id", "stations", primary_key=True),
        sa.Column("output", sa.String(), primary_key=True),
        sa.Column("arrival_id", sa.Integer(), nullable=False),
    )
    op.create_table(
        "roles",
        sa.Column("role", sa.String(), primary_key=True),
        sa.Column("pin", sa.String(), nullable=False),
        sa.Column("created", sa.String(), nullable=False),
    )
    op.add_column("classes", sa.Column("scale", sa.Double(), nullable=True))
    op.add_column("images", sa.Column("let_go", sa.String(), nullable=True))
    for table in ("runs", "golden_checks"):
        op.add_column(table, sa.Column("station_id", sa.Integer(), nullable=True))
    op.create_index("ix_runs_station", "runs", ["station_id", "id"])


_LOOKS = ("brightness", "sharpness", "red_green", "blue_yellow")


def _reference(name: str, table: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[int]:
    key = sa.ForeignKey(f"{table}.id", ondelete="RESTRICT")
    return sa.Column(name, sa.Integer(), key, primary_key=primary_key, nullable=nullable)
