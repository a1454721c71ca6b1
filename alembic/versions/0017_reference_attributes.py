"""What the reference server's models have gets columns, and events a version that visitors see.

Values move from `extra`, under each spelling of the key. What no column can hold stays there.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

FLAGS_OF_EVENTS = (
    *("online", "is_map_shown", "has_owner_info", "is_sponsors_enabled", "is_cfs_enabled"),
    *("is_ticketing_enabled", "is_ticket_form_enabled", "is_oneclick_signup_enabled"),
    *("show_remaining_tickets", "is_featured", "is_promoted", "is_demoted", "is_announced"),
    *("is_chat_enabled", "is_videoroom_enabled", "is_document_enabled", "is_donation_enabled"),
    *("is_tax_enabled", "is_billing_info_mandatory", "is_badges_enabled", "is_stripe_linked"),
    *("stream_autoplay", "stream_loop", "can_pay_by_alipay", "can_pay_by_bank"),
    *("can_pay_by_cheque", "can_pay_by_invoice", "can_pay_by_omise", "can_pay_by_paypal"),
    *("can_pay_by_paytm", "can_pay_by_stripe", "can_pay_onsite"),
)
LINKS_OF_SESSIONS = (
    *("website", "twitter", "facebook", "github", "gitlab", "linkedin", "instagram", "mastodon"),
)

COLUMNS: dict[str, dict[str, str]] = {
    "events": {
        **dict.fromkeys(FLAGS_OF_EVENTS, "flag"),
        **dict.fromkeys(("public_stream_link", "placeholder_url"), "link"),
        **dict.fromkeys(("payment_country", "payment_currency", "refund_policy"), "plain"),
    },
    "speakers_calls": {"soft_ends_at": "moment"},
    "social_links": {"identifier": "plain"},
    "custom_forms": dict.fromkeys(("is_public", "is_complex", "is_allow_edit"), "flag"),
    "microlocations": dict.fromkeys(("is_chat_enabled", "is_global_event_room"), "flag"),
    "speakers": {"is_email_overridden": "flag", "order": "whole"},
    "sessions": {
        **dict.fromkeys(LINKS_OF_SESSIONS, "link"),
        **dict.fromkeys(("is_mail_sent", "is_locked"), "flag"),
        **dict.fromkeys(("rating_count", "favourite_count"), "whole"),
        **dict.fromkeys(("created_at", "last_modified_at"), "moment"),
        "average_rating": "number",
    },
}
"""The new columns, each with the sort of its values."""

TYPES: dict[str, sa.types.TypeEngine[object]] = {
    "flag": sa.Boolean(),
    "link": sa.Text(),
    "plain": sa.Text(),
    "whole": sa.Integer(),
    "number": sa.Double(),
    "moment": sa.DateTime(timezone=True),
}

WHEN = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)$"
READ = {
    "flag": (
        "CASE WHEN lower(btrim(said)) IN ('true', 't', 'yes', 'y', 'on', '1') THEN true"
        " WHEN lower(btrim(said)) IN ('false', 'f', 'no', 'n', 'off', '0') THEN false END"
    ),
    "link": r"CASE WHEN said ~* '^https?://[^\s<>\"]+$' THEN said END",
    # Markup was not cleaned.
    "plain": "CASE WHEN said !~ '[<&]' THEN said END",
    "whole": r"CASE WHEN said ~ '^-?\d{1,9}$' THEN said::integer END",
    "number": r"CASE WHEN said ~ '^-?\d{1,9}(\.\d{1,20})?$' THEN said::double precision END",
    "moment": f"CASE WHEN said ~ '{WHEN}' THEN said::timestamptz END",
}
"""How a value's text is read, by its sort; null if a column cannot hold it."""


def upgrade() -> None:
    version = sa.Column("schedule_version", sa.BigInteger(), server_default="1", nullable=False)
    op.add_column("events", version)
    for sort, expression in READ.items():
        kind = TYPES[sort].compile(dialect=sa.dialects.postgresql.dialect())
        function = (
            f"CREATE FUNCTION pg_temp.read_{sort}(said text) RETURNS {kind} LANGUAGE plpgsql AS"
            f" $body$ BEGIN RETURN {expression}; EXCEPTION WHEN data_exception THEN RETURN NULL;"
            " END $body$"
        )
        op.execute(sa.text(function.replace(":", r"\:")))
    for table, columns in COLUMNS.items():
        for name, sort in columns.items():
            op.add_column(table, sa.Column(name, TYPES[sort]))
            _move(table, name, sort)
    for sort in READ:
        op.execute(f"DROP FUNCTION pg_temp.read_{sort}(text)")


def _move(table: str, name: str, sort: str) -> None:
    keys = _spellings(name)
    said = ", ".join(f"extra ->> '{key}'" for key in keys)
    listed = "ARRAY[" + ", ".join(f"'{key}'" for key in keys) + "]"
    op.execute(
        f'UPDATE {table} SET "{name}" = pg_temp.read_{sort}(coalesce({said})),'  # noqa: S608
        f" extra = extra - {listed}"
        f" WHERE extra ?| {listed} AND pg_temp.read_{sort}(coalesce({said})) IS NOT NULL"
    )


def _spellings(name: str) -> list[str]:
    first, *others = name.split("_")
    found = [name, name.replace("_", "-"), first + "".join(each.title() for each in others)]
    return list(dict.fromkeys(found))


def downgrade() -> None:
    for table, columns in COLUMNS.items():
        for name in columns:
            op.execute(
                f"UPDATE {table} SET extra = extra ||"  # noqa: S608
                f' jsonb_build_object(\'{name}\', "{name}") WHERE "{name}" IS NOT NULL'
            )
            op.drop_column(table, name)
    op.drop_column("events", "schedule_version")
