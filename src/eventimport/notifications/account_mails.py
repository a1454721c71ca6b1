"""The mails about an account: their words, by kind. None has a text of the sender's choice."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from eventimport.notifications.messages import MAX_NAME, TEMPLATES, Words, one_line

CONFIRM_PAGE: Final = "/account/confirm#"
RESET_PAGE: Final = "/account/reset#"
LINKED: Final[Mapping[str, str]] = {
    "confirm-address": CONFIRM_PAGE,
    "confirm-new-address": CONFIRM_PAGE,
    "reset-password": RESET_PAGE,
    "invitation": "/#invitation=",
}
"""The kinds of mails that have a link, and the page that it opens. The link's token comes after
the `#`, so that no log and no other site sees it."""


@dataclass(frozen=True, slots=True)
class MailLink:
    """A link that works once."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Letter:
    """The subject, which is also the heading, and the paragraphs before and after the link."""

    subject: str
    before: tuple[str, ...]
    button: str = ""
    after: tuple[str, ...] = ()


_NOT_YOU: Final = "If this was not you, reset your password, and sign out everywhere."

_LETTERS: Final[Mapping[str, _Letter]] = {
    "confirm-address": _Letter(
        "Confirm your e-mail address",
        (
            "An account with this address exists at {service}.",
            "Confirm the address to get mails about your imports, and to be able to reset your"
            " password.",
        ),
        "Confirm the address",
        ("If you did not create the account, ignore this mail.",),
    ),
    "confirm-new-address": _Letter(
        "Confirm your new e-mail address",
        (
            "A user of {service} wants to use this address for their account.",
            "The account keeps its old address until you confirm the new one.",
        ),
        "Confirm the address",
        ("If this was not you, ignore this mail.",),
    ),
    "invitation": _Letter(
        "Invitation to work on an event",
        (
            "{inviter} invites you to work on an event at {service} (role: {role}).",
            "To accept, open the link, and sign in or create an account.",
        ),
        "Accept the invitation",
        ("If you do not know the sender, ignore this mail.",),
    ),
    "address-change": _Letter(
        "Your e-mail address is about to change",
        (
            "Your account at {service} gets the address {new_address} as soon as that address is"
            " confirmed.",
            _NOT_YOU,
        ),
    ),
    "reset-password": _Letter(
        "Reset your password",
        ("A new password was requested for your account at {service}.",),
        "Choose a new password",
        ("If this was not you, ignore this mail. Your password stays the same.",),
    ),
    "password-changed": _Letter(
        "Your password was changed",
        ("The password of your account at {service} was changed.", _NOT_YOU),
    ),
}


def words_about_account(
    kind: str, service_url: str, detail: Mapping[str, Any], link: MailLink | None = None
) -> Words:
    """The mail of this kind. `detail` has what its words name, such as `new_address`."""
    letter = _LETTERS[kind]
    named = {name: one_line(str(value), MAX_NAME) for name, value in detail.items()}
    given = {
        "headline": letter.subject,
        "before": [text.format(service=service_url, **named) for text in letter.before],
        "after": letter.after,
        "button": letter.button,
        "url": link.url if link else None,
        "expires": f"{link.expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if link else None,
        "service_url": service_url,
    }
    return Words(
        subject=letter.subject,
        text=TEMPLATES.get_template("account.txt").render(given),
        html=TEMPLATES.get_template("account.html").render(given),
    )
