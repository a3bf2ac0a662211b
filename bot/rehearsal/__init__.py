"""A whole night on this machine: real PostgreSQL, stand-ins for the services, and the ordinary bot as a child."""
