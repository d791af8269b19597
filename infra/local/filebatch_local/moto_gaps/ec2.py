"""What moto's EC2 lacks: the description of a security group's rule that names another group. moto 5.2.5 leaves it out.

tests/local/moto_gaps/test_ec2.py shows it.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.security_groups import SecurityGroupRule


def install() -> None:
    """Let DescribeSecurityGroupRules answer it: Terraform would write it again each time."""
    SecurityGroupRule.description = property(_description)


def _description(rule: Any) -> Any:
    return rule.ip_range.get("Description") or rule.source_group.get("Description")
