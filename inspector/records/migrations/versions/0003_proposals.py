"""Detectors that are only proposed, what each was updated from, and shots that people called good."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shots", sa.Column("confirmed_good", sa.DateTime(), nullable=True))
    op.add_column("detectors", sa.Column("charge", sa.Integer(), nullable=True))
    op.add_column("detectors", sa.Column("proposal", sa.JSON(), nullable=True))
    op.add_column("detectors", sa.Column("updated_from", sa.Integer(), nullable=True))
    op.execute("UPDATE detectors SET charge = id")
