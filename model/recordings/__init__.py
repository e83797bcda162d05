"""Recordings: finding real ones, generating synthetic ones, and grouping those made at the same instant."""
