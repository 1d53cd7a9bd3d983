"""Imaging: arrays in, arrays out."""
