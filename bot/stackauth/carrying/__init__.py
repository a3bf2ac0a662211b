"""The step `users`.

matching   whom the service holds already; what became of a request without an answer
fates      what is to become of each user, by that, by people's decisions and by the mode
carry      one user carried over, whatever the service answers
migrate    the step: everybody, resumable
outcome    the mapping and the attention list that it leaves
"""
