"""The settings of erlang_event.conf. Knows neither Erlang nor FreeSWITCH.

settings.py     the settings as one frozen value, and reading them
values.py       how their values are read
limits.py       those that bound what a peer can cost
rights.py       what a node may ask for, and the cookie that it has
tls.py          those of TLS
disposition.py  what becomes of a call whose process is lost: a setting, and a channel variable
strategy.py     which member of a process group gets a call: the same
reload.py       what changes when the file is read again
complaints.py   what is wrong with them
exposed.py      whether everybody can read a file
"""
