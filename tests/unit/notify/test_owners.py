"""Only owners that somebody named are called, and only by ids that Slack makes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.schema_sync.errors import TerminalError
from include.schema_sync.notify.owners import called_for, mentions_by_organization, read_mentions
from include.schema_sync.nouns.discrepancy import Severity


def test_users_and_groups_become_slacks_markup():
    mentions = read_mentions({"critical": ["U012AB3CD", "S0614TZR7"], "warning": ["W9999"]})

    assert called_for([Severity.WARNING, Severity.CRITICAL], mentions) == "<@U012AB3CD> <!subteam^S0614TZR7>"
    assert called_for([Severity.WARNING], mentions) == "<@W9999>"


def test_nobody_is_called_when_nothing_is_new_or_nobody_is_named():
    assert called_for([], read_mentions({"critical": ["U012AB3CD"]})) == ""
    assert called_for([Severity.CRITICAL], None) == ""
    assert called_for([Severity.CRITICAL], read_mentions({"warning": ["U012AB3CD"]})) == ""
    assert called_for([Severity.INFO], read_mentions({"critical": ["U012AB3CD"]})) == ""


def test_the_setting_names_owners_by_organization_whatever_the_case_of_the_id():
    text = json.dumps({"0F8FAD5B-D9CB-469F-A165-70867728950E": {"critical": ["U012AB3CD"]}, "*": {}})

    assert set(mentions_by_organization(text)) == {"0f8fad5b-d9cb-469f-a165-70867728950e", "*"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nonsense", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"*": []}', 'expected {"critical"'),
        ('{"*": {"info": ["U012AB3CD"]}}', "'info' is no severity to call somebody for"),
        ('{"*": {"critical": "U012AB3CD"}}', "needs a list"),
        ('{"*": {"critical": ["!channel"]}}', "'!channel' is no id"),
        ('{"*": {"critical": ["@here"]}}', "'@here' is no id"),
        ('{"*": {"critical": [7]}}', "'7' is no id"),
        (json.dumps({"*": {"critical": ["U012AB3CD"] * 11}}), "at most 10"),
    ],
)
def test_anything_else_is_refused_with_a_reason(text, problem):
    with pytest.raises(TerminalError, match=problem):
        mentions_by_organization(text)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["critical", "warning", "info"]) | st.text(), inner)))  # fmt: skip
def test_no_value_of_a_row_makes_a_mention_of_everybody(value):
    try:
        mentions = read_mentions(value)
    except (ValueError, TerminalError):
        return
    called = called_for([Severity.CRITICAL], mentions) + called_for([Severity.WARNING], mentions)
    assert "<!channel" not in called
    assert "<!here" not in called
