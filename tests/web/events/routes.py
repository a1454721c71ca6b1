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
CHANGED = {("DELETE", "/v1/events/{resource_id}")}
for _path, _names in RELATIONSHIPS.items():
    _one = f"/v1/{_path}/{{resource_id}}"
    READ |= {_one} | {f"{_one}/{name}" for name in _names}
    READ |= {f"{_one}/relationships/{name}" for name in _names}
    CHANGED.add(("PATCH", _one))
for _name in ("track", "microlocation", "session-type", "speakers"):
    CHANGED.add(("PATCH", f"/v1/sessions/{{resource_id}}/relationships/{_name}"))
for _verb in ("publish", "unpublish"):
    CHANGED.add(("POST", f"/v1/events/{{resource_id}}/{_verb}"))
for _method in ("POST", "DELETE"):
    CHANGED.add((_method, "/v1/sessions/{resource_id}/relationships/speakers"))

ROUTES = {("GET", path) for path in READ} | CHANGED
