"""`make bench`: what an Erlang node in FreeSWITCH costs and gives, beside mod_erlang_event and mod_event_socket.

contenders.py   who is measured: a setting of ours or of theirs, or FreeSWITCH alone
switch.py       a scratch FreeSWITCH for one of them, which fires events when told to; inside/ is what runs in there
configuration.py   what that one reads
turns.py        who is measured when: A B C A B C; shared.py: what all turns share
workloads/      what is measured, a module for each family
peers/          who measures: Erlang nodes, C nodes, an event socket client, SIP
cpu.py          the processor time that the switch took
results.py      what came of it, and JSON; summary.py: medians, spreads, ratios
table.py, charts.py, page.py     Markdown, SVG, and where they go
machine.py      what it ran on
"""
