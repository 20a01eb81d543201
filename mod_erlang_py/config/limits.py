"""How much is taken, kept and waited for: what a peer can cost the switch at most. Settings of ours, all of which
`erlang reload` changes.

The names are the file's, with `-` as `_`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mod_erlang_py.config.values import whole


@dataclass(frozen=True, slots=True)
class Limits:
    """Under each field the reason for its default. A node: what is connected to this one."""

    max_frame_bytes: int = 16 * 1024 * 1024
    """Bytes of one message on the wire: all of it is in memory before it can be looked at."""
    max_term_bytes: int = 16 * 1024 * 1024
    """Bytes of one term: the biggest XML document fits, as a list, too; copying it keeps Python's lock for 5 ms."""
    max_term_depth: int = 64
    """Levels of one term: each takes two frames of Python's stack, and mod_python3 allows 240 in all."""
    max_term_elements: int = 100_000
    """Elements of one term, all levels together: building them takes Python up to 0.3 s, and 60 MB."""
    max_half_open: int = 64
    """Connections in their handshake: each has a thread, and whoever reaches the port can make one."""
    max_nodes: int = 1000
    """Nodes that are connected: each has a thread or two, a socket, and an outbox."""
    max_nodes_per_address: int = 1000
    """Of these, from one IP address: as many, since many nodes on one machine are usual."""
    max_running_requests: int = 256
    """Requests of one node that take longer than a millisecond, with those of its earlier connections: each keeps a
    thread."""
    max_waiting_requests: int = 100_000
    """Requests of one process that wait for one of its own that runs: a burst of `cast` fits."""
    max_waiting_request_bytes: int = 128 * 1024 * 1024
    """Bytes of memory of all requests of one node that wait, or run for longer than a millisecond."""
    max_waiting_request_bytes_total: int = 256 * 1024 * 1024
    """The same of all nodes, with what has come of messages that are not whole yet."""
    max_running_jobs: int = 128
    """`bgapi` jobs of all nodes that run: each has a thread."""
    max_waiting_jobs: int = 10_000
    """`bgapi` jobs of all nodes that wait for one that runs."""
    max_job_bytes: int = 64 * 1024 * 1024
    """Bytes of memory of all `bgapi` jobs that run or wait."""
    max_fetches: int = 10_000
    """XML look-ups under way: each keeps the thread of a call."""
    max_executes: int = 50_000
    """Executes of all nodes that are waited for: each looks at its call's events."""
    max_executes_per_node: int = 10_000
    """The same of one node."""
    max_subscriptions: int = 10_000
    """Subscriptions whose events go to one node: each event is compared with them."""
    max_regex_ms_per_second: int = 200
    """Milliseconds of each second for the regular expressions in all nodes' filters: all events wait meanwhile."""
    max_process_links: int = 100_000
    """Processes of one node that are linked to the switch's pid, which has to remember each."""
    max_monitors: int = 100_000
    """Monitors of one node's processes of the switch's processes, which have to be remembered too."""
    max_log_lines_per_minute: int = 100
    """Lines of the log about one node, or one address: nobody shall fill the disk, or hide the other lines."""


PARSERS: dict[str, Callable[[str], int]] = {
    "max-frame-bytes": whole(4096, 2**31 - 1),
    "max-term-bytes": whole(4096, 2**31 - 1),
    "max-term-depth": whole(8, 64),
    "max-term-elements": whole(4096, 10_000_000),
    "max-half-open": whole(1, 10_000),
    "max-nodes": whole(1, 100_000),
    "max-nodes-per-address": whole(1, 100_000),
    "max-running-requests": whole(1, 10_000),
    "max-waiting-requests": whole(1, 10_000_000),
    "max-waiting-request-bytes": whole(4096, 2**40),
    "max-waiting-request-bytes-total": whole(4096, 2**40),
    "max-running-jobs": whole(1, 10_000),
    "max-waiting-jobs": whole(0, 1_000_000),
    "max-job-bytes": whole(4096, 2**40),
    "max-fetches": whole(1, 1_000_000),
    "max-executes": whole(1, 1_000_000),
    "max-executes-per-node": whole(1, 1_000_000),
    "max-subscriptions": whole(1, 1_000_000),
    "max-regex-ms-per-second": whole(1, 1000),
    "max-process-links": whole(1, 10_000_000),
    "max-monitors": whole(1, 10_000_000),
    "max-log-lines-per-minute": whole(1, 1_000_000),
}
"""A term is never refused that is within the lowest: etf/small.py does not count."""
