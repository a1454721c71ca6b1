"""Small schedules as each producer of schedule.xml writes them, made for the tests."""

from typing import Final

PENTABARF: Final = """<?xml version="1.0" encoding="UTF-8"?>
<schedule>
  <conference>
    <title>Lantern Days 2009</title><subtitle>Light!</subtitle>
    <venue>Old Mill</venue><city>Brussels</city>
    <start>2009-05-02</start><end>2009-05-03</end><days>2</days>
    <release>3.1</release><day_change>08:00:00</day_change>
    <timeslot_duration>00:15:00</timeslot_duration>
  </conference>
  <day index="1" date="2009-05-02">
    <room name="Hall">
      <event id="11">
        <start>10:00</start><duration>00:45</duration><room>Hall</room><tag>opening</tag>
        <title>Opening &amp; Welcome</title><subtitle/><track>Main</track><type>lecture</type>
        <language>en</language>
        <abstract>&lt;p&gt;AT&amp;amp;T &lt;b&gt;opens&lt;/b&gt;&lt;/p&gt;</abstract>
        <description/>
        <persons><person id="3">Ann Lee</person><person id="4">Bo Ek</person></persons>
        <links><link href="http://example.org/a">Slides of last year</link></links>
        <attachments>
          <attachment type="slides" href="http://example.org/a.pdf">Slides</attachment>
          <attachment type="other" href="http://example.org/b.txt"/>
        </attachments>
      </event>
      <event id="12"><start>01:30</start><duration>00:30</duration><title>Night</title></event>
    </room>
    <room name="Cellar"/>
  </day>
  <day index="2" date="2009-05-03"><room name="Hall"/></day>
</schedule>"""

FOSDEM: Final = """<?xml version="1.0" encoding="UTF-8"?>
<schedule>
  <version>latest</version>
  <conference>
    <acronym>lantern-2026</acronym><title>Lantern 2026</title>
    <venue>Mill</venue><city>Brussels</city>
    <start>2026-01-31</start><end>2026-02-01</end><days>2</days><day_change>09:00:00</day_change>
    <timeslot_duration>00:05:00</timeslot_duration>
    <base_url>https://lantern.example/2026/</base_url>
    <time_zone_name>Europe/Brussels</time_zone_name>
  </conference>
  <tracks><track online_qa="true" slug="main">Main</track>
    <track online_qa="false">Unused</track></tracks>
  <persons>
    <person id="7"><name>Ann Lee</name><slug>ann</slug>
      <biography>&lt;p&gt;Short&lt;/p&gt;</biography>
      <extended_biography>Long</extended_biography></person>
  </persons>
  <day index="1" date="2026-01-31"
    start="2026-01-31T09:00:00+01:00" end="2026-01-31T17:00:00+01:00">
    <room name="Janson" slug="janson">
      <event guid="0f2b3b3a-5d7b-5b0e-8b1c-000000000001" id="501">
        <date>2026-01-31T09:30:00+01:00</date><start>09:30:00</start><duration>00:25:00</duration>
        <room>Janson</room><slug>lantern-2026-501-welcome</slug>
        <url>https://lantern.example/2026/501</url><title>Welcome</title><subtitle/>
        <track>Main</track><type>maintrack</type><language>en</language>
        <abstract>&lt;p&gt;Hello&lt;/p&gt;</abstract><description/>
        <feedback_url>https://lantern.example/2026/501/feedback</feedback_url>
        <persons><person id="7">Ann Lee</person></persons><attachments/>
        <links><link href="https://lantern.example/v.mp4">Video</link></links>
      </event>
    </room>
  </day>
</schedule>"""

FRAB: Final = """<?xml version='1.0' encoding='utf-8' ?>
<schedule>
<generator name='frab' version='0.7'></generator>
<version>1.5</version>
<conference><acronym>lc3</acronym><title>Lantern Congress</title><start>2014-12-27</start>
<end>2014-12-28</end><days>1</days><timeslot_duration>00:05</timeslot_duration>
<logo>/system/logo.png?1573676286</logo>
</conference>
<day date='2014-12-27' end='2014-12-28T04:00:00+01:00' index='1' start='2014-12-27T11:00:00+01:00'>
<room name='Saal 1'>
<event guid='HOqeNIb6G7M4hYFKFRkCmQ' id='6561'>
<date>2014-12-27T11:00:00+01:00</date><start>11:00</start><duration>00:30</duration>
<room>Saal 1</room><slug>lc3_-_6561</slug>
<recording><license>CC BY</license><optout>false</optout></recording>
<title>Opening</title><subtitle></subtitle><track>Light</track><type>lecture</type>
<language>en</language><abstract>first line
second line</abstract><description>1 &lt; 2</description>
<logo>/attachments/original/missing.png</logo>
<persons><person id='1544'>Ann Lee</person></persons><links></links>
</event>
<event guid='2b2b2b2b-5d7b-4b0e-8b1c-000000000002' id='6562'>
<date>2014-12-28T01:00:00+01:00</date><start>01:00</start><duration>01:00</duration>
<room>Saal 1</room><title>Night</title><track>Light</track><type>lecture</type>
<persons><person id='1544'>Ann Lee</person><person id='9'>Bo Ek</person></persons>
</event>
</room></day></schedule>"""

PRETALX: Final = """<?xml version='1.0' encoding='utf-8' ?>
<schedule>
<generator name="pretalx" version="2026.1.0"/><version>0.9</version>
<conference><title>LanternCon</title><acronym>lcon</acronym><start>2026-06-01</start>
<end>2026-06-02</end><days>2</days><timeslot_duration>00:05</timeslot_duration>
<base_url>https://pretalx.example/lcon/schedule/</base_url><logo>/media/logo.png</logo>
<time_zone_name>Europe/Vienna</time_zone_name><color>#abc</color>
<track name="Tools" slug="tools" color="#123456"/></conference>
<day index='1' date='2026-06-01' start='2026-06-01T04:00:00+02:00' end='2026-06-02T03:59:00+02:00'>
<room name='Aula' guid='7c1f0b6e-0000-5000-8000-000000000001'>
<event guid='7c1f0b6e-0000-5000-8000-000000000011' id='71' code='ABCDEF'>
<room>Aula</room><title>Lamps</title><subtitle></subtitle><type>Talk</type>
<date>2026-06-01T10:00:00+02:00</date><start>10:00</start><duration>00:30</duration>
<abstract>About *lamps*</abstract><slug>lcon-71-lamps</slug><track>Tools</track>
<persons><person id='5'>Ann Lee</person></persons><language>de</language>
<description>First
second
- a
- b</description><recording><license></license><optout>true</optout></recording>
<links></links><attachments></attachments><feedback_url></feedback_url>
<url>https://pretalx.example/lcon/talk/ABCDEF/</url>
</event>
<event guid='7c1f0b6e-0000-5000-8000-000000000012' id='71' code='ABCDEF'>
<room>Aula</room><title>Lamps</title><type>Talk</type>
<date>2026-06-01T14:00:00+02:00</date><start>14:00</start><duration>00:30</duration>
<track>Tools</track><persons><person id='5'>Ann Lee</person></persons>
</event>
<event guid='7c1f0b6e-0000-5000-8000-000000000013' id='72' code='GHIJKL'>
<room>Aula</room><title>Exhibition</title><type>Workshop</type>
<date>2026-06-01T12:00:00+02:00</date><start>12:00</start><duration>1:04:00</duration>
</event>
</room></day></schedule>"""

WAFER: Final = """<?xml version="1.0" encoding="UTF-8"?>
<schedule>
  <generator name="wafer" version="0.14.0" />
  <conference><title>LanternConf 23</title><start>2023-09-10</start><end>2023-09-18</end>
    <days>8</days><timeslot_duration>00:15</timeslot_duration>
    <base_url>https://lanternconf.example</base_url>
    <time_zone_name>Asia/Kolkata</time_zone_name><acronym>lanternconf23</acronym></conference>
  <day date="2023-09-09"
    start="2023-09-09T21:30:00+00:00" end="2023-09-10T21:29:59+00:00" index="1">
    <room name="Hall">
      <event id="35" guid="455d075f-48c0-2ec2-24b3-000000000035">
        <date>2023-09-10T05:00:00+00:00</date><start>10:30</start><duration>00:20</duration>
        <room>Hall</room><track>No Track</track><abstract/><subtitle/>
        <title>Opening</title><description>See [us](https://lanternconf.example)</description>
        <type>Long talk</type>
        <persons><person id="63" contact="ann@example.org">Ann Lee</person></persons>
        <recording><optout>false</optout></recording>
      </event>
      <event id="36"><date>2023-09-10T06:00:00+00:00</date><start>11:30</start>
        <duration>00:20</duration><title>Break</title><type></type></event>
    </room>
  </day>
</schedule>"""

OSEM: Final = """<?xml version="1.0" encoding="UTF-8"?>
<schedule>
  <conference><title>Lantern OSEM</title><acronym>losem</acronym><start>2027-03-01</start>
    <end>2027-03-01</end><days>1</days></conference>
  <day index="1" date="2027-03-01">
    <room name="Room 1">
      <event guid="e427cfa9-9ba1-4b14-a99f-000000000001" id="1">
        <date>2027-03-01T09:00:00-05:00</date><start>09:00</start><duration>00:45</duration>
        <room>Room 1</room><type>Talk</type><language>English</language><slug>a</slug>
        <title>Wicks</title><subtitle>x</subtitle><track>Craft</track>
        <abstract>Same</abstract><description>Same</description>
        <recording><license/><optout>false</optout></recording>
        <persons><person id="2">Ann Lee</person></persons><links/>
      </event>
    </room>
  </day>
</schedule>"""

HUB: Final = """<?xml version="1.0" encoding="UTF-8"?>
<schedule>
  <generator name="c3voc hub" system="hub" version="1"/>
  <version>2024-12-27 09:00; frab 1.1; pretalx 0.3</version>
  <conference><title>Lantern Hub</title><acronym>lhub</acronym>
    <start>2024-12-27T09:30:00+00:00</start>
    <end>2024-12-30T17:00:00+00:00</end><time_zone_name>Europe/Berlin</time_zone_name></conference>
  <day index="1" date="2024-12-27"
    start="2024-12-27T10:30:00+01:00" end="2024-12-28T04:00:00+01:00">
    <room name="Saal 1" guid="00000000-0000-4000-8000-0000000000aa">
      <event guid="00000000-0000-4000-8000-000000000001" id="1000001">
        <date>2024-12-27T11:00:00+01:00</date><start>11:00</start><duration>01:00</duration>
        <room>Hall One</room><title>**Bold**</title><track></track><type>talk</type>
        <persons>
          <person guid="00000000-0000-4000-8000-0000000000f1">Ann Lee</person>
          <person guid="00000000-0000-4000-8000-0000000000f2">Ann Lee</person>
        </persons>
        <links><link>https://example.org/x</link></links>
        <origin_url>https://hub.example/1</origin_url><do_not_stream>true</do_not_stream>
        <description>A **bold** text</description>
      </event>
      <event guid="00000000-0000-4000-8000-000000000001" id="1000002">
        <date>2024-12-27T15:00:00+01:00</date><start>15:00</start><duration>01:00</duration>
        <title>Workshop</title>
      </event>
    </room>
  </day>
</schedule>"""

OPEN_EVENT_SERVER: Final = """<?xml version='1.0' encoding='UTF-8'?>
<schedule>
  <conference><title>Lantern Server</title>
    <start>2017-03-17</start><end>2017-03-17</end><days>1</days>
    <released>None</released><conf_url>lantern.example</conf_url></conference>
  <day date="2017-03-17" index="1">
    <room name="Lab">
      <event id="5"><date>2017-03-17</date><start>09:30</start><duration/><room>Lab</room>
        <title>Glass</title><type>Talk</type><track>T</track><full_conf_url>x</full_conf_url>
        <persons><person id="8">Ann Lee</person></persons></event>
    </room>
  </day>
</schedule>"""

HAND_MADE: Final = """
<schedule>
  <conference><generator name="jekyll"/><title><![CDATA[Lantern & Friends]]></title>
    <url>www.lantern.example</url></conference>
  <day date="2027-05-01" index="1">
    <room name="Barn">
      <event id="1"><date>2027-05-01T10:00:00Z</date><start>10:00</start><duration>30</duration>
        <title><![CDATA[Wax <3 & wick]]></title><person>Ann Lee, Bo Ek</person>
        <description><p>Real <b>markup</b></p></description></event>
      <event><start>25:15</start><duration>0:30</duration><title>Late</title>
        <person>Bo Ek &lt;bo@example.org&gt;</person></event>
    </room>
    <event id="3"><start>12:00</start><duration>01:00</duration><title>Lunch</title>
      <room>Yard</room></event>
  </day>
</schedule>"""

DIALECTS: Final = {
    "pentabarf": PENTABARF,
    "fosdem": FOSDEM,
    "frab": FRAB,
    "pretalx": PRETALX,
    "wafer": WAFER,
    "osem": OSEM,
    "hub": HUB,
    "open-event-server": OPEN_EVENT_SERVER,
    "hand-made": HAND_MADE,
}

PLAIN: Final = """<?xml version="1.0" encoding="UTF-8"?>
<schedule>
  <conference>
    <title>Lantern Days</title><start>2027-05-01</start><end>2027-05-02</end>
    <url>https://lantern.example/</url><time_zone_name>Europe/Berlin</time_zone_name>
  </conference>
  <day date="2027-05-01">
    <room name="Hall">
      <event id="1">
        <date>2027-05-01T10:00:00+02:00</date><start>10:00</start><duration>00:30</duration>
        <title>Opening</title><abstract>Light a lantern.</abstract><track>Main</track>
        <type>talk</type><language>en</language><persons><person id="1">Ann Lee</person></persons>
      </event>
    </room>
  </day>
</schedule>"""
"""A schedule that says nothing that has no field here."""
