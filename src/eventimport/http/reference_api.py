"""What existing clients of the reference server send, and we don't have: ignored, and reported.

The names are those of the reference's documented API. What is in none of these lists is rejected,
so that a misspelled name never goes unnoticed.
"""

from typing import Any, Final

from eventimport.conference.report import shortened

MAX_DETAIL: Final = 1_000

IGNORED_PARAMETERS: Final = frozenset(
    {"_", "cache", "get_trashed", "nocache", "platform", "public", "sort_by", "tz", "upcoming"}
)
"""Query parameters without a meaning here. `/v1` ignores them everywhere."""

RELATIONSHIPS: Final = frozenset(
    {
        *("access-codes", "admin-events", "alternate-emails", "answers", "attendee-events"),
        *("attendees", "badge-fields", "badge-forms", "coorganizer-events", "coorganizers"),
        *("copyright", "creator", "custom-placeholders", "discount-code", "discount-codes"),
        *("email-notifications", "event-invoices", "event-location", "event-orga"),
        *("event-sub-topic", "event-topic", "event-type", "events", "exhibitors", "faq-types"),
        *("faqs", "favourite", "favourite-events", "favourite-sessions", "favourites"),
        *("feedbacks", "followers", "general-statistics", "group", "groups", "invoice"),
        *("invoices", "location", "marketer", "marketer-events", "moderator-events"),
        *("moderators", "notifications", "order-statistics", "owner", "orders", "organizer-events"),
        *("organizers", "owner-events", "registrar-events", "registrars", "role", "role-invites"),
        *("roles", "sales-admin-events", "sessions-speakers", "speaker-invites", "station"),
        *("stations", "stream", "stripe-authorization", "sub-topic", "tax", "ticket"),
        *("ticket-tags", "tickets", "topic", "track-organizer-events", "track-organizers"),
        *("type", "user", "user-favourite-events", "user-favourite-sessions", "users"),
        *("users-events-roles", "video-stream", "video-streams"),
    }
)
"""Relationships that `include` may name. They are left out of the response."""

TYPES: Final = frozenset(
    {
        *("access-code", "attendee", "badge-form", "discount-code", "event-invoice"),
        *("event-location", "event-sub-topic", "event-topic", "event-type", "exhibitor", "faq"),
        *("faq-type", "feedback", "group", "order", "role", "role-invite", "speaker-invite"),
        *("stripe-authorization", "tax", "ticket", "ticket-tag", "user", "video-stream"),
        *("user-favourite-event", "user-favourite-session", "users-events-role"),
    }
)
"""Resource types that `fields[…]` may name."""

ATTRIBUTES: Final = frozenset(
    {
        *("after-order-message", "amount", "attendee-count", "average-rating", "avatar-url"),
        *("background-image-url", "bank-details", "can-pay-by-alipay", "can-pay-by-bank"),
        *("can-pay-by-cheque", "can-pay-by-invoice", "can-pay-by-omise", "can-pay-by-paypal"),
        *("can-pay-by-paytm", "can-pay-by-stripe", "can-pay-onsite", "chat-room-name"),
        *("cheque-details", "complex-field-values", "created-at", "discount-code-id"),
        *("document-links", "event-identifier", "favourite-count", "has-sessions"),
        *("has-speakers", "ical-url", "invoice-details", "is-allow-edit", "is-announced"),
        *("is-badges-enabled", "is-billing-info-mandatory", "is-cfs-enabled", "is-chat-enabled"),
        *("is-complex", "is-demoted", "is-document-enabled", "is-donation-enabled"),
        *("is-email-overridden", "is-featured", "is-global-event-room", "is-locked"),
        *("is-mail-sent", "is-oneclick-signup-enabled", "is-promoted", "is-stripe-linked"),
        *("is-tax-enabled", "is-ticket-form-enabled", "is-ticketing-enabled"),
        *("is-videoroom-enabled", "last-modified-at", "modified-at", "onsite-details"),
        *("order-statistics", "payment-country", "payment-currency", "paypal-email"),
        *("pentabarf-url", "rating-count", "revenue", "send-email", "show-remaining-tickets"),
        *("slug", "stripe-linked", "tax-allow", "tickets-available", "tickets-sold"),
        *("user-id", "video-room-name", "xcal-url"),
    }
)
"""Attributes that a write may have: payment, counters and switches of the reference server."""


LISTS: Final = (
    *("event-locations", "event-sub-topics", "event-topics", "event-types", "groups", "pages"),
    *("user-favourite-events", "user-favourite-sessions"),
)
"""Lists that existing clients read, and that are always empty here."""

EVENT_LISTS: Final = (
    *("access-codes", "attendees", "badge-forms", "discount-codes", "event-invoices"),
    *("exhibitors", "faq-types", "faqs", "feedbacks", "orders", "speaker-invites", "tags"),
    *("ticket-tags", "tickets", "user-favourite-sessions"),
)
"""The same, of an event."""

EVENT_SINGLES: Final = (
    *("event-sub-topic", "event-topic", "event-type", "general-statistics", "group"),
    *("order-statistics", "stripe-authorization", "tax", "video-stream"),
)
"""What an event of the reference server has one of. It is always null here."""

USER_LISTS: Final = (
    *("access-codes", "attendees", "discount-codes", "email-notifications", "event-invoices"),
    *("feedbacks", "followed-groups", "groups", "orders", "user-favourite-events"),
    *("user-favourite-sessions",),
)
"""Lists of a user that are always empty here."""


def ignores_parameter(name: str) -> bool:
    """Whether a query parameter is ignored, instead of rejected."""
    if name in IGNORED_PARAMETERS:
        return True
    return name.startswith("fields[") and name.endswith("]") and name[7:-1] in TYPES


def warning(code: str, detail: str, source: dict[str, str]) -> dict[str, Any]:
    """An entry of `meta.warnings`: what of the request was ignored, and where it stood."""
    return {"code": code, "detail": shortened(detail, MAX_DETAIL), "source": source}
