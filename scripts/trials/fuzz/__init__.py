"""`make fuzz`: broken bytes for a node in a real FreeSWITCH, while others are to be served as if nothing were.

terms: requests of every family, and what can be wrong with a term. frames: what can be wrong with a link's bytes.
handshakes: with a handshake's, both ways, and epmd's requests. rounds: one connection after the other, each made of a
seed and its number alone. waits: how long the switch waited for a processor. log: what it wrote. report, page: what is
to be told.
"""
