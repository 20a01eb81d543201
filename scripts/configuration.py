"""What scratch FreeSWITCHes read for modules of FreeSWITCH's own."""

from __future__ import annotations

from collections.abc import Mapping

LOGFILE = "autoload_configs/logfile.conf.xml"
"""Where `logfile` is kept, in conf_dir."""

_LOGFILE = """\
<configuration name="logfile.conf">
  <settings/>
  <profiles>
    <profile name="default">
      <settings>
        {settings}
      </settings>
      <mappings><map name="all" value="{levels}"/></mappings>
    </profile>
  </profiles>
</configuration>
"""

_SOFIA = """\
<configuration name="sofia.conf">
  <profiles>
    <profile name="{context}">
      <settings>
        <param name="sip-ip" value="127.0.0.1"/>
        <param name="sip-port" value="{port}"/>
        <param name="rtp-ip" value="127.0.0.1"/>
        <param name="context" value="{context}"/>
        <param name="dialplan" value="XML"/>
        <param name="auth-calls" value="false"/>
        <param name="inbound-codec-prefs" value="PCMU"/>
        <param name="outbound-codec-prefs" value="PCMU"/>
        <param name="rtp-timer-name" value="soft"/>
      </settings>
    </profile>
  </profiles>
</configuration>
"""


def sofia(context: str, port: int) -> str:
    """sofia.conf: listens on that port of 127.0.0.1, and has calls go to that context of the dialplan."""
    return _SOFIA.format(context=context, port=port)


def logfile(levels: str, settings: Mapping[str, str]) -> str:
    """logfile.conf. levels: of the lines that are written, with commas. settings: of the one file."""
    params = "\n        ".join(f'<param name="{name}" value="{value}"/>' for name, value in settings.items())
    return _LOGFILE.format(levels=levels, settings=params)
