"""Recurrent cores, one file each, one contract."""
