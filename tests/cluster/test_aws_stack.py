"""The CloudFormation of deploy/aws: linted, read, and deployed into moto."""

import ast
import datetime
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from labkit import iam, moto, stack, template  # noqa: E402
from labkit.processes import Watchdog  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ACCOUNT, REGION, ELSEWHERE = "111122223333", "eu-west-1", "us-west-2"
POD = f"arn:aws:iam::{ACCOUNT}:role/pod"
GIVEN = {"ExternalId": "plumbline-prod", "ControllerArn": POD}
PROVIDER = "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
TEMPLATES = sorted(template.FOLDER.glob("*.yaml"))
TLS_LESS = {"aws:SecureTransport": "false"}


def worked(which: str = "plumbline", name: str = "plumbline", region: str = REGION, **parameters: str) -> template.Worked:
    """What a template says for a stack."""
    given = GIVEN | parameters if which == "plumbline" else parameters
    return template.Worked(template.load(template.FOLDER / f"{which}.yaml"), name, ACCOUNT, region, given)


def lint(*paths: pathlib.Path) -> subprocess.CompletedProcess:
    """cfn-lint with its informational rules, too, for regions with unlike schemas."""
    program = [moto.provide(), "-c", "from cfnlint.runner import main; main()"]
    regions = ["--regions", "us-east-1", REGION, "ap-northeast-3", "eu-central-2"]
    return subprocess.run([*program, "--include-checks", "I", *regions, "--", *paths], capture_output=True, text=True)


class Templates(unittest.TestCase):
    """What the text says, without deploying it."""

    def test_cfn_lint_has_nothing_to_say(self) -> None:
        self.assertEqual([path.name for path in TEMPLATES], ["plumbline.yaml", "region.yaml"])
        done = lint(*TEMPLATES)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_cfn_lint_would_have_something_to_say(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            wrong = pathlib.Path(folder) / "wrong.yaml"
            wrong.write_text(TEMPLATES[0].read_text().replace("SqsManagedSseEnabled", "SqsManagedSse"))
            self.assertIn("SqsManagedSse", lint(wrong).stdout)

    def test_no_alias_is_used_which_cloudformation_does_not_take(self) -> None:
        for path in TEMPLATES:
            self.assertNotRegex(path.read_text(), r"(?m)^[^#\"]*: [&*][a-z]", path.name)

    def test_a_wrong_parameter_is_told_what_to_write(self) -> None:
        text = template.load(template.FOLDER / "plumbline.yaml")
        for key, what in text["Parameters"].items():
            self.assertTrue(what["Description"] and what["ConstraintDescription"].startswith("write "), key)
        for parameter, value, why in [
            ("ExternalId", "", "nobody would be asked for one"),
            ("ExternalId", "two words", "IAM takes no space"),
            ("ControllerArn", "plumbline-pod", "no ARN"),
            ("ControllerArn", "arn:aws:iam::1234:role/x", "an account has 12 digits"),
            ("OidcProvider", f"https://{PROVIDER}", "IAM names it without https://"),
            ("OidcSubject", "plumbline", "no ServiceAccount"),
            ("FurtherAccounts", "222233334444,x", "no account id"),
            ("PeopleEmail", "platform", "no address"),
            ("TrailBucket", "Acme", "buckets have no capitals"),
            ("Repair", "true", "the words are yes and no"),
            ("ObjectLockMode", "governance", "S3's words are in capitals"),
        ]:
            with self.subTest(parameter, value=value), self.assertRaisesRegex(ValueError, f"^{parameter}: write ", msg=why):
                worked(**{parameter: value})

    def test_parameters_that_contradict_each_other_are_refused(self) -> None:
        for parameters, said, why in [
            ({}, "", "a controller that there is"),
            ({"ControllerArn": "", "OidcProvider": PROVIDER}, "", "a controller to be made"),
            ({"ControllerArn": ""}, "Name either", "nobody could take the roles"),
            ({"OidcProvider": PROVIDER}, "Name either", "which of the two?"),
            ({"Trail": "no", "TrailFiles": "yes"}, "TrailFiles needs a trail", "of which?"),
            ({"Trail": "no", "TrailFiles": "yes", "TrailBucket": "acme-trail"}, "", "of that one"),
        ]:
            self.assertTrue("".join(worked(**parameters).broken()).startswith(said), why)
            self.assertEqual(bool(worked(**parameters).broken()), bool(said), why)

    def test_names_fit_where_they_stand(self) -> None:
        text = worked(name="n" * 24, region="ap-southeast-1")
        for kind, key, longest in [
            ("AWS::S3::Bucket", "BucketName", 63),
            ("AWS::SQS::Queue", "QueueName", 80),
            ("AWS::IAM::Role", "RoleName", 64),
            ("AWS::Events::Rule", "Name", 64),
        ]:
            for logical, properties in text.of_type(kind).items():
                self.assertLessEqual(len(properties.get(key, "")), longest, logical)

    def test_every_queue_has_encryption_a_policy_and_somewhere_to_put_aside(self) -> None:
        for text in (worked(), worked("region", region=ELSEWHERE)):
            queues = text.of_type("AWS::SQS::Queue")
            with_policy = [url for policy in text.of_type("AWS::SQS::QueuePolicy").values() for url in policy["Queues"]]
            self.assertEqual(sorted(with_policy), sorted(text.work({"Ref": logical}) for logical in queues))
            for logical, queue in queues.items():
                self.assertIs(queue["SqsManagedSseEnabled"], True, logical)
                self.assertNotIn("KmsMasterKeyId", queue, "EventBridge, S3 and SNS could not send")
                if queue["QueueName"].endswith("-dead"):
                    self.assertEqual(queue["MessageRetentionPeriod"], 14 * 86400, logical)
                    source = text.work({"Fn::GetAtt": [logical, "Arn"]}).removesuffix("-dead")
                    self.assertEqual(queue["RedriveAllowPolicy"]["sourceQueueArns"], [source], logical)
                else:
                    self.assertEqual(queue["MessageRetentionPeriod"], 4 * 86400, logical)
                    self.assertEqual(queue["ReceiveMessageWaitTimeSeconds"], 20, logical)
                    self.assertEqual(queue["RedrivePolicy"]["maxReceiveCount"], 5, logical)

    def test_who_may_send_into_a_queue(self) -> None:
        events, repairs = (f"arn:aws:sqs:{REGION}:{ACCOUNT}:plumbline-{queue}" for queue in ("events", "repairs"))
        rule, topic = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/plumbline-changes", f"arn:aws:sns:{REGION}:{ACCOUNT}:plumbline-machines"
        bucket = f"arn:aws:s3:::plumbline-trail-{ACCOUNT}-{REGION}"
        config = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/plumbline-config"
        files, of_others = {"TrailFiles": "yes"}, {"TrailFiles": "yes", "Trail": "no", "TrailBucket": "acme-trail"}
        own = {"aws:SourceArn": bucket, "aws:SourceAccount": ACCOUNT}
        for parameters, queue, who, context, may, why in [
            ({}, events, "events.amazonaws.com", {"aws:SourceArn": rule}, True, "the rule's changes"),
            ({}, events, "events.amazonaws.com", {"aws:SourceArn": config}, False, "there is no such rule"),
            ({"ConfigEvents": "yes"}, events, "events.amazonaws.com", {"aws:SourceArn": config}, True, "now there is"),
            ({}, events, "events.amazonaws.com", {"aws:SourceArn": rule.replace(ACCOUNT, "999988887777")}, False, "another account's rule"),
            ({}, events, "events.amazonaws.com", {}, False, "a call that says of nobody"),
            ({}, events, "events.amazonaws.com", {"aws:SourceArn": rule} | TLS_LESS, False, "in clear text"),
            ({}, events, "s3.amazonaws.com", own, False, "files were not asked for"),
            (files, events, "s3.amazonaws.com", own, True, "now they are"),
            (files, events, "s3.amazonaws.com", own | {"aws:SourceAccount": "999988887777"}, False, "a bucket's name does not say whose it is"),
            (of_others, events, "s3.amazonaws.com", {"aws:SourceArn": "arn:aws:s3:::acme-trail"}, True, "the bucket that was named"),
            (of_others, events, "s3.amazonaws.com", own, False, "there is no such bucket"),
            ({}, events, "sns.amazonaws.com", {"aws:SourceArn": topic}, False, "the topic has a queue of its own"),
            ({}, repairs, "sns.amazonaws.com", {"aws:SourceArn": topic}, True, "the machines topic"),
            ({}, repairs, "sns.amazonaws.com", {"aws:SourceArn": topic.replace("machines", "people")}, False, "letters are for people"),
            ({}, repairs, "events.amazonaws.com", {"aws:SourceArn": rule}, False, "changes have a queue of their own"),
            ({}, f"{events}-dead", "events.amazonaws.com", {"aws:SourceArn": rule}, False, "what is put aside comes from the queue alone"),
        ]:
            documents = [policy["PolicyDocument"] for policy in worked(**parameters).of_type("AWS::SQS::QueuePolicy").values()]
            self.assertEqual(iam.allowed(documents, "sqs:SendMessage", queue, who, context), may, f"{who} into {queue}: {why}")

    def test_what_a_bucket_refuses_whoever_asks(self) -> None:
        text = worked()
        [audit] = [one["PolicyDocument"] for one in text.of_type("AWS::S3::BucketPolicy").values() if "audit" in one["Bucket"]]
        [trail] = [one["PolicyDocument"] for one in text.of_type("AWS::S3::BucketPolicy").values() if "trail" in one["Bucket"]]
        record, file = "arn:aws:s3:::plumbline-auditbucket/audit/v1/x", f"arn:aws:s3:::plumbline-trail-{ACCOUNT}-{REGION}/AWSLogs/{ACCOUNT}/x"
        whole, part = {"s3:ObjectCreationOperation": "true"}, {"s3:ObjectCreationOperation": "false"}
        for policy, action, resource, context, denied, why in [
            (audit, "s3:PutObject", record, whole, True, "it could go over a record"),
            (audit, "s3:PutObject", record, whole | {"s3:if-none-match": "*"}, False, "it cannot"),
            (audit, "s3:PutObject", record, part, False, "a part of an upload cannot say so; the end of the upload must"),
            (audit, "s3:GetObject", record, {}, False, "a record is read without further ado"),
            (audit, "s3:GetObject", record, TLS_LESS, True, "in clear text"),
            (audit, "s3:PutObject", record, whole | {"s3:if-none-match": "*"} | TLS_LESS, True, "in clear text"),
            (audit, "s3:ListBucket", "arn:aws:s3:::plumbline-auditbucket", TLS_LESS, True, "in clear text"),
            (trail, "s3:GetObject", file, TLS_LESS, True, "in clear text"),
            (trail, "s3:GetObject", file, {}, False, "a file is read by whoever may"),
        ]:
            self.assertEqual("Deny" in iam.effects_of([policy], action, resource, POD, context), denied, f"{action}: {why}")
        of_trail = {"aws:SourceArn": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/plumbline", "s3:x-amz-acl": "bucket-owner-full-control"}
        for context, may, why in [
            (of_trail, True, "the trail writes"),
            (of_trail | {"aws:SourceArn": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/other"}, False, "another trail does not"),
        ]:
            self.assertEqual(iam.allowed([trail], "s3:PutObject", file, "cloudtrail.amazonaws.com", context), may, why)

    def test_nothing_is_published_in_clear_text(self) -> None:
        text = worked()
        topics = {text.work({"Ref": logical}) for logical in text.of_type("AWS::SNS::Topic")}
        policies = text.of_type("AWS::SNS::TopicPolicy").values()
        self.assertEqual({topic for policy in policies for topic in policy["Topics"]}, topics)
        documents = [policy["PolicyDocument"] for policy in policies]
        for topic in topics:
            self.assertIn("Deny", iam.effects_of(documents, "sns:Publish", topic, POD, TLS_LESS))
            self.assertEqual(iam.effects_of(documents, "sns:Publish", topic, POD), set(), "the role's own policy decides")

    def test_records_are_kept_as_long_as_they_are_locked(self) -> None:
        bucket = worked(ObjectLockMode="COMPLIANCE", ObjectLockDays="2555").of_type("AWS::S3::Bucket")["AuditBucket"]
        self.assertEqual(bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"], {"Mode": "COMPLIANCE", "Days": "2555"})
        self.assertFalse([rule for rule in bucket["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in rule], "no rule deletes a record")
        for logical, resource in worked().resources.items():
            if resource["Type"] == "AWS::S3::Bucket":
                self.assertEqual((resource["DeletionPolicy"], resource["UpdateReplacePolicy"]), ("RetainExceptOnCreate", "Retain"), logical)

    def test_small_records_go_to_glacier_too_unless_they_shall_not(self) -> None:
        for days, status in (("30", "Enabled"), ("0", "Disabled")):
            lifecycle = worked(GlacierAfterDays=days).of_type("AWS::S3::Bucket")["AuditBucket"]["LifecycleConfiguration"]
            self.assertEqual(lifecycle["TransitionDefaultMinimumObjectSize"], "varies_by_storage_class", "by default S3 moves nothing under 128 KB")
            [archive] = [rule for rule in lifecycle["Rules"] if "Transitions" in rule]
            self.assertEqual((archive["Status"], archive["Transitions"]), (status, [{"StorageClass": "GLACIER", "TransitionInDays": days}]))
            self.assertTrue("audit/v1/x".startswith(archive["Prefix"]))

    def test_the_roles_are_taken_with_the_external_id_alone(self) -> None:
        made = {"ControllerArn": "", "OidcProvider": PROVIDER, "FurtherAccounts": "222233334444,333344445555"}
        for text, who in ((worked(), POD), (worked(**made), f"arn:aws:iam::{ACCOUNT}:role/plumbline-controller")):
            roles = text.of_type("AWS::IAM::Role")
            for logical in ("ObserveRole", "RepairRole"):
                trust = [roles[logical]["AssumeRolePolicyDocument"]]
                for principal, external, may, why in [
                    (who, {"sts:ExternalId": "plumbline-prod"}, True, "the controller"),
                    (who, {"sts:ExternalId": "other"}, False, "on behalf of somebody else"),
                    (who, {}, False, "on nobody's behalf"),
                    (f"arn:aws:iam::{ACCOUNT}:role/other", {"sts:ExternalId": "plumbline-prod"}, False, "somebody else who knows it"),
                ]:
                    self.assertEqual(iam.allowed(trust, "sts:AssumeRole", "*", principal, external), may, why)
                self.assertEqual(roles[logical]["MaxSessionDuration"], 3600, "a role that is taken by a role lasts an hour at most")

    def test_the_controllers_role_is_the_service_accounts_and_takes_the_two_roles_alone(self) -> None:
        text = worked(ControllerArn="", OidcProvider=PROVIDER, FurtherAccounts="222233334444,333344445555")
        trust = json.loads(text.of_type("AWS::IAM::Role")["ControllerRole"]["AssumeRolePolicyDocument"])
        provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{PROVIDER}"
        claims = {f"{PROVIDER}:sub": "system:serviceaccount:plumbline-system:plumbline", f"{PROVIDER}:aud": "sts.amazonaws.com"}
        other = claims | {f"{PROVIDER}:sub": "system:serviceaccount:default:default"}
        for context, may in ((claims, True), (other, False), ({}, False)):
            self.assertEqual(iam.allowed([trust], "sts:AssumeRoleWithWebIdentity", "*", provider, context), may)
        policies = [one["PolicyDocument"] for one in text.of_type("AWS::IAM::Policy").values() if "plumbline-controller" in one["Roles"]]
        for account, role, may, why in [
            (ACCOUNT, "plumbline-observe", True, "its own account"),
            (ACCOUNT, "plumbline-repair", True, "its own account"),
            (ACCOUNT, "admin", False, "no other role"),
            ("222233334444", "plumbline-repair", True, "a further account"),
            ("999988887777", "plumbline-repair", False, "an account that was not named"),
        ]:
            context = {"aws:ResourceAccount": account}
            self.assertEqual(iam.allowed(policies, "sts:AssumeRole", f"arn:aws:iam::{account}:role/{role}", context=context), may, why)

    def test_a_further_region_hears_as_the_first_does(self) -> None:
        first, further = worked(), worked("region")
        for logical, resource in further.resources.items():
            self.assertEqual(resource, first.resources[logical], f"{logical} is the same in both templates")

    def test_the_snippet_in_the_documentation_is_the_one_that_comes_out(self) -> None:
        moto.libraries()
        import yaml

        text = (ROOT / "docs" / "aws-setup.md").read_text()
        [shown] = [block for block in re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL) if "kind: AwsAccount" in block]
        shown, made = yaml.safe_load(shown), yaml.safe_load(worked().outputs["AwsAccount"])
        made["spec"]["audit"]["bucket"] = shown["spec"]["audit"]["bucket"]  # CloudFormation chooses it
        self.assertEqual(shown, made)

    def test_every_parameter_and_output_is_in_the_documentation(self) -> None:
        text = (ROOT / "docs" / "aws-setup.md").read_text()
        loaded = template.load(template.FOLDER / "plumbline.yaml")
        for name in [*loaded["Parameters"], *loaded["Outputs"]]:
            self.assertTrue(f"`{name}`" in text, f"docs/aws-setup.md does not tell what {name} is for")


class Deployed(unittest.TestCase):
    """moto makes of it what it can; `labkit.stack` says what it leaves out and makes that by the services' own calls."""

    @classmethod
    def setUpClass(cls) -> None:
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        watchdog = Watchdog()
        cls.addClassCleanup(watchdog.close)
        cls.moto = moto.Moto(moto.provide(), folder, watchdog)
        cls.addClassCleanup(cls.moto.stop)
        cls.moto.start()
        parameters = GIVEN | {"PeopleEmail": "platform@example.com", "TrailFiles": "yes", "ConfigEvents": "yes"}
        cls.outputs = stack.deploy(cls.moto.url, ACCOUNT, REGION, parameters=parameters)
        cls.aws = staticmethod(stack.clients(cls.moto.url, ACCOUNT, REGION))
        cls.says = worked(**parameters)

    def attributes(self, url: str) -> dict[str, str]:
        return self.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    def received(self, url: str, wanted=lambda body: True) -> str:
        """The first message that is wanted; the others are put away."""
        sqs, until = self.aws("sqs"), time.monotonic() + 120
        while time.monotonic() < until:
            for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                if wanted(message["Body"]):
                    return message["Body"]
        raise AssertionError(f"nothing came into {url}")

    def test_the_queues_stand_with_what_puts_aside_what_nobody_understands(self) -> None:
        for queue in ("Events", "Repairs"):
            attributes = self.attributes(self.outputs[f"{queue}QueueUrl"])
            aside = self.attributes(self.outputs[f"{queue}DeadLettersUrl"])
            self.assertEqual(json.loads(attributes["RedrivePolicy"]), {"deadLetterTargetArn": aside["QueueArn"], "maxReceiveCount": 5})
            self.assertEqual((attributes["MessageRetentionPeriod"], aside["MessageRetentionPeriod"]), ("345600", "1209600"))
            self.assertEqual((attributes["ReceiveMessageWaitTimeSeconds"], attributes["SqsManagedSseEnabled"]), ("20", "true"))
            # moto keeps a queue's policy and asks nobody for permission; who may send is read from the template above.
            self.assertIn("OverTlsOnly", attributes["Policy"])

    def test_a_change_of_an_api_comes_into_the_queue_and_a_read_does_not(self) -> None:
        rule = self.aws("events").describe_rule(Name="plumbline-changes")
        self.assertEqual(rule["State"], "ENABLED")
        [target] = self.aws("events").list_targets_by_rule(Rule="plumbline-changes")["Targets"]
        self.assertEqual(target["Arn"], self.attributes(self.outputs["EventsQueueUrl"])["QueueArn"])
        for source, of, read_only, name in [
            ("aws.apigateway", "apigateway.amazonaws.com", True, "GetRestApis"),
            ("aws.sqs", "sqs.amazonaws.com", False, "CreateQueue"),
            ("aws.apigateway", "apigateway.amazonaws.com", False, "UpdateStage"),
        ]:
            detail = {"eventSource": of, "eventName": name, "readOnly": read_only, "eventID": "e1", "awsRegion": REGION}
            self.put(source, "AWS API Call via CloudTrail", detail)
        body = json.loads(self.received(self.outputs["EventsQueueUrl"], lambda body: '"eventName"' in body))
        self.assertEqual((body["source"], body["detail"]["eventName"]), ("aws.apigateway", "UpdateStage"), "the first of the three that is wanted")
        self.assertEqual(body["region"], REGION)  # AWS's envelope has an account, too; moto's has none

    def test_what_config_sees_comes_into_the_same_queue(self) -> None:
        # moto knows `prefix`, and `$or`: both are used by this rule alone.
        self.put("aws.config", "Config Configuration Item Change", {"configurationItem": {"resourceType": "AWS::EC2::Instance"}})
        self.put("aws.config", "Config Configuration Item Change", {"configurationItem": {"resourceType": "AWS::ApiGateway::Stage"}})
        body = json.loads(self.received(self.outputs["EventsQueueUrl"], lambda body: '"configurationItem"' in body))
        self.assertEqual(body["detail"]["configurationItem"]["resourceType"], "AWS::ApiGateway::Stage")

    def put(self, source: str, kind: str, detail: dict) -> None:
        entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail), "Time": datetime.datetime.now(datetime.UTC)}
        self.assertEqual(self.aws("events").put_events(Entries=[entry])["FailedEntryCount"], 0)

    def test_what_machines_are_told_comes_into_the_repairs_queue_as_it_is(self) -> None:
        sent = json.dumps({"schema": "plumbline.dev/drift-event/v1", "id": "u1/Waiting"})
        severity = {"severity": {"DataType": "String", "StringValue": "High"}}
        self.aws("sns").publish(TopicArn=self.outputs["MachinesTopicArn"], Message=sent, MessageAttributes=severity)
        self.assertEqual(self.received(self.outputs["RepairsQueueUrl"]), sent, "raw: nothing around it")

    def test_people_get_their_letters_by_mail(self) -> None:
        [one] = self.aws("sns").list_subscriptions_by_topic(TopicArn=self.outputs["PeopleTopicArn"])["Subscriptions"]
        self.assertEqual((one["Protocol"], one["Endpoint"]), ("email", "platform@example.com"))
        for topic in (self.outputs["PeopleTopicArn"], self.outputs["MachinesTopicArn"]):
            attributes = self.aws("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
            self.assertIn("OverTlsOnly", attributes["Policy"])
            self.assertEqual(attributes["KmsMasterKeyId"], "alias/aws/sns")

    def test_a_record_is_locked_and_kept(self) -> None:
        s3, bucket = self.aws("s3"), self.outputs["AuditBucketName"]
        self.assertEqual(s3.get_bucket_versioning(Bucket=bucket)["Status"], "Enabled")
        lock = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
        self.assertEqual(lock["Rule"]["DefaultRetention"]["Mode"], "GOVERNANCE")
        self.assertEqual(lock["Rule"]["DefaultRetention"]["Days"], 365)
        put = {"Bucket": bucket, "Key": "audit/v1/x", "Body": b"x", "IfNoneMatch": "*", "ChecksumAlgorithm": "SHA256"}
        version = s3.put_object(**put)["VersionId"]
        with self.assertRaisesRegex(s3.exceptions.ClientError, "PreconditionFailed"):
            s3.put_object(**put)
        held = s3.head_object(Bucket=bucket, Key="audit/v1/x")
        self.assertEqual(held["ObjectLockMode"], "GOVERNANCE")
        self.assertGreater((held["ObjectLockRetainUntilDate"] - datetime.datetime.now(datetime.UTC)).days, 363)
        with self.assertRaisesRegex(s3.exceptions.ClientError, "AccessDenied"):
            s3.delete_object(Bucket=bucket, Key="audit/v1/x", VersionId=version)

    def test_buckets_are_private_encrypted_and_have_an_owner(self) -> None:
        s3 = self.aws("s3")
        for bucket in (self.outputs["AuditBucketName"], self.outputs["TrailBucketName"]):
            self.assertEqual(set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()), {True})
            [rule] = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
            self.assertEqual(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")
            [owner] = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
            self.assertEqual(owner["ObjectOwnership"], "BucketOwnerEnforced")
            # Their policies are not put into moto, which does not read conditions: what they refuse is read from the template above.
        moves = [rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=self.outputs["AuditBucketName"])["Rules"] if "Transitions" in rule]
        self.assertEqual(moves[0]["Transitions"], [{"StorageClass": "GLACIER", "Days": 90}])

    def test_the_trail_logs_writes_of_every_region(self) -> None:
        cloudtrail = self.aws("cloudtrail")
        [trail] = cloudtrail.describe_trails()["trailList"]
        self.assertEqual(
            (trail["Name"], trail["IsMultiRegionTrail"], trail["LogFileValidationEnabled"], trail["S3BucketName"]),
            ("plumbline", True, True, self.outputs["TrailBucketName"]),
        )
        self.assertTrue(cloudtrail.get_trail_status(Name="plumbline")["IsLogging"])
        [selector] = cloudtrail.get_event_selectors(TrailName="plumbline")["EventSelectors"]
        self.assertEqual((selector["ReadWriteType"], selector["IncludeManagementEvents"]), ("WriteOnly", True))

    def test_new_files_of_the_trail_are_announced_and_its_digests_are_not(self) -> None:
        bucket, s3 = self.outputs["TrailBucketName"], self.aws("s3")
        for kind in ("CloudTrail-Digest", "CloudTrail"):
            s3.put_object(Bucket=bucket, Key=f"AWSLogs/{ACCOUNT}/{kind}/{REGION}/2026/11/25/x.json.gz", Body=b"x")
        body = json.loads(self.received(self.outputs["EventsQueueUrl"], lambda body: "aws:s3" in body))
        self.assertEqual(body["Records"][0]["s3"]["object"]["key"], f"AWSLogs%2F{ACCOUNT}%2FCloudTrail%2F{REGION}%2F2026%2F11%2F25%2Fx.json.gz")

    def test_the_roles_hold_the_policies_that_the_template_says(self) -> None:
        client = self.aws("iam")
        for name in ("observe", "repair"):
            role = f"plumbline-{name}"
            held = client.get_role(RoleName=role)["Role"]
            said = next(one for one in self.says.of_type("AWS::IAM::Role").values() if one["RoleName"] == role)
            self.assertEqual(held["AssumeRolePolicyDocument"], said["AssumeRolePolicyDocument"])
            self.assertEqual(held["MaxSessionDuration"], 3600)
            self.assertEqual(self.outputs[f"{name.capitalize()}RoleArn"], held["Arn"])
            documents = {
                policy: client.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
                for policy in client.list_role_policies(RoleName=role)["PolicyNames"]
            }
            # moto gives a policy of the role's own back as Python would print it.
            documents = {name: ast.literal_eval(text) if isinstance(text, str) else text for name, text in documents.items()}
            wanted = {one["PolicyName"]: one["PolicyDocument"] for one in said["Policies"]}
            wanted |= {one["PolicyName"]: one["PolicyDocument"] for one in self.says.of_type("AWS::IAM::Policy").values() if role in one["Roles"]}
            self.assertEqual(sorted(documents), sorted(wanted))
            for policy, document in wanted.items():
                # The audit bucket's name is CloudFormation's choice.
                text = json.dumps(document, sort_keys=True).replace("plumbline-auditbucket", self.outputs["AuditBucketName"])
                self.assertEqual(json.dumps(documents[policy], sort_keys=True), text, policy)

    def test_the_account_that_comes_out_is_one_that_kubernetes_takes(self) -> None:
        moto.libraries()
        import yaml

        account = yaml.safe_load(self.outputs["AwsAccount"])
        [version] = yaml.safe_load((ROOT / "crds" / "plumbline.dev_awsaccounts.yaml").read_text())["spec"]["versions"]

        def check(value: object, schema: dict, where: str) -> None:
            self.assertFalse(value in (None, "", [], {}), f"{where} is empty")
            if isinstance(value, dict):
                for key, below in value.items():
                    self.assertTrue(key in schema["properties"], f"{where}.{key} is no field")
                    check(below, schema["properties"][key], f"{where}.{key}")
            elif isinstance(value, list):
                for below in value:
                    check(below, schema["items"], f"{where}[]")
            else:
                self.assertIsInstance(value, str, f"{where} must be quoted")

        check(account["spec"], version["schema"]["openAPIV3Schema"]["properties"]["spec"], "spec")
        spec = account["spec"]
        self.assertEqual(spec["accountId"], ACCOUNT)
        self.assertEqual(spec["events"]["queues"], [self.outputs["EventsQueueUrl"], self.outputs["RepairsQueueUrl"]])
        self.assertEqual(spec["roles"]["observe"], {"arn": self.outputs["ObserveRoleArn"], "externalId": "plumbline-prod"})
        self.assertEqual(spec["roles"]["repair"], {"arn": self.outputs["RepairRoleArn"], "externalId": "plumbline-prod"})
        self.assertEqual(spec["audit"], {"bucket": self.outputs["AuditBucketName"], "prefix": "audit/v1", "region": REGION})
        self.assertEqual(spec["notify"]["people"], {"topicArn": self.outputs["PeopleTopicArn"]})
        self.assertEqual(spec["notify"]["machines"], {"topicArn": self.outputs["MachinesTopicArn"]})

    def test_what_moto_puts_out_is_what_the_template_says(self) -> None:
        for key, said in self.says.outputs.items():
            self.assertEqual(self.outputs[key], said.replace("plumbline-auditbucket", self.outputs["AuditBucketName"]), key)

    def test_further_regions_and_smaller_stacks_stand_beside_it(self) -> None:
        command = [sys.executable, HERE / "stack.py", "--endpoint", self.moto.url]
        there = [*command, "--account", ACCOUNT, "--region", ELSEWHERE, "--template", "region"]
        outputs = json.loads(subprocess.run(there, check=True, capture_output=True, text=True).stdout)
        self.assertEqual(outputs, {"EventsQueueUrl": f"https://sqs.{ELSEWHERE}.amazonaws.com/{ACCOUNT}/plumbline-events"})
        small = ["MachinesQueue=no", "Trail=no", "Repair=no"]
        other = [*command, "--account", "444455556666", "--region", REGION, "--name", "audit-only", *small]
        outputs = json.loads(subprocess.run(other, check=True, capture_output=True, text=True).stdout)
        self.assertEqual(outputs["ObserveRoleArn"], "arn:aws:iam::444455556666:role/audit-only-observe")
        self.assertFalse({"RepairsQueueUrl", "TrailBucketName", "ControllerRoleArn"} & set(outputs), "they were not asked for")
        self.assertNotIn("repairs", outputs["AwsAccount"])
        made = stack.clients(self.moto.url, "444455556666", REGION)
        self.assertEqual(made("cloudtrail").describe_trails()["trailList"], [])
        self.assertEqual(made("iam").list_role_policies(RoleName="audit-only-repair")["PolicyNames"], ["record-and-tell"])

    def test_a_stack_that_contradicts_itself_is_not_made(self) -> None:
        command = [sys.executable, HERE / "stack.py", "--endpoint", self.moto.url, "--account", ACCOUNT, "--region", REGION]
        done = subprocess.run([*command, "--name", "other", "ControllerArn="], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("Name either the ControllerArn", done.stderr)


if __name__ == "__main__":
    unittest.main()
