"""Examiners of the gates around the night: what people attest, whether the night fits, whether the new system is live.

Each asks one thing and belongs to no service of the night itself. Where an examiner is named like its only check, that
is the check which could not be made when it could not even begin.
"""
