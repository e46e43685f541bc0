"""Texts that Python refuses: why, and whether they were meant as programs at all."""
