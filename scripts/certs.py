"""Makes a CA and certificates to try TLS with: what `make certs` runs. OpenSSL makes them, which TLS needs anyway.

    python -m scripts.certs --to DIR HOST ...

Writes ca.pem, ca.key; HOST.pem, HOST.key for each host; and inet_tls.HOST.conf, an -ssl_dist_optfile for erl on that
host. What is there already is kept: a CA signs for further hosts later.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

DAYS = 825
"""More are refused by some."""
PURPOSES = ("serverAuth", "clientAuth")
"""A node both accepts and connects."""


class CertsError(Exception):
    """openssl is not there, or did not do it."""


def make_ca(folder: Path, name: str = "ca") -> Path:
    """A CA in name.pem and name.key, unless it is there. Returns the former."""
    folder.mkdir(parents=True, exist_ok=True)
    pem, key = folder / f"{name}.pem", folder / f"{name}.key"
    if not pem.exists():
        _make_key(key)
        subject = f"/CN=mod_erlang_py test CA {name}"
        usage = ("-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        _openssl("req", "-x509", "-new", "-key", key, "-subj", subject, "-days", str(10 * 365), *usage, "-out", pem)
    return pem


def make_certificate(
    folder: Path,
    host: str,
    *,
    name: str | None = None,
    ca: str = "ca",
    days: int = DAYS,
    purposes: Sequence[str] = PURPOSES,
) -> Path:
    """A certificate for a host in name.pem, signed by the CA, and its key in name.key, in place of those that are
    there. Returns the former.

    name: the host, if not given. days: below 0 it has ended already.
    """
    pem, key = folder / f"{name or host}.pem", folder / f"{name or host}.key"
    with tempfile.TemporaryDirectory() as temporary:
        request, extensions = Path(temporary, "request"), Path(temporary, "extensions")
        extensions.write_text(
            f"basicConstraints=CA:false\nsubjectAltName={','.join(alternatives(host))}\n"
            f"extendedKeyUsage={','.join(purposes)}\nkeyUsage=digitalSignature\n"
        )
        _make_key(key)
        _openssl("req", "-new", "-key", key, "-subj", f"/CN={host[:64]}", "-out", request)
        signer = (
            "-CA",
            folder / f"{ca}.pem",
            "-CAkey",
            folder / f"{ca}.key",
            "-set_serial",
            f"0x{os.urandom(16).hex()}",
        )
        _openssl("x509", "-req", "-in", request, *signer, "-days", str(days), "-extfile", extensions, "-out", pem)
    return pem


def alternatives(host: str) -> list[str]:
    """What subjectAltName must have: OTP looks for an address among the names, others among the addresses."""
    names = [f"DNS:{host}"]
    with contextlib.suppress(ValueError):
        names.append(f"IP:{ipaddress.ip_address(host)}")
    return names


def optfile(folder: Path, name: str, versions: Sequence[str] = ("tlsv1.3", "tlsv1.2")) -> str:
    """What erl's -ssl_dist_optfile is to have, to go with our defaults: both sides show a certificate, and verify."""
    files = (
        f'{{certfile, "{folder / name}.pem"}}, {{keyfile, "{folder / name}.key"}}, {{cacertfile, "{folder}/ca.pem"}}'
    )
    common = f"{files},\n   {{verify, verify_peer}}, {{versions, [{', '.join(map(repr, versions))}]}}"
    return f"[{{server, [{common},\n   {{fail_if_no_peer_cert, true}}]}},\n {{client, [{common}]}}].\n"


def _make_key(path: Path) -> None:
    path.touch(mode=0o600)
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)


def _openssl(*arguments: str | Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise CertsError("there is no openssl: apt-get install openssl")
    done = subprocess.run([program, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise CertsError(f"openssl {arguments[0]}: {done.stderr.strip()}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.certs", description="A CA and certificates to try TLS with."
    )
    parser.add_argument("--to", type=Path, metavar="DIR", default=Path("certs"), help="folder; ./certs")
    parser.add_argument("hosts", nargs="*", metavar="HOST", help="of the nodes' names; this machine's, short and whole")
    options = parser.parse_args(arguments)
    folder = options.to.resolve()
    hosts = options.hosts or list(dict.fromkeys((socket.gethostname().partition(".")[0], socket.getfqdn())))
    try:
        make_ca(folder)
        for host in hosts:
            make_certificate(folder, host)
            (folder / f"inet_tls.{host}.conf").write_text(optfile(folder, host))
    except (CertsError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(told(folder, hosts), end="")
    return 0


def told(folder: Path, hosts: Sequence[str]) -> str:
    """What to do with them."""
    return (
        f"In {folder}: ca.pem, and for each of {', '.join(hosts)} a certificate, its key, and a file for erl.\n"
        "ca.key signs further ones: keep it off the switch. FreeSWITCH's user must be able to read its own key.\n"
        + "".join(_told(folder, host) for host in hosts)
    )


def _told(folder: Path, host: str) -> str:
    return f"""
A FreeSWITCH whose node is NAME@{host}, in erlang_event.conf.xml:

    <param name="tls-listen-port" value="8032"/>
    <param name="tls-cert" value="{folder}/{host}.pem"/>
    <param name="tls-key" value="{folder}/{host}.key"/>
    <param name="tls-ca" value="{folder}/ca.pem"/>

An Erlang node on {host}:

    erl {"-name" if "." in host else "-sname"} NAME@{host} \\
        -proto_dist inet_tls -ssl_dist_optfile {folder}/inet_tls.{host}.conf
"""


if __name__ == "__main__":
    sys.exit(main())
