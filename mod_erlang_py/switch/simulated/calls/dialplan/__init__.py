"""The XML dialplan.

model.py  what a context is made of    files.py  reading it    hunt.py  which actions a call gets
"""
