"""What the measured FreeSWITCH reads, beside what every scratch one has."""

from __future__ import annotations

from scripts.bench.contenders import Contender
from scripts.configuration import LOGFILE, logfile, sofia

_NO_STARTUP_SCRIPT = '<configuration name="python.conf"><settings/></configuration>\n'

# handled: by bench.erl, to whose node the extension leads. grouped: by a member of a process group there. alone: the
# same without anybody. parked: for a client of mod_event_socket to do the same. sip: as handled, with the node in a
# global variable.
_DIALPLAN = """\
<include>
  <context name="bench">
    <extension name="handled">
      <condition field="destination_number" expression="^handled-[0-9]+-(.+)$">
        <action application="erlang" data="bench_desk:! $1"/>
      </condition>
    </extension>
    <extension name="grouped">
      <condition field="destination_number" expression="^grouped-[0-9]+-(.+)$">
        <action application="erlang" data="pg:bench_desks $1"/>
      </condition>
    </extension>
    <extension name="alone">
      <condition field="destination_number" expression="^alone">
        <action application="answer"/>
        <action application="hangup"/>
      </condition>
    </extension>
    <extension name="parked">
      <condition field="destination_number" expression="^parked">
        <action application="park"/>
      </condition>
    </extension>
    <extension name="tone">
      <condition field="destination_number" expression="^tone$">
        <action application="playback" data="tone_stream://%(100,0,440);loops=-1"/>
      </condition>
    </extension>
    <extension name="sip">
      <condition field="destination_number" expression="^sip$">
        <action application="erlang" data="bench_desk:! ${bench_node}"/>
      </condition>
    </extension>
  </context>
</include>
"""


def files(contender: Contender, sip_port: int | None) -> dict[str, str]:
    """By their path in conf_dir. sip_port: where mod_sofia is to listen, if it is to."""
    found = {LOGFILE: logfile("err,crit,alert", {}), "dialplan/bench.xml": _DIALPLAN}
    if contender.module != "mod_python3":
        found["autoload_configs/python.conf.xml"] = _NO_STARTUP_SCRIPT
    if sip_port:
        found["autoload_configs/sofia.conf.xml"] = sofia("bench", sip_port)
    return found
