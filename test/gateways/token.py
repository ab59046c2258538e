"""Prints a JSON Web Token, signed with HS256, that is good for two hours. Usage: token.py SECRET SUBJECT"""

import base64
import hashlib
import hmac
import json
import sys
import time


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


secret, subject = sys.argv[1:]
claims = {"sub": subject, "exp": int(time.time()) + 7200}
text = b".".join(encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
signature = hmac.new(secret.encode(), text, hashlib.sha256).digest()
print((text + b"." + encode(signature)).decode())
