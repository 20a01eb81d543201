"""Who measures: the other side of a switch's connections."""
