"""Fitting what parameter sets are made of. In floating point; nothing here is needed for coding or decoding."""
