"""The smallest defect to find, chosen for a class."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("classes", sa.Column("smallest", sa.Integer(), nullable=True))
