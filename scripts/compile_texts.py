"""Compiles Python texts given as JSON lines ({"name", "text"}) and names those that do not.

Prints one line `NAME: REASON` for each text that CPython refuses, then `compiled N`.
"""

import json
import sys
import warnings


def main():
    warnings.simplefilter("ignore")
    compiled = 0
    for line in sys.stdin.buffer:
        item = json.loads(line)
        try:
            compile(item["text"], item["name"], "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            print(f"{item['name']}: {error}")
        else:
            compiled += 1
    print(f"compiled {compiled}")


if __name__ == "__main__":
    main()
