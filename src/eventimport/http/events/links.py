"""The links of the OpenAPI document: what can be done next with a resource that was just made."""

from typing import Any, Final

from eventimport.conference.kinds import Kind
from eventimport.database.event_graph import Edge
from eventimport.http.events.linkage import is_changeable
from eventimport.http.events.schema import EVENT, TYPES, ResourceType, kebab

_ID: Final = "$response.body#/data/id"
_EVENT_ID: Final = "$response.body#/data/relationships/event/data/id"


def created_links(resource: ResourceType) -> dict[str, Any]:
    """The links of the response that has a new resource, by their names."""
    words = resource.words
    links = {
        f"get_{words}": _link("Read it."),
        f"update_{words}": _link("Change it.", body={"data": {"id": _ID}}),
        f"delete_{words}": _link("Delete it."),
    }
    for edge in resource.edges.values():
        if resource is EVENT:
            part = TYPES[edge.target]
            what = f"Add a {part.type} to it." if edge.many else f"Add its {part.type}."
            links[creation_name(edge)] = _link(what)
            event = {"data": {"type": resource.type, "id": _ID}}
            body: Any = {"data": {"relationships": {"event": event}}}
            links[f"create_{part.words}"] = {"description": what, "requestBody": body}
        elif is_changeable(edge):
            links[f"replace_{resource.words_of(edge)}"] = _link(f"Replace its {kebab(edge.name)}.")
    if resource is EVENT:
        links["publish_event"] = _link("Publish it.")
        links["restore_event"] = _link("Restore it after it was deleted.")
    for name, edge in TYPES[Kind.SESSION].edges.items():
        if edge.target is resource.kind and is_changeable(edge):
            this: Any = {"type": resource.type, "id": _ID}
            body = {"data": {"relationships": {name: {"data": [this] if edge.many else this}}}}
            links["create_event_session"] = _link("Make a session of it.", of=_EVENT_ID, body=body)
    return {name: {"operationId": name, **link} for name, link in links.items()}


def creation_name(edge: Edge) -> str:
    """The name of the operation that makes a part of the event in the path."""
    return (
        f"create_event_{TYPES[edge.target].words}"
        if edge.many
        else f"create_{EVENT.words_of(edge)}"
    )


def _link(description: str, *, of: str = _ID, body: Any = None) -> dict[str, Any]:
    link = {"description": description, "parameters": {"resource_id": of}}
    return link if body is None else {**link, "requestBody": body}
