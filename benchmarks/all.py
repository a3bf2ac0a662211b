"""Every benchmark, one after the other."""

from benchmarks import export

if __name__ == "__main__":
    export.main()
