"""The step `users`.

matching   whom the service holds already; what became of a request without an answer
fates      what is to become of each user, by that, by people's decisions and by the mode
moving     addresses that another of our users has now
carry      one user carried over, whatever the service answers
change     pure: the request that brings a user up to date
trouble    one user over whom the service fails, while it may serve others
adoption   users of an earlier run whom this run maps
migrate    the step: everybody, resumable
outcome    the mapping and the attention list that it leaves
"""
