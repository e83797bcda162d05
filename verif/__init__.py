"""Verification of the gates against the law: cocotb on Verilator for protocol, CXXRTL for volume."""
