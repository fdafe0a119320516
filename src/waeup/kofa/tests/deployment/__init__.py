"""Tests of how the processes of a portal are set up."""
