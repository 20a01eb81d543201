"""The settings of erlang_event.conf. Knows neither Erlang nor FreeSWITCH.

settings.py     the settings as one frozen value, and reading them
limits.py       those that bound what a peer can cost
rights.py       what a node may ask for, and the cookie that it has
disposition.py  what becomes of a call whose process is lost: a setting, and a channel variable
reload.py       what changes when the file is read again
complaints.py   what is wrong with them
"""
