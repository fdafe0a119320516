"""The manual: what there is to be told, the lists that are made of the code, and drawings."""
