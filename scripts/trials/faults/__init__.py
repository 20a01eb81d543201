"""`make faults`: what is done to the node and to those around it, in a real FreeSWITCH, while others go on.

fault: what one is; all: each of them. trying: how each is tried, and what is looked at. wire, peers, strangers, mapper,
exhaustion, endings: the faults. proxy, victim, names, lying_epmd: what does them. row, page: what was seen.
"""
