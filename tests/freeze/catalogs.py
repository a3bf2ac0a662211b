"""Everything that a freeze could change and a thaw must give back, read whole from the catalogs."""

from typing import Any

import psycopg

from bot.rehearsal.company import Company

_SETTINGS = """
SELECT setdatabase::text, setrole::regrole::text, array_to_string(setconfig, E'\\n') FROM pg_db_role_setting
 WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
_ROLES = """
SELECT oid::text, rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
       rolconnlimit, rolvaliduntil::text, array_to_string(rolconfig, E'\\n') FROM pg_roles
"""
_MEMBERS = "SELECT roleid::regrole::text, member::regrole::text, admin_option FROM pg_auth_members"
_DATABASE = """
SELECT datname, datdba::regrole::text, datacl::text, datallowconn, datconnlimit,
       shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()
"""
_SCHEMAS = """
SELECT oid::text, nspname, nspowner::regrole::text, nspacl::text, obj_description(oid, 'pg_namespace') FROM pg_namespace
 WHERE nspname !~ '^pg_(toast_)?temp'
"""
_FUNCTIONS = """
SELECT p.oid::text, p.oid::regprocedure::text, p.proowner::regrole::text, p.proacl::text,
       CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid) END, obj_description(p.oid, 'pg_proc')
  FROM pg_proc p WHERE p.pronamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
"""
_RELATIONS = """
SELECT oid::text, oid::regclass::text, relkind::text, relowner::regrole::text, relacl::text, relfilenode::text
  FROM pg_class
 WHERE relnamespace::regnamespace::text NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
   AND relnamespace::regnamespace::text !~ '^pg_(toast_)?temp'
"""
_DEFAULT_RIGHTS = """
SELECT defaclrole::regrole::text, defaclnamespace::regnamespace::text, defaclobjtype::text, defaclacl::text
  FROM pg_default_acl
"""
_PARAMETERS = "SELECT parname, paracl::text FROM pg_parameter_acl"
_TRIGGERS = "SELECT tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal"
_EVENT_TRIGGERS = "SELECT evtname, evtenabled::text FROM pg_event_trigger"
_POLICIES = "SELECT polrelid::regclass::text, polname, pg_get_expr(polqual, polrelid) FROM pg_policy"
_EXTENSIONS = "SELECT extname, extversion FROM pg_extension"

CATALOGS = {
    "settings": _SETTINGS,
    "roles": _ROLES,
    "members": _MEMBERS,
    "database": _DATABASE,
    "schemas": _SCHEMAS,
    "functions": _FUNCTIONS,
    "relations": _RELATIONS,
    "default rights": _DEFAULT_RIGHTS,
    "parameters": _PARAMETERS,
    "triggers": _TRIGGERS,
    "event triggers": _EVENT_TRIGGERS,
    "policies": _POLICIES,
    "extensions": _EXTENSIONS,
}


def world_of(source: Company) -> dict[str, list[tuple[Any, ...]]]:
    """By catalog, its rows, sorted."""
    with psycopg.connect(source.admin_dsn, autocommit=True, application_name="rehearsal") as session:
        return {name: sorted(session.execute(asked.encode()).fetchall(), key=repr) for name, asked in CATALOGS.items()}
