"""IAM policies as tests need them: reading one of ours, and whether it allows a request to S3.

After AWS's evaluation logic, as far as our policies go: only Allow, ``*`` in ARNs, and StringLike on ``s3:prefix``.
"""

import json
from fnmatch import fnmatchcase
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "deploy" / "aws"
ACTION_OF = {
    "list_objects_v2": "s3:ListBucket", "get_object": "s3:GetObject", "head_object": "s3:GetObject",
    "put_object": "s3:PutObject", "delete_object": "s3:DeleteObject",
}
"""boto3's name of a request -> the action that AWS wants allowed for it."""


def read_policy(name, **places):
    """A policy's statements; ``places`` fill its placeholders: ``INPUT_BUCKET="b"`` stands for ``INPUT-BUCKET``."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    for placeholder, value in places.items():
        text = text.replace(placeholder.replace("_", "-"), value)
    return json.loads(text)["Statement"]


def actions_of(statement):
    actions = statement["Action"]
    return [actions] if isinstance(actions, str) else actions


def uses(statements, operation, request):
    """Sids of the statements that a request needs; None if it is denied.

    A get or head of what is not there is a 404 only for who may list that key, else a 403, and the job asks for much
    that may not be there: so each of them needs both. S3 then takes the key for ``s3:prefix``.
    """
    bucket, key = request["Bucket"], request.get("Key")
    asked = [(ACTION_OF[operation], key, request.get("Prefix"))]
    if operation in ("get_object", "head_object"):
        asked.append(("s3:ListBucket", None, key))
    found = [_allowing(statements, *each, bucket) for each in asked]
    return None if None in found else set(found)


def _allowing(statements, action, key, prefix, bucket):
    arn = f"arn:aws:s3:::{bucket}" + ("" if key is None else f"/{key}")
    for statement in statements:
        assert statement["Effect"] == "Allow"
        condition = statement.get("Condition", {"StringLike": {}})["StringLike"]
        holds = all(name == "s3:prefix" and prefix is not None and fnmatchcase(prefix, pattern)
                    for name, pattern in condition.items())
        if action in actions_of(statement) and fnmatchcase(arn, statement["Resource"]) and holds:
            return statement["Sid"]
    return None
