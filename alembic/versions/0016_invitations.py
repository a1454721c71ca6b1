"""Invitations to work on an event.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "event_invitations",
        sa.Column("id", sa.Uuid(), server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_invitations"),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
            name="fk_event_invitations_event_id_events",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_event_invitations_event_id", "event_invitations", ["event_id"])
    op.create_index("ix_event_invitations_expires_at", "event_invitations", ["expires_at"])


def downgrade() -> None:
    op.drop_table("event_invitations")
    # Earlier versions know no other role.
    op.execute("DELETE FROM event_roles WHERE role <> 'owner'")
    op.execute("DELETE FROM outgoing_mails WHERE kind = 'invitation'")
