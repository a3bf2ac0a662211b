"""Every benchmark, one after the other."""

from benchmarks import export, guarded, users

if __name__ == "__main__":
    export.main()
    guarded.main()
    users.main()
