"""Every benchmark, one after the other."""

from benchmarks import answering, export, guarded, startup, users

if __name__ == "__main__":
    answering.main()
    export.main()
    guarded.main()
    startup.main()
    users.main()
