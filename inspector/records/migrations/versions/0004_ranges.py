"""The range in which files of more than 8 bits are read: chosen for a class, and kept with every detector."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("classes", sa.Column("white", sa.Integer(), nullable=True))
    op.add_column("detectors", sa.Column("whites", sa.JSON(), nullable=True))
