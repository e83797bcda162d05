"""Spikey in gates: the streaming core that gives the same bytes as `model.codec`, its boards and its builds.

A sample flows `frame -> delta -> rice -> packet`; `compressor.py` is that chain. Widths, constants and packet
fields come from `model.spec`.
"""
