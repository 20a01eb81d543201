"""What is tried with the node in a real FreeSWITCH: `make faults`, `make fuzz`, `make soak`.

switch: the scratch FreeSWITCH. watcher: everybody else's traffic meanwhile, by a real Erlang node (watch.erl), and what
became of it. usage: threads, descriptors, memory of a process. limits: what a process is kept from having. client: a
link of a few lines, which does what no node would.
"""
