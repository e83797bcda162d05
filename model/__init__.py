"""Spikey: a bit-exact compressor for neural recordings, its golden model and its command line."""

__version__ = "0.1.0"
