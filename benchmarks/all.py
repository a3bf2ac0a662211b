"""Every benchmark, one after the other."""

from benchmarks import export, users

if __name__ == "__main__":
    export.main()
    users.main()
