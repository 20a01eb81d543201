"""The switch.

port/        what the node needs of one
freeswitch/  the real one
simulated/   the stand-in, which is not installed into a FreeSWITCH
"""
