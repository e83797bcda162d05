"""What the codec and the hardware must agree on, declared once as plain tables.

Nothing here computes a sample: `model.codec` is the law, `hw` obeys it, and both read their widths, constants
and packet fields from this package. No torch, no Amaranth, no numba.
"""
