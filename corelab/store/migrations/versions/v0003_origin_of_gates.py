"""Gate revisions say from which delivered file they came."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("gate_revision", sa.Column("origin", sa.String(64), nullable=False, server_default=""))
