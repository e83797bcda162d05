"""The law: a bit-exact integer encoder and decoder. numpy and numba only.

A sample flows `frame -> delta -> rice -> packet`; `compressor.py` is that chain, `decompressor.py` its mirror.
The hardware in `hw` has the same rooms and gives the same bytes.
"""
