"""Sessions that ended: what a browser still holds of one opens nothing any more."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ended_session",
        sa.Column("session_id", sa.String(64), primary_key=True),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("ended_at", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
