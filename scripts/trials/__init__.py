"""What is tried with the node in a real FreeSWITCH: `make faults`, `make fuzz`, `make soak`.

switch: the scratch FreeSWITCH. watcher: everybody else's traffic meanwhile, by a real Erlang node, and what became of
it. usage: threads, descriptors, memory of a process. client: a link of a few lines, which does what no node would.
"""
