"""How far golden parts lie from the shots, beside what they score. Those of which only was kept that they were taken for another product,
as a sentence in place of a score, are to be scored anew."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("golden_scores", sa.Column("product_distance", sa.Double(), nullable=True))
    op.execute("DELETE FROM golden_scores WHERE image_score IS NULL AND error LIKE 'Not this product: %'")
