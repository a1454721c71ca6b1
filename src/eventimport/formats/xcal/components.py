"""Elements of xCal → the components of a calendar, which are read as those of iCalendar.

By RFC 6321, a property holds elements that say of what type its values are. In Pentabarf's dialect
it is a text, elements of its own namespace say more, and times are local to a zone that is nowhere.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from eventimport.conference.report import Place
from eventimport.conference.times import read_time
from eventimport.formats.bounded_xml.reader import (
    Element,
    Step,
    XmlStep,
    bare_name,
    local_name,
    markup_of,
    text_of,
)
from eventimport.formats.ical.components import CALENDAR, Component, Property
from eventimport.formats.limits import ArchiveError

PENTABARF: Final = "PENTABARF:"
"""What names of properties in Pentabarf's namespace begin with."""

CONTAINERS: Final = frozenset({"iCalendar", "icalendar", "vcalendar", "components"})
"""Elements that hold components."""

_COMPONENTS: Final = frozenset(
    ["vevent", "vtodo", "vjournal", "vfreebusy", "vtimezone", "valarm", "standard", "daylight"]
)
_OF_PENTABARF: Final = ("{http://pentabarf.org}", "pentabarf:")
_PARTS: Final = {"geo": ("latitude", "longitude"), "request-status": ("code", "description")}
"""Properties whose elements are parts of one value."""

_COMPACT: Final = frozenset({"date", "date-time", "utc-offset", "until"})
"""Types of values that iCalendar writes without `-` and `:`."""


def components_of(steps: Iterable[XmlStep], *, entry: str) -> Iterator[Component]:
    """The components of all calendars of a document, and then one calendar with what they say.

    Raises ArchiveError if the document is not xCal."""
    calendar = Component(CALENDAR)
    is_calendar = False
    for step in steps:
        is_calendar = is_calendar or step.name.casefold() == "icalendar"
        if step.step is Step.CLOSE and step.text.strip():
            calendar.broken.append(step.text.strip())
        elif step.step is Step.RECORD and step.name in _COMPONENTS:
            yield _component(step.element)
        elif step.step is Step.RECORD:
            calendar.properties += _properties(step.element)
    if not is_calendar:
        message = "The document is not xCal: its first element is not “iCalendar”."
        raise ArchiveError("not-a-calendar", message, Place(entry))
    yield calendar


def _component(element: Element) -> Component:
    component = Component(local_name(element).upper(), element.sourceline)
    for child in element:
        name = local_name(child)
        if name == "components":
            component.children += map(_component, child)
        elif name in _COMPONENTS:
            component.children.append(_component(child))
        else:
            component.properties += _properties(child)
    if text := (element.text or "").strip():
        component.broken.append(text)
    _use_offsets(component)
    return component


def _properties(element: Element) -> Iterator[Property]:
    """The properties that an element stands for: several if it has several values."""
    name = local_name(element)
    if name == "properties":
        for child in element:
            yield from _properties(child)
        return
    params = {bare_name(key).upper(): value for key, value in element.attrib.items()}
    if element.tag.startswith(_OF_PENTABARF):
        yield _text(f"{PENTABARF}{name.upper()}", text_of(element), element, params)
        return
    values = [child for child in element if local_name(child) != "parameters"]
    for child in element:
        if local_name(child) == "parameters":
            params |= {local_name(each).upper(): text_of(each).strip() for each in child}
    if not values or name == "description":
        text = (element.text or "") if len(element) > len(values) else markup_of(element)
        if values and local_name(values[0]) == "text":
            text = "".join(map(text_of, values))
        if name == "attendee" and "CN" not in params and "@" not in text:
            # A name, which iCalendar has as a parameter.
            params["CN"], text = text, ""
        yield _text(name.upper(), text, element, params)
    elif name in _PARTS:
        texts = {local_name(child): text_of(child).strip() for child in values}
        parts = [texts.pop(part, "") for part in _PARTS[name]]
        yield _text(name.upper(), ";".join([*parts, *texts.values()]), element, params)
    else:
        for child in values:
            yield _text(name.upper(), _value(child), element, params)


def _text(name: str, text: str, element: Element, params: dict[str, str]) -> Property:
    return Property(name, text, element.sourceline, params, is_escaped=False)


def _value(element: Element) -> str:
    """A value as iCalendar writes it."""
    kind = local_name(element)
    if kind == "recur":
        parts: dict[str, list[str]] = {}
        for child in element:
            text = text_of(child).strip()
            if local_name(child) == "until":
                text = _compact(text)
            parts.setdefault(local_name(child).upper(), []).append(text)
        return ";".join(f"{name}={','.join(values)}" for name, values in parts.items())
    if kind == "period":
        return "/".join(_compact(text_of(child).strip()) for child in element)
    text = text_of(element)
    return _compact(text.strip()) if kind in _COMPACT else text


def _compact(text: str) -> str:
    sign = text[:1] if text[:1] in {"-", "+"} else ""
    return sign + text.removeprefix(sign).replace("-", "").replace(":", "")


def _use_offsets(component: Component) -> None:
    """Use the offsets from UTC that FOSDEM writes beside local times, if both are the same time."""
    for name, beside in (("DTSTART", "START"), ("DTEND", "END")):
        local, other = component.first(name), component.first(f"{PENTABARF}{beside}")
        if local is None or other is None:
            continue
        time, exact = read_time(local.value).time, read_time(other.value).time
        if time is not None and exact is not None and exact.replace(tzinfo=None) == time:
            local.value = exact.isoformat()
            component.properties.remove(other)
