"""Threads and sockets: everything that moves the bytes that `distribution/` understands.

acceptor.py       one thread that accepts; a thread for each connection that shakes hands
half_open.py      the connections in their handshake, of which there may be so many
handshakes.py     runs distribution's handshake machines over a stream, each within its time
link.py           one peer node, connected
links.py          the links by name, and the attempts to make one
left_behind.py    requests that still run though their link is gone
target.py         a process at the other end of a link: where messages go
receiving.py      from a frame to whom it is for
reader.py         reads a link and runs what is asked, in order for each sender
watch.py          notices a request that holds up its reader, so that another thread reads on
outbox.py         what waits for a peer's socket
pool.py           what is kept for all peers together
ticker.py         keeps links alive and finds the dead ones
stalls.py         notices that somebody kept Python's lock
registration.py   our entry in epmd; look-ups of other nodes
epmd_server.py    the built-in epmd
processes.py      our pids, and who links to or monitors them
net_kernel.py     the one registered process that every node has
traffic.py        shows the terms that pass, when asked to
carriers.py       what carries links: plain TCP, TLS
streams/          the bytes of a link, whatever carries it
protection.py     what the settings protect from, in one line
threads.py        starts threads and waits for them
names.py          what the node is called
workers.py        threads for work that nobody waits for
challenges.py     so that nobody has us answer our own challenge
node.py           wires these; connections in both directions, start and stop
"""
