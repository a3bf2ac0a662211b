"""Settings: the environment before `.env` before `cutover.toml`, frozen, every mistake reported in one go.

Secrets and addresses of services come from the environment (or `.env`); the rest is in `cutover.toml`, each key
of which can be overridden as `CUTOVER__SECTION__KEY`. Nothing is contacted here: only forms are checked, and a value is
never shown, since it may be a secret in the wrong place.

    shape       what can be set, with its type and its default
    loading     where it is read, and how every mistake is found
    validating  whether every value is one of its setting
    forms       what a command needs, and what a value must look like
    planned     the plan that is asked for
    words       settings in words: names, forms, the name nearest to an unknown one
"""

from bot.settings.forms import Need
from bot.settings.loading import WayBack, for_the_way_back, load
from bot.settings.planned import plan_of
from bot.settings.shape import Settings, secret

__all__ = ["Need", "Settings", "WayBack", "for_the_way_back", "load", "plan_of", "secret"]
