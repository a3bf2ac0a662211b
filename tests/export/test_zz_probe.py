import os, re, subprocess
from bot.rehearsal.postgres_binaries import find_binaries
from tests.export.test_restore import *
async def test_loop(taken, emptied, tmp_path):
    silence(emptied)
    await taken.take()
    d = taken.metadata
    os.symlink(taken.directory, tmp_path/"migration-data") if False else None
    page = open("/work/main/docs/restore.md").read()
    loop = [b for b in re.findall(r"```sh\n(.*?)```", page, re.S) if "jq" in b][0].replace("migration-data", str(taken.directory))
    loop = loop.replace("jq -r '.importOrder[]'", "python -c 'import json,sys; print(*json.load(open(sys.argv[1]))[\"importOrder\"],sep=chr(10))'")
    env = os.environ | {"TARGET_URL": emptied.admin_dsn, "PATH": f"/work/main/.venv/bin:{find_binaries().directory}:/usr/bin:/bin"}
    def go(extra=""):
        return subprocess.run(["bash","-c",loop], env=env|({"PGOPTIONS":extra} if extra else {}), capture_output=True, text=True)
    r = await asyncio.to_thread(go)
    print("origin", r.returncode, r.stderr[-300:], d.cycles)
    ts = ", ".join(f'"{t.schema_name}"."{t.table}"' for t in d.tables.values())
    emptied.server.sql(f"TRUNCATE {ts} RESTART IDENTITY CASCADE", emptied.dbname)
    r = await asyncio.to_thread(go, "-c session_replication_role=replica")
    print("replica", r.returncode, r.stderr[-300:], len(d.import_order))
    print(rows_of(emptied, d) == rows_of(taken.database, d))
