"""Calendars as programs write them. All of their content is invented."""

PLAIN_CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
X-WR-CALNAME:Lantern Days
X-WR-TIMEZONE:Europe/Berlin
BEGIN:VEVENT
UID:opening
DTSTART;TZID=Europe/Berlin:20270501T100000
DTEND;TZID=Europe/Berlin:20270501T103000
SUMMARY:Opening
DESCRIPTION:How to light a lantern\\, and why.
LOCATION:Hall 1
CATEGORIES:Light
STATUS:CONFIRMED
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


def calendar(*events: str, before: str = "", zone: str | None = "Europe/Berlin") -> str:
    """A calendar with these lines before its events, each of which is some lines."""
    head = "BEGIN:VCALENDAR\nVERSION:2.0\nX-WR-CALNAME:Lantern Days\n"
    if zone is not None:
        head += f"X-WR-TIMEZONE:{zone}\n"
    bodies = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events)
    return f"{head}{before}{bodies}END:VCALENDAR\n"


FRAB = """\
BEGIN:VCALENDAR
PRODID;X-RICAL-TZSOURCE=TZINFO:-//com.denhaven2/NONSGML ri_cal gem//EN
CALSCALE:GREGORIAN
VERSION:2.0
BEGIN:VTIMEZONE
TZID;X-RICAL-TZSOURCE=TZINFO:Europe/Berlin
BEGIN:DAYLIGHT
DTSTART:20270328T020000
RDATE:20270328T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
DTEND;TZID=Europe/Berlin;VALUE=DATE-TIME:20270501T110000
DTSTART;TZID=Europe/Berlin;VALUE=DATE-TIME:20270501T100000
DTSTAMP;VALUE=DATE-TIME:20270404T093702Z
UID:f96a63bd-0b6d-4439-b187-375eb5bb965a@localhost
DESCRIPTION:Light and sha
 dow\\, explained.\\nBring a lamp.
URL:2027/events/70.html
SUMMARY:Light - and shadow
ORGANIZER:lantern27
LOCATION:Tent Light\\, Shadow & Co
END:VEVENT
END:VCALENDAR
"""

PRETALX = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//pretalx//pretalx.example//
BEGIN:VTIMEZONE
TZID:Australia/Adelaide
BEGIN:STANDARD
DTSTART:20080406T030000
RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4
TZNAME:ACST
TZOFFSETFROM:+1030
TZOFFSETTO:+0930
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20081005T020000
RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=10
TZNAME:ACDT
TZOFFSETFROM:+0930
TZOFFSETTO:+1030
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:pretalx-lantern-2027-ABCDEF-0@pretalx.example
DTSTART;TZID=Australia/Adelaide:20270501T100000
DTEND;TZID=Australia/Adelaide:20270501T103000
DESCRIPTION:A *bright* start
DTSTAMP:20270417T234004Z
LOCATION:Hall C
SUMMARY:Opening - Ann Lamp\\, Bea Wick
URL:https://pretalx.example/lantern-2027/talk/ABCDEF/
END:VEVENT
BEGIN:VEVENT
UID:pretalx-lantern-2027-ABCDEF-1@pretalx.example
DTSTART;TZID=Australia/Adelaide:20271101T100000
DTEND;TZID=Australia/Adelaide:20271101T103000
DTSTAMP:20270417T234004Z
SUMMARY:Opening - Ann Lamp\\, Bea Wick
END:VEVENT
END:VCALENDAR
"""

SCHED = """\
BEGIN:VCALENDAR
VERSION:2.0
X-WR-CALNAME:lantern27
METHOD:PUBLISH
PRODID:-//Sched.com Lantern Days//EN
X-WR-TIMEZONE:UTC
BEGIN:VEVENT
DTSTAMP:20270323T183344Z
DTSTART:20270501T080000Z
DTEND:20270501T083000Z
SUMMARY:Badges & Lamps
DESCRIPTION:SOLD OUT.&nbsp\\; SORRY.\\n\\nSee the waitlist.
CATEGORIES:REGISTRATION
LOCATION:Entrance C\\, Amsterdam\\, Netherlands
SEQUENCE:0
UID:bdeb89fcb7b271c2053791f3789faff7
URL:http://lantern27.sched.com/event/bdeb89fcb7b271c2053791f3789faff7
END:VEVENT
BEGIN:VEVENT
DTSTART:20270501T090000Z
DTEND:20270501T093000Z
SUMMARY:Party
CATEGORIES:SOCIAL,FOOD
LOCATION:Hall 2\\, Amsterdam\\, Netherlands
UID:c2
END:VEVENT
END:VCALENDAR
"""

PENTABARF = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Pentabarf//Schedule 0.3//EN
CALSCALE:GREGORIAN
METHOD:PUBLISH
X-WR-CALDESC:Lantern Days
X-WR-CALNAME:Lantern Days 2027
BEGIN:VEVENT
UID:7@lantern27@localhost
TZID:Europe-Brussels
DTSTART:20270501T100000
DTEND:20270501T103000
SUMMARY:Opening, at last; finally
DESCRIPTION: <p>Light, and shadow</p>
CLASS:PUBLIC
STATUS:CONFIRMED
CATEGORIES:Light, Shadow
URL:https:/lantern.example/2027/7/
LOCATION:Janson
ATTENDEE;ROLE=REQ-PARTICIPANT;CUTYPE=INDIVIDUAL;CN="Ann ^'Lamp^' Wick":invalid:nomail
ATTENDEE;ROLE=REQ-PARTICIPANT;CUTYPE=INDIVIDUAL;CN="Wick, Bea":invalid:nomail
END:VEVENT
END:VCALENDAR
"""

MOCA = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//camp/schedule v1.0//IT
VTIMEZONE: Europe/Rome
BEGIN:VEVENT
UID:46939
SEQUENCE: 0
ORGANIZER;CN=The Camp:MAILTO:info@camp.example
DTSTART:20270501T130000Z
DTEND:20270501T140000Z
SUMMARY:Closing
DESCRIPTION:
GEO:42.5816338;14.0901461
LOCATION: XOR
END:VEVENT
BEGIN:VEVENT
UID:46939
SEQUENCE: 0
ORGANIZER;CN=Ann Lamp & Bea:MAILTO:info@camp.example
DTSTART:20270501T110000Z
DTEND:20270501T113000Z
SUMMARY:Light
GEO:42.5816338;14.0901461
LOCATION: MOV
END:VEVENT
END:VCALENDAR
"""

OUTLOOK = """\
BEGIN:VCALENDAR
METHOD:REQUEST
PRODID:Microsoft Exchange Server 2010
VERSION:2.0
BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
ORGANIZER;CN=Ann Lamp:mailto:ann@lamp.example
ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Guest:mailto:guest@lamp.example
DESCRIPTION;LANGUAGE=en-US:Plain
X-ALT-DESC;FMTTYPE=text/html:<p>Rich</p>
UID:040000008200E00074C5B7101A82E008
SUMMARY;LANGUAGE=en-US:Meeting
DTSTART;TZID=W. Europe Standard Time:20270501T100000
DTEND;TZID=W. Europe Standard Time:20270501T103000
X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE
BEGIN:VALARM
DESCRIPTION:REMINDER
TRIGGER;RELATED=START:-PT15M
ACTION:DISPLAY
END:VALARM
END:VEVENT
END:VCALENDAR
"""

GOOGLE = """\
BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
METHOD:PUBLISH
X-WR-CALNAME:Lamp Club
X-WR-TIMEZONE:Europe/Berlin
X-WR-CALDESC:All evenings
BEGIN:VEVENT
DTSTART:20270315T190000Z
DTEND:20270315T210000Z
RRULE:FREQ=WEEKLY;COUNT=4
EXDATE:20270322T190000Z
UID:weekly@google.com
SUMMARY:Evening
END:VEVENT
BEGIN:VEVENT
DTSTART:20270406T170000Z
DTEND:20270406T180000Z
RECURRENCE-ID:20270405T180000Z
UID:weekly@google.com
SUMMARY:Evening\\, moved
STATUS:CANCELLED
END:VEVENT
END:VCALENDAR
"""

CALENDARS = {
    "plain": PLAIN_CALENDAR,
    "frab": FRAB,
    "pretalx": PRETALX,
    "sched": SCHED,
    "pentabarf": PENTABARF,
    "moca": MOCA,
    "outlook": OUTLOOK,
    "google": GOOGLE,
}

PLAIN_XCAL = """\
<?xml version="1.0" encoding="utf-8"?>
<icalendar xmlns="urn:ietf:params:xml:ns:icalendar-2.0">
 <vcalendar>
  <properties>
   <version><text>2.0</text></version>
   <x-wr-calname><unknown>Lantern Days</unknown></x-wr-calname>
   <x-wr-timezone><unknown>Europe/Berlin</unknown></x-wr-timezone>
  </properties>
  <components>
   <vevent>
    <properties>
     <uid><text>opening</text></uid>
     <dtstart>
      <parameters><tzid><text>Europe/Berlin</text></tzid></parameters>
      <date-time>2027-05-01T10:00:00</date-time>
     </dtstart>
     <duration><duration>PT30M</duration></duration>
     <summary><text>Opening, at last; finally</text></summary>
     <location><text>Hall 1</text></location>
     <categories><text>Light</text></categories>
     <attendee>
      <parameters>
       <cn><text>Ann Lamp</text></cn>
       <cutype><text>INDIVIDUAL</text></cutype>
      </parameters>
      <cal-address>invalid:nomail</cal-address>
     </attendee>
    </properties>
   </vevent>
  </components>
 </vcalendar>
</icalendar>
"""

RECURRING_XCAL = PLAIN_XCAL.replace(
    "<duration><duration>",
    """\
<rrule><recur><freq>WEEKLY</freq><count>3</count><byday>SA</byday><byday>SU</byday></recur></rrule>
     <exdate>
      <parameters><tzid><text>Europe/Berlin</text></tzid></parameters>
      <date-time>2027-05-02T10:00:00</date-time>
     </exdate>
     <geo><latitude>52.5</latitude><longitude>13.4</longitude></geo>
     <duration><duration>""",
)

PENTABARF_XCAL = """\
<iCalendar xmlns:pentabarf='http://pentabarf.org' xmlns:xCal='urn:ietf:params:xml:ns:xcal'>
  <vcalendar>
    <version>2.0</version>
    <prodid>-//Pentabarf//Schedule//EN</prodid>
    <x-wr-caldesc>lantern27 Schedule</x-wr-caldesc>
    <x-wr-calname>lantern27 Schedule</x-wr-calname>
    <vevent>
      <method>PUBLISH</method>
      <uid>4@lantern27@pentabarf.org</uid>
      <pentabarf:event-id>4</pentabarf:event-id>
      <pentabarf:event-slug>lantern27-4-light</pentabarf:event-slug>
      <pentabarf:title>Light, and shadow</pentabarf:title>
      <pentabarf:subtitle>for beginners</pentabarf:subtitle>
      <pentabarf:language>German</pentabarf:language>
      <pentabarf:language-code>de</pentabarf:language-code>
      <dtstart>20270501T100000</dtstart>
      <dtend>20270501T113000</dtend>
      <duration>013000</duration>
      <summary>Light, and shadow- for beginners</summary>
      <description>Light &amp; &lt;b&gt;shadow&lt;/b&gt;</description>
      <class>PUBLIC</class>
      <status>CONFIRMED</status>
      <category>Lecture</category>
      <url>2027/events/4.html</url>
      <location>Tent</location>
      <attendee>Ann Lamp, Lamp House</attendee>
      <attendee>Bea Wick</attendee>
    </vevent>
  </vcalendar>
</iCalendar>
"""

FOSDEM_XCAL = """\
<?xml version="1.0" encoding="utf-8"?>
<iCalendar xmlns:pentabarf="http://pentabarf.org" xmlns:xCal="urn:ietf:params:xml:ns:xcal">
  <vcalendar>
    <version>2.0</version>
    <prodid>-//Pentabarf//Schedule//EN</prodid>
    <x-wr-calname>Lantern Days</x-wr-calname>
    <vevent>
      <method>PUBLISH</method>
      <uid>11@LANTERN27@lantern.example</uid>
      <pentabarf:event-id>11</pentabarf:event-id>
      <pentabarf:title>Welcome</pentabarf:title>
      <pentabarf:subtitle/>
      <pentabarf:track>Keynotes</pentabarf:track>
      <pentabarf:start>2027-02-06 10:50:00 +0100</pentabarf:start>
      <pentabarf:end>2027-02-06 11:20:00 +0100</pentabarf:end>
      <pentabarf:duration>00:30:00:00</pentabarf:duration>
      <dtstart>20270206T105000</dtstart>
      <dtend>20270206T112000</dtend>
      <duration>00:30:00:00</duration>
      <summary>Welcome</summary>
      <category>Keynotes</category>
      <url>https:/lantern.example/2027/welcome/</url>
      <location>Janson</location>
      <attendee>Ann Lamp</attendee>
    </vevent>
  </vcalendar>
</iCalendar>
"""

XCALS = {
    "plain": PLAIN_XCAL,
    "recurring": RECURRING_XCAL,
    "pentabarf": PENTABARF_XCAL,
    "fosdem": FOSDEM_XCAL,
}
