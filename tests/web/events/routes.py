"""All routes of the events API, written down without the help of its schema."""

LISTS = (
    "social-links",
    "custom-forms",
    "microlocations",
    "sponsors",
    "speakers",
    "tracks",
    "session-types",
    "sessions",
)
"""The kinds that an event has any number of: the name of the relationship, and of the path."""

SINGLE = {"event-copyright": "event-copyright", "speakers-call": "speakers-calls"}
"""The kinds that an event has one of: the relationship's name, and the path of single ones."""

RELATIONSHIPS = {
    "events": (*LISTS, *SINGLE),
    **dict.fromkeys((*LISTS, *SINGLE.values()), ("event",)),
    "sessions": ("event", "track", "microlocation", "session-type", "speakers"),
    "speakers": ("event", "sessions"),
    "tracks": ("event", "sessions"),
    "microlocations": ("event", "sessions"),
    "session-types": ("event", "sessions"),
}
"""The relationships of each path's resources."""

READ = {"/v1/events"}
CHANGED = set()
CREATED = {("POST", "/v1/events")}
"""Anyone who is signed in can make an event."""

for _path, _names in RELATIONSHIPS.items():
    _one = f"/v1/{_path}/{{resource_id}}"
    READ |= {_one} | {f"{_one}/{name}" for name in _names}
    READ |= {f"{_one}/relationships/{name}" for name in _names}
    CHANGED |= {("PATCH", _one), ("DELETE", _one)}
    for _name in _names:
        _link = f"{_one}/relationships/{_name}"
        CHANGED.add(("PATCH", _link))
        if _name in LISTS:
            CHANGED |= {("POST", _link), ("DELETE", _link)}
    if _path != "events":
        CHANGED.add(("POST", f"/v1/{_path}"))
CHANGED |= {("POST", f"/v1/events/{{resource_id}}/{_name}") for _name in RELATIONSHIPS["events"]}
for _verb in ("publish", "unpublish"):
    CHANGED.add(("POST", f"/v1/events/{{resource_id}}/{_verb}"))

OTHER = {
    ("GET", "/v1/events/{resource_id}/owner"),
    ("GET", "/v1/events/{resource_id}/relationships/owner"),
    *(("GET", f"/v1/events/{{resource_id}}/sessions/{name}") for name in ("dates", "languages")),
    ("GET", "/v1/events/{resource_id}/sessions/states"),
    ("POST", "/v1/event-copyrights"),
    ("GET", "/v1/events/upcoming"),
    ("GET", "/v1/sessions/states"),
    *((method, "/v1/event-copyrights/{resource_id}") for method in ("GET", "PATCH", "DELETE")),
}
"""For existing clients; see test_existing_clients.py."""

EMPTY = {
    "/v1": "event-locations event-sub-topics event-topics event-types groups pages"
    " user-favourite-events user-favourite-sessions",
    "/v1/events/{resource_id}": "access-codes attendees badge-forms discount-codes event-invoices"
    " exhibitors faq-types faqs feedbacks orders speaker-invites tags ticket-tags tickets"
    " user-favourite-sessions event-sub-topic event-topic event-type general-statistics group"
    " order-statistics stripe-authorization tax video-stream",
    "/v1/users/{user_id}": "access-codes attendees discount-codes email-notifications"
    " event-invoices feedbacks followed-groups groups orders user-favourite-events"
    " user-favourite-sessions",
}
"""Lists of what only the reference server has, and what it has one of, by the path before them."""

REDIRECTED = {
    (method, f"/v1/{kind}{rest}")
    for method in ("GET", "POST", "PATCH", "DELETE")
    for rest in ("", "/{rest:path}")
    for kind in (
        *("event", "social-link", "custom-form", "microlocation", "sponsor", "speaker", "track"),
        *("session-type", "session", "speakers-call"),
    )
}
"""To the paths with the plural of the type, for everyone."""

OTHER |= {("GET", f"{path}/{name}") for path, names in EMPTY.items() for name in names.split()}
ROUTES = {("GET", path) for path in READ} | OTHER | CHANGED | CREATED | REDIRECTED
