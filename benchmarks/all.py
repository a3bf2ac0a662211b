"""Every benchmark, one after the other."""

from benchmarks import against_psql, answering, export, guarded, startup, users

if __name__ == "__main__":
    against_psql.main()
    answering.main()
    export.main()
    guarded.main()
    startup.main()
    users.main()
