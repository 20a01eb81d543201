"""The XML dialplan.

files.py  what a context is made of, and reading it    hunt.py  which actions a call gets
"""
