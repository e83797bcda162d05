"""Recordings: finding real ones, generating synthetic ones, and grouping those made at the same instant."""

from model.recordings.grouping import Mode, Stream, group
from model.recordings.locate import default_recordings, find, wav_files
from model.recordings.synthetic import synthesise

__all__ = ["Mode", "Stream", "default_recordings", "find", "group", "synthesise", "wav_files"]
