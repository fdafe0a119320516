"""Tests of ``kofactl``: in this process where that is enough, as a process where it is not."""
