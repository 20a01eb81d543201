"""What the node is doing, in numbers.

figures.py     gathers them, for `erlang status` and its JSON
prometheus.py  serves them to Prometheus
"""
