"""The evidence page: what an auditor asks about a run, answered from its journal and its bundle.

`evidence` gathers the answers, `chronicle` tells all that happened in order, `page` makes one HTML file of both. The
same journal and the same bundle give the same bytes, so the page carries no time of its own but the journal's head.
"""
