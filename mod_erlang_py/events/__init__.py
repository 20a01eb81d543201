"""Who wants which events, and the pump that hands them out.

interest.py  which events somebody wants
filters.py   header filters
delivery.py  counts what a link took, and what was lost
pump.py      from the switch to the outboxes
"""
