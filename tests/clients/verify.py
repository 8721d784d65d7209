"""Verifies tokens with the README's program (readme.py): one a line in, the claims or the error out as JSON.

`later N` moves the clock by which keys age N seconds on.
"""

import json
import sys
import time

import jwt
import readme

now = time.monotonic
ahead = 0
time.monotonic = lambda: now() + ahead

for line in sys.stdin:
    line = line.strip()
    answer = {}
    if line.startswith("later "):
        ahead += int(line.removeprefix("later "))
    else:
        try:
            answer = {"claims": readme.verify(line)}
        except jwt.PyJWTError as error:
            answer = {"error": repr(error)}
    print(json.dumps(answer), flush=True)
