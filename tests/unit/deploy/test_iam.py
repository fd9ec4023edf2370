"""The IAM policies: real actions on fitting resources, and neither more nor less than the program asks for."""

import ast
import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import iam_actions
import pytest
from iam_policy import ACTION_OF, FOLDER, actions_of, read_policy, uses

ROOT = Path(__file__).parents[3]
POLICIES = sorted(path.name for path in FOLDER.glob("*.json"))
PLACES = {f"{what}_{part}": f"{what.lower()}-{part.lower()}" for what in ("INPUT", "OUTPUT", "MODEL", "STATE")
          for part in ("BUCKET", "PREFIX")}


def test_there_are_policies():
    assert "iam-run.json" in POLICIES


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_has_the_shape_that_iam_takes(name):
    document = json.loads((FOLDER / name).read_text())
    assert (document.keys(), document["Version"]) == ({"Version", "Statement"}, "2012-10-17")
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(sids) == len(set(sids))
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)
    for statement in document["Statement"]:
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}
    assert len(json.dumps(document, separators=(",", ":"))) < 6144, "IAM takes no longer managed policy"


@pytest.mark.parametrize("name", POLICIES)
def test_actions_exist_and_fit_their_resources_and_conditions(name):
    known = iam_actions.actions["s3"]
    for statement in read_policy(name):
        for action in actions_of(statement):
            facts = known[action.removeprefix("s3:")]
            patterns = [iam_actions.resource_types["s3"][kind]["arn_pattern"] for kind in facts["resources"]]
            assert any(fnmatchcase(statement["Resource"], pattern) for pattern in patterns), action
            if facts["resources"] == ["bucket"]:
                assert "/" not in statement["Resource"], f"{action} is about the bucket"
            for keys in statement.get("Condition", {}).values():
                assert keys.keys() <= set(facts["condition_keys"]), action


@pytest.mark.parametrize("name", POLICIES)
def test_every_listing_is_bound_to_its_prefix(name):
    for statement in read_policy(name):
        if actions_of(statement) == ["s3:ListBucket"]:
            assert statement["Condition"]["StringLike"]["s3:prefix"].endswith("-PREFIX/*")
        else:
            assert statement["Resource"].endswith("-PREFIX/*")


def test_the_policies_allow_what_the_store_asks_for_and_nothing_else():
    tree = ast.parse((ROOT / "translate/stores/s3.py").read_text())
    asked = {call.args[0].value for call in ast.walk(tree)
             if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "ask"}
    allowed = {action for name in POLICIES for statement in read_policy(name) for action in actions_of(statement)}
    assert allowed == {ACTION_OF[operation] for operation in asked}


@pytest.mark.parametrize(("operation", "bucket", "key"), [
    ("put_object", "input-bucket", "input-prefix/a.jpg"),
    ("delete_object", "output-bucket", "output-prefix/a.jpg"),
    ("put_object", "output-bucket", "elsewhere/a.jpg"),
    ("get_object", "output-bucket", "elsewhere/a.jpg"),
    ("put_object", "model-bucket", "model-prefix/name/pointers.json"),
])
def test_a_run_may_not(operation, bucket, key):
    assert uses(read_policy("iam-run.json", **PLACES), operation, {"Bucket": bucket, "Key": key}) is None


@pytest.mark.parametrize("prefix", [None, "", "input-prefix", "input-prefix-of-others/", "other/"])
def test_a_run_may_not_list_beyond_its_prefix(prefix):
    asked = {"Bucket": "input-bucket"} | ({} if prefix is None else {"Prefix": prefix})
    assert uses(read_policy("iam-run.json", **PLACES), "list_objects_v2", asked) is None
