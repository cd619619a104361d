"""`python -m fareline`: the `fareline` command of this interpreter, whatever is on PATH."""

from fareline.start import main

if __name__ == "__main__":
    main()
