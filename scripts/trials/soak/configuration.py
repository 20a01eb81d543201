"""What the FreeSWITCH of a soak reads, beside what every trial has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.certs import DAYS, make_ca, make_certificate
from scripts.configuration import LOGFILE, logfile, sofia
from scripts.scratch import free_port

GUEST = "guest"
"""How the name of the node begins that has few rights."""
GUEST_COOKIE = "its-own"
NODES = f"""\
<node name="{GUEST}*@localhost">
  <param name="cookie" value="{GUEST_COOKIE}"/>
  <param name="allow" value="api"/>
  <param name="allow-api" value="echo"/>
</node>
"""
"""In <nodes>."""

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


@dataclass(frozen=True)
class Place:
    """folder: where soak.erl is compiled to. sip_port: where mod_sofia is to listen. tls_port: where nodes connect by
    TLS, beside plain TCP."""

    folder: Path
    sip_port: int
    tls_port: int

    @property
    def certs(self) -> Path:
        """ca and localhost are the nodes'; switch is the switch's, spare what it is replaced by."""
        return self.folder / "certs"

    def settings(self) -> dict[str, str]:
        """With time limits that what is slow, on a machine that does other work too, is late and not lost."""
        return {
            "fetch-timeout": "60",
            "handler-timeout": "60",
            "tls-listen-port": str(self.tls_port),
            "tls-only": "false",
            "proto-dist": "inet_tcp",
            "tls-cert": str(self.certs / "switch.pem"),
            "tls-key": str(self.certs / "switch.key"),
            "tls-ca": str(self.certs / "ca.pem"),
        }

    def files(self) -> dict[str, str]:
        """By their path in conf_dir."""
        return {
            "dialplan/soak.xml": _DIALPLAN,
            "autoload_configs/sofia.conf.xml": sofia("soak", self.sip_port),
            LOGFILE: logfile("warning,err,crit,alert", {"rollover": "10485760", "maximum-rotate": "2"}),
        }


def place(folder: Path) -> Place:
    """With its certificates. Raises CertsError, ScratchError, OSError."""
    made = Place(folder, free_port(), free_port())
    make_ca(made.certs)
    for number, name in enumerate(("localhost", "switch", "spare")):
        make_certificate(made.certs, "localhost", name=name, days=DAYS - number)
    return made
