"""What can go wrong with a measurement."""


class BenchError(Exception):
    """What could not be measured, in a line."""
