"""What moto's EC2 lacks."""


def test_a_rule_that_names_another_group_has_its_description(clients):
    ec2 = clients("ec2")
    network = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="described", Description="group", VpcId=network)["GroupId"]
    pair = {"GroupId": group, "Description": "among themselves"}
    ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [pair]}]
    )
    block = {"CidrIp": "10.0.0.0/8", "Description": "people"}
    ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [block]}]
    )

    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]

    described = {each.get("CidrIpv4") or each.get("ReferencedGroupInfo", {}).get("GroupId"): each for each in rules}
    assert described[group]["Description"] == "among themselves"
    assert described["10.0.0.0/8"]["Description"] == "people"
    assert "Description" not in described["0.0.0.0/0"]
