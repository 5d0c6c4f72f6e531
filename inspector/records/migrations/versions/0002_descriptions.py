"""Descriptions of classes, and which shots a detector's memory got after it was taught."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("classes", sa.Column("description", sa.JSON(), nullable=True))
    op.add_column("detectors", sa.Column("added_shots", sa.JSON(), nullable=True))
