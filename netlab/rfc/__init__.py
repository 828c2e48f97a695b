"""RFCs: what documents are called, the index, search, and pages to read them.

Nothing is imported here: ``netlab.rfc.names`` does not wait for Twisted.
"""
