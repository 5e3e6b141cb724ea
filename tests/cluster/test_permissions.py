"""What the roles of deploy/aws may do, held against the calls that the controller makes: nothing less, and nothing more."""

import pathlib
import re
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from labkit import iam, moto, template  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCOUNT, REGION = "111122223333", "eu-west-1"
GIVEN = {"ExternalId": "plumbline-prod", "ControllerArn": f"arn:aws:iam::{ACCOUNT}:role/pod", "TrailFiles": "yes"}

API = f"arn:aws:apigateway:{REGION}::/restapis/abc123"
APIS = f"arn:aws:apigateway:{REGION}::/restapis"
DOMAIN = f"arn:aws:apigateway:{REGION}::/domainnames/api.example.com"
DOMAINS = f"arn:aws:apigateway:{REGION}::/domainnames"
PRIVATE = f"arn:aws:apigateway:{REGION}:{ACCOUNT}:/domainnames/api.example.com+d1"
METHOD = f"{API}/resources/r1/methods/GET"
TAGS = f"arn:aws:apigateway:{REGION}::/tags/arn%3Aaws%3Aapigateway%3A{REGION}%3A%3A%2Frestapis%2Fabc123"
QUEUES = [f"arn:aws:sqs:{region}:{ACCOUNT}:plumbline-{queue}" for region in (REGION, "us-east-1") for queue in ("events", "repairs")]
RECORD = f"arn:aws:s3:::plumbline-auditbucket/audit/v1/account={ACCOUNT}/region={REGION}/x-detected.jsonl.gz"
TRAIL_FILE = f"arn:aws:s3:::plumbline-trail-{ACCOUNT}-{REGION}/AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/11/25/x.json.gz"
TOPICS = [f"arn:aws:sns:{REGION}:{ACCOUNT}:plumbline-{topic}" for topic in ("people", "machines")]
TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/plumbline"

# Service, operation, who makes it, what AWS asks for it and on what, and why.
NEEDS = [
    ("apigateway", "GetRestApis", "observe", [("apigateway:GET", APIS)], "the list of REST APIs, with policies, tags and settings"),
    ("apigateway", "GetRestApi", "observe", [("apigateway:GET", API)], "one of them before and after its repair"),
    ("apigateway", "GetStages", "observe", [("apigateway:GET", f"{API}/stages")], "what callers meet, and the stages' settings"),
    ("apigateway", "GetStage", "observe", [("apigateway:GET", f"{API}/stages/prod")], "one of them before and after its repair"),
    ("apigateway", "GetResources", "observe", [("apigateway:GET", f"{API}/resources")], "the editor: methods and their integrations"),
    ("apigateway", "GetMethod", "observe", [("apigateway:GET", METHOD)], "one of them before and after its repair"),
    ("apigateway", "GetExport", "observe", [("apigateway:GET", f"{API}/stages/prod/exports/oas30")], "what is live"),
    ("apigateway", "GetDeployment", "observe", [("apigateway:GET", f"{API}/deployments/d1")], "what is live, where an export fails"),
    ("apigateway", "GetDeployments", "observe", [("apigateway:GET", f"{API}/deployments")], "the deployment of an interrupted repair"),
    ("apigateway", "GetAuthorizers", "observe", [("apigateway:GET", f"{API}/authorizers")], "whether a deployment would publish others"),
    ("apigateway", "GetRequestValidators", "observe", [("apigateway:GET", f"{API}/requestvalidators")], "the same of validators"),
    ("apigateway", "GetModels", "observe", [("apigateway:GET", f"{API}/models")], "the same of models"),
    ("apigateway", "GetGatewayResponses", "observe", [("apigateway:GET", f"{API}/gatewayresponses")], "the same of gateway responses"),
    ("apigateway", "GetDomainNames", "observe", [("apigateway:GET", DOMAINS)], "the list of custom domain names"),
    ("apigateway", "GetDomainName", "observe", [("apigateway:GET", DOMAIN), ("apigateway:GET", PRIVATE)], "public and private ones have other ARNs"),
    ("apigateway", "GetAccount", "observe", [("apigateway:GET", f"arn:aws:apigateway:{REGION}::/account")], "the role that writes logs"),
    (
        "apigateway",
        "UpdateRestApi",
        "repair",
        [("apigateway:PATCH", API), ("apigateway:UpdateRestApiPolicy", API)],
        "settings, and the resource policy, which asks for more",
    ),
    ("apigateway", "UpdateStage", "repair", [("apigateway:PATCH", f"{API}/stages/prod")], "settings, and which deployment is live"),
    ("apigateway", "UpdateMethod", "repair", [("apigateway:PATCH", METHOD)], "who may call"),
    ("apigateway", "UpdateIntegration", "repair", [("apigateway:PATCH", f"{METHOD}/integration")], "whom it calls"),
    ("apigateway", "CreateDeployment", "repair", [("apigateway:POST", f"{API}/deployments")], "makes a repair live"),
    (
        "apigateway",
        "UpdateDomainName",
        "repair",
        [
            ("apigateway:PATCH", DOMAIN),
            ("apigateway:PATCH", PRIVATE),
            ("apigateway:AddCertificateToDomain", DOMAIN),
            ("apigateway:AddCertificateToDomain", DOMAINS),
            ("apigateway:RemoveCertificateFromDomain", DOMAIN),
            ("apigateway:RemoveCertificateFromDomain", DOMAINS),
            ("apigateway:UpdateDomainNamePolicy", PRIVATE),
            ("apigateway:UpdateDomainNameManagementPolicy", PRIVATE),
        ],
        "settings; mutual TLS and the two policies of private domain names ask for more",
    ),
    ("apigateway", "TagResource", "repair", [("apigateway:PUT", TAGS)], "tags are set with PUT"),
    ("apigateway", "UntagResource", "repair", [("apigateway:DELETE", TAGS)], "and removed with DELETE"),
    ("sqs", "ReceiveMessage", "observe", [("sqs:ReceiveMessage", queue) for queue in QUEUES], "what is heard, in each region"),
    ("sqs", "DeleteMessageBatch", "observe", [("sqs:DeleteMessage", queue) for queue in QUEUES], "it was dealt with"),
    ("sqs", "ChangeMessageVisibilityBatch", "observe", [("sqs:ChangeMessageVisibility", queue) for queue in QUEUES], "it takes longer"),
    ("cloudtrail", "LookupEvents", "observe", [("cloudtrail:LookupEvents", "*")], "who did it, when no event told"),
    ("cloudtrail", "DescribeTrails", "observe", [("cloudtrail:DescribeTrails", "*")], "whether there is a trail"),
    ("cloudtrail", "GetTrailStatus", "observe", [("cloudtrail:GetTrailStatus", TRAIL)], "whether it logs"),
    ("s3", "GetObject", "observe", [("s3:GetObject", TRAIL_FILE)], "the files that the queue announces, with TrailFiles only"),
    ("s3", "GetObject", "repair", [("s3:GetObject", RECORD)], "what stands under a key that is taken is compared"),
    ("s3", "PutObject", "repair", [("s3:PutObject", RECORD)], "the record"),
    ("sns", "Publish", "repair", [("sns:Publish", topic) for topic in TOPICS], "the notifications"),
    ("sts", "GetCallerIdentity", "observe", [], "nobody needs a permission to ask who they are"),
]

# Calls of the SDK that a table of our own makes to more than one permission: gone from there, the permission is superfluous.
SPECIAL = [
    ("rest_api.rs", '"/policy"', "apigateway:UpdateRestApiPolicy"),
    ("domain_name.rs", '"/policy"', "apigateway:UpdateDomainNamePolicy"),
    ("domain_name.rs", '"/managementPolicy"', "apigateway:UpdateDomainNameManagementPolicy"),
    ("domain_name.rs", '"/mutualTlsAuthentication/truststoreUri"', "apigateway:AddCertificateToDomain"),
    ("domain_name.rs", '"/mutualTlsAuthentication/truststoreUri"', "apigateway:RemoveCertificateFromDomain"),
]

FORBIDDEN = [
    ("observe", "apigateway:GET", f"arn:aws:apigateway:{REGION}::/apikeys", "it shows the keys' values"),
    ("observe", "apigateway:GET", f"arn:aws:apigateway:{REGION}::/apikeys/k1", "it shows the key's value"),
    ("observe", "apigateway:GET", f"arn:aws:apigateway:{REGION}::/usageplans/u1/keys", "it shows the keys' values"),
    ("observe", "apigateway:PATCH", API, "looking changes nothing"),
    ("observe", "apigateway:PATCH", f"{API}/stages/prod", "looking changes nothing"),
    ("observe", "apigateway:POST", f"{API}/deployments", "looking changes nothing"),
    ("observe", "apigateway:PUT", TAGS, "looking changes nothing"),
    ("observe", "sqs:SendMessage", QUEUES[0], "nobody shall hear what Plumbline says to itself"),
    ("observe", "sqs:PurgeQueue", QUEUES[0], "each message is dealt with"),
    ("observe", "sqs:DeleteQueue", QUEUES[0], "the queue is not Plumbline's to delete"),
    ("observe", "sqs:SetQueueAttributes", QUEUES[0], "nor to change"),
    ("observe", "sqs:ReceiveMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders", "other queues are other people's"),
    ("observe", "sqs:ReceiveMessage", f"{QUEUES[0]}-dead", "what was put aside is for people to look at"),
    ("observe", "cloudtrail:StopLogging", TRAIL, "who watches does not turn the light off"),
    ("observe", "cloudtrail:DeleteTrail", TRAIL, "the same"),
    ("observe", "cloudtrail:PutEventSelectors", TRAIL, "the same"),
    ("observe", "cloudtrail:UpdateTrail", TRAIL, "the same"),
    ("observe", "s3:PutObject", TRAIL_FILE, "the trail alone writes its files"),
    ("observe", "s3:DeleteObject", TRAIL_FILE, "and nobody else deletes them"),
    ("observe", "s3:GetObject", TRAIL_FILE.replace(f"/{ACCOUNT}/", "/999988887777/"), "files of other accounts are theirs"),
    ("observe", "s3:GetObject", TRAIL_FILE.replace("/CloudTrail/", "/Config/"), "files of other services are not read"),
    ("observe", "s3:PutObject", RECORD, "who looks does not record"),
    ("observe", "sns:Publish", TOPICS[0], "nor tell"),
    ("repair", "apigateway:DELETE", API, "no API is ever deleted"),
    ("repair", "apigateway:DELETE", f"{API}/stages/prod", "nor a stage"),
    ("repair", "apigateway:DELETE", f"{API}/deployments/d1", "nor a deployment, to which somebody may want to go back"),
    ("repair", "apigateway:DELETE", METHOD, "nor a method"),
    ("repair", "apigateway:DELETE", DOMAIN, "nor a domain name"),
    ("repair", "apigateway:PUT", API, "PutRestApi with mode=overwrite replaces a whole API"),
    ("repair", "apigateway:PUT", f"{METHOD}/integration", "PutIntegration replaces a whole integration"),
    ("repair", "apigateway:POST", APIS, "nothing is made anew"),
    ("repair", "apigateway:POST", f"{API}/stages", "nothing is made anew"),
    ("repair", "apigateway:POST", f"{API}/resources/r1", "nothing is made anew"),
    ("repair", "apigateway:PATCH", f"arn:aws:apigateway:{REGION}::/account", "it would need iam:PassRole, too"),
    ("repair", "apigateway:PATCH", f"arn:aws:apigateway:{REGION}::/apikeys/k1", "keys are not Plumbline's"),
    ("repair", "apigateway:PATCH", f"arn:aws:apigateway:{REGION}::/usageplans/u1", "usage plans are not Plumbline's"),
    ("repair", "apigateway:PATCH", f"arn:aws:apigateway:{REGION}::/apis/a1", "HTTP APIs are not repaired"),
    ("repair", "apigateway:GET", API, "who repairs reads with the other role"),
    ("repair", "apigateway:SetWebACL", f"{API}/stages/prod", "web ACLs are for a person"),
    ("repair", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/any", "an integration's credentials are for a person"),
    ("repair", "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/any", "it is the end of the way"),
    ("repair", "s3:PutObject", "arn:aws:s3:::plumbline-auditbucket/elsewhere", "records go under their prefix"),
    ("repair", "s3:PutObject", RECORD.replace("plumbline-auditbucket", "other"), "and into their bucket"),
    ("repair", "s3:DeleteObject", RECORD, "a record stays"),
    ("repair", "s3:DeleteObjectVersion", RECORD, "a record stays"),
    ("repair", "s3:PutObjectRetention", RECORD, "for as long as the bucket says"),
    ("repair", "s3:BypassGovernanceRetention", RECORD, "for as long as the bucket says"),
    ("repair", "s3:PutBucketPolicy", "arn:aws:s3:::plumbline-auditbucket", "whoever writes does not make the rules"),
    ("repair", "s3:PutLifecycleConfiguration", "arn:aws:s3:::plumbline-auditbucket", "whoever writes does not make the rules"),
    ("repair", "sns:Publish", f"arn:aws:sns:{REGION}:{ACCOUNT}:other", "other topics are other people's"),
    ("repair", "sns:Subscribe", TOPICS[0], "who hears is for people to say"),
    ("repair", "sns:SetTopicAttributes", TOPICS[0], "who hears is for people to say"),
    ("repair", "sqs:ReceiveMessage", QUEUES[0], "who repairs does not listen"),
]


def policies(name: str, **parameters: str) -> list[dict]:
    """Every policy of a role, as the template says."""
    text = template.load(template.FOLDER / "plumbline.yaml")
    worked = template.Worked(text, "plumbline", ACCOUNT, REGION, GIVEN | parameters)
    role = f"plumbline-{name}"
    [found] = [one for one in worked.of_type("AWS::IAM::Role").values() if one["RoleName"] == role]
    attached = [one for one in worked.of_type("AWS::IAM::Policy").values() if role in one["Roles"]]
    return [one["PolicyDocument"] for one in [*found["Policies"], *attached]]


def calls() -> set[tuple[str, str]]:
    """Service and operation of each call that the controller's source makes of an AWS SDK."""
    moto.libraries()
    import botocore.session
    from botocore import xform_name

    session = botocore.session.get_session()
    found = set()
    for path in sorted((ROOT / "src").rglob("*.rs")):
        text = path.read_text().split("#[cfg(test)]", 1)[0]
        for service in set(re.findall(r"\baws_sdk_(\w+)\b", text)):
            names = {xform_name(name): name for name in session.get_service_model(service).operation_names}
            found |= {(service, names[call]) for call in re.findall(r"\.\s*(\w+)\(\)", text) if call in names}
    return found


class Permissions(unittest.TestCase):
    def test_the_source_makes_the_calls_of_the_table_and_no_others(self):
        made, known = calls(), {(service, operation) for service, operation, *_ in NEEDS}
        self.assertGreater(len(made), 20, "the source is read wrongly")
        self.assertEqual(made - known, set(), "new calls: say in NEEDS what AWS asks for them, and in deploy/aws who has it")
        self.assertEqual(known - made, set(), "nobody makes these calls any more: take them and their permissions away")

    def test_the_roles_have_what_the_calls_need(self):
        for _, operation, role, needed, why in NEEDS:
            for action, resource in needed:
                with self.subTest(operation, action=action, resource=resource):
                    self.assertTrue(iam.allowed(policies(role), action, resource), why)

    def test_the_roles_have_nothing_that_no_call_needs(self):
        for role in ("observe", "repair"):
            needed = [pair for _, _, of, pairs, _ in NEEDS if of == role for pair in pairs]
            for policy in policies(role):
                for statement in policy["Statement"]:
                    if statement["Effect"] == "Deny":
                        continue
                    for action in iam.many(statement["Action"]):
                        for resource in iam.many(statement["Resource"]):
                            used = any(action == asked and iam.like(resource, on) for asked, on in needed)
                            self.assertTrue(used, f"{role} has {action} on {resource}, and no call needs it")

    def test_a_permission_of_one_property_goes_with_the_property(self):
        for table, path, action in SPECIAL:
            text = (ROOT / "src" / "aws" / "apigateway" / "properties" / table).read_text()
            self.assertIn(path, text, f"{table} repairs {path} no more: take {action} away")

    def test_the_roles_lack_what_nobody_should_have(self):
        for role, action, resource, why in FORBIDDEN:
            with self.subTest(role, action=action, resource=resource):
                self.assertFalse(iam.allowed(policies(role), action, resource), why)

    def test_no_permission_is_a_star(self):
        alone = {"cloudtrail:LookupEvents", "cloudtrail:DescribeTrails"}  # AWS knows no resource for these
        for role in ("observe", "repair"):
            for policy in policies(role):
                for statement in policy["Statement"]:
                    actions = iam.many(statement["Action"])
                    self.assertFalse([action for action in actions if "*" in action], statement)
                    if statement["Effect"] == "Allow" and "*" in iam.many(statement["Resource"]):
                        self.assertLessEqual(set(actions), alone, statement)

    def test_a_repair_never_goes_to_weak_tls(self):
        for policy, allowed, why in [
            ("TLS_1_0", False, "whatever a policy in the cluster wants"),
            ("TLS_1_2", True, "that is a repair"),
            ("SecurityPolicy_TLS13_1_3_2025_09", True, "and a better one"),
        ]:
            for resource in (API, DOMAIN):
                context = {"apigateway:Request/SecurityPolicy": [policy]}
                self.assertEqual(iam.allowed(policies("repair"), "apigateway:PATCH", resource, context=context), allowed, why)

    def test_an_account_that_only_audits_has_no_write_permission_for_its_apis(self):
        only_audit = policies("repair", Repair="no")
        for _, operation, role, needed, _ in NEEDS:
            if role != "repair":
                continue
            for action, resource in needed:
                told = not action.startswith("apigateway:")
                self.assertEqual(iam.allowed(only_audit, action, resource), told, f"{operation}: it records and tells, and nothing else")

    def test_what_a_stack_was_not_asked_for_asks_for_no_permission(self):
        self.assertFalse(iam.allowed(policies("observe", TrailFiles="no"), "s3:GetObject", TRAIL_FILE), "trail files are not read")
        without = policies("observe", MachinesQueue="no")
        self.assertFalse(iam.allowed(without, "sqs:ReceiveMessage", QUEUES[1]), "there is no such queue")
        self.assertTrue(iam.allowed(without, "sqs:ReceiveMessage", QUEUES[0]), "this one there is")

    def test_the_readme_grants_what_the_template_grants(self):
        text = (ROOT / "README.md").read_text()
        for action in sorted({action for *_, needed, _ in NEEDS for action, _ in needed if action.startswith("apigateway:")}):
            self.assertTrue(f'"{action}"' in text, f"the README does not grant {action}, and whoever writes roles by hand reads it there")


if __name__ == "__main__":
    unittest.main()
