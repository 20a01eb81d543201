"""mod_sofia's settings, where a scratch FreeSWITCH is called by SIP."""

from __future__ import annotations

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
