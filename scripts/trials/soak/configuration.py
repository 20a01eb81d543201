"""What the FreeSWITCH of a soak reads, beside what every trial has."""

from __future__ import annotations

from scripts.configuration import LOGFILE, logfile, sofia

SETTINGS = {"fetch-timeout": "60", "handler-timeout": "60"}
"""So that what is slow, on a machine that does other work too, is late and not lost."""

# Whoever dials puts a number behind the word. Where the process dies, or its node, the dialplan goes on to the desk.
_DIALPLAN = """\
<include>
  <context name="soak">
    <extension name="taken">
      <condition field="destination_number" expression="^(sip|taken-[0-9]+)$">
        <action application="erlang" data="soak_desk:! ${soak_desk}"/>
      </condition>
    </extension>
    <extension name="dying">
      <condition field="destination_number" expression="^dying-[0-9]+$">
        <action application="erlang" data="soak_desk:! ${soak_desk}"/>
        <action application="erlang" data="soak_desk:! ${soak_desk}"/>
      </condition>
    </extension>
    <extension name="doomed">
      <condition field="destination_number" expression="^doomed-[0-9]+-(.+)$">
        <action application="erlang" data="soak_doomed:! $1"/>
        <action application="erlang" data="soak_desk:! ${soak_desk}"/>
      </condition>
    </extension>
    <extension name="parked">
      <condition field="destination_number" expression="^parked$">
        <action application="park"/>
      </condition>
    </extension>
  </context>
</include>
"""


def files(sip_port: int) -> dict[str, str]:
    """By their path in conf_dir. sip_port: where mod_sofia is to listen."""
    return {
        "dialplan/soak.xml": _DIALPLAN,
        "autoload_configs/sofia.conf.xml": sofia("soak", sip_port),
        LOGFILE: logfile("warning,err,crit,alert", {"rollover": "10485760", "maximum-rotate": "2"}),
    }
