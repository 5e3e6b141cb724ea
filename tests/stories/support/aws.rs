//! moto's side of a story, and developers who change APIs.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_apigateway::types::{Op, PatchOperation};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use super::{REGION, cluster};

async fn config(endpoint: &str, key: &str, secret: &str, token: Option<String>) -> SdkConfig {
    let credentials = aws_credential_types::Credentials::new(key, secret, token, None, "story");
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(endpoint)
        .credentials_provider(credentials)
        .load()
        .await
}

/// A bucket, two topics, and a queue on each.
pub struct Moto {
    pub bucket: String,
    pub people_topic: String,
    pub machines_topic: String,
    people_queue: String,
    machines_queue: String,
    pub s3: aws_sdk_s3::Client,
    pub sns: aws_sdk_sns::Client,
    pub sqs: aws_sdk_sqs::Client,
}

impl Moto {
    pub async fn new(account_id: &str, name: &str) -> Self {
        let url = cluster::moto();
        let base = config(&url, "AKIAIOSFODNN7EXAMPLE", "secret", None).await;
        let assumed = aws_sdk_sts::Client::new(&base)
            .assume_role()
            .role_arn(format!("arn:aws:iam::{account_id}:role/story"))
            .role_session_name("story")
            .send()
            .await
            .unwrap();
        let keys = assumed.credentials().unwrap();
        let token = Some(keys.session_token().to_owned());
        let base = config(&url, keys.access_key_id(), keys.secret_access_key(), token).await;
        let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&base).force_path_style(true).build());
        let sns = aws_sdk_sns::Client::new(&base);
        let sqs = aws_sdk_sqs::Client::new(&base);
        let bucket = format!("audit-{name}");
        make_bucket(&s3, &bucket).await;
        let (people_topic, people_queue) = topic(&sns, &sqs, "people").await;
        let (machines_topic, machines_queue) = topic(&sns, &sqs, "machines").await;
        Moto {
            bucket,
            people_topic,
            machines_topic,
            people_queue,
            machines_queue,
            s3,
            sns,
            sqs,
        }
    }

    /// Keys of all audit objects.
    pub async fn audit_keys(&self) -> Vec<String> {
        let listed = self.s3.list_objects_v2().bucket(&self.bucket).send().await.unwrap();
        listed
            .contents()
            .iter()
            .filter_map(|o| o.key().map(str::to_owned))
            .collect()
    }

    /// An audit object's document.
    pub async fn audit(&self, key: &str) -> Value {
        use std::io::Read;
        let object = self.s3.get_object().bucket(&self.bucket).key(key).send().await.unwrap();
        let bytes = object.body.collect().await.unwrap().into_bytes();
        let mut text = String::new();
        flate2::read::GzDecoder::new(bytes.as_ref())
            .read_to_string(&mut text)
            .unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Takes the machines' messages off their queue: the JSON documents.
    pub async fn machines(&self) -> Vec<Value> {
        let bodies = self.take(&self.machines_queue).await;
        bodies
            .iter()
            .map(|b| serde_json::from_str(b["Message"].as_str().unwrap()).unwrap())
            .collect()
    }

    /// Takes the people's messages off their queue: the envelopes, with `Subject` and `Message`.
    pub async fn people(&self) -> Vec<Value> {
        self.take(&self.people_queue).await
    }

    async fn take(&self, queue: &str) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let got = self
                .sqs
                .receive_message()
                .queue_url(queue)
                .max_number_of_messages(10)
                .send()
                .await
                .unwrap();
            if got.messages().is_empty() {
                return all;
            }
            for message in got.messages() {
                all.push(serde_json::from_str(message.body().unwrap()).unwrap());
                let handle = message.receipt_handle().unwrap();
                self.sqs
                    .delete_message()
                    .queue_url(queue)
                    .receipt_handle(handle)
                    .send()
                    .await
                    .unwrap();
            }
        }
    }
}

pub async fn make_bucket(s3: &aws_sdk_s3::Client, bucket: &str) {
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::from(REGION))
        .build();
    s3.create_bucket()
        .bucket(bucket)
        .create_bucket_configuration(place)
        .send()
        .await
        .unwrap();
}

async fn topic(sns: &aws_sdk_sns::Client, sqs: &aws_sdk_sqs::Client, name: &str) -> (String, String) {
    let topic = sns
        .create_topic()
        .name(format!("plumbline-{name}"))
        .send()
        .await
        .unwrap();
    let topic = topic.topic_arn().unwrap().to_owned();
    let queue = sqs
        .create_queue()
        .queue_name(format!("plumbline-{name}"))
        .send()
        .await
        .unwrap();
    let queue = queue.queue_url().unwrap().to_owned();
    let attributes = sqs
        .get_queue_attributes()
        .queue_url(&queue)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .unwrap();
    let arn = attributes.attributes().unwrap()[&QueueAttributeName::QueueArn].clone();
    sns.subscribe()
        .topic_arn(&topic)
        .protocol("sqs")
        .endpoint(arn)
        .send()
        .await
        .unwrap();
    (topic, queue)
}

/// Somebody who changes APIs.
#[derive(Clone)]
pub struct Developer(pub aws_sdk_apigateway::Client);

impl Developer {
    pub fn new(url: &str, account_id: &str, name: &str) -> Self {
        let key = Developer::key(account_id, name);
        let config = aws_sdk_apigateway::Config::builder()
            .behavior_version(aws_sdk_apigateway::config::BehaviorVersion::latest())
            .region(aws_sdk_apigateway::config::Region::new(REGION))
            .endpoint_url(url)
            .credentials_provider(aws_credential_types::Credentials::new(
                key, "secret", None, None, "story",
            ))
            .build();
        Developer(aws_sdk_apigateway::Client::from_conf(config))
    }

    /// What somebody's calls are signed with.
    pub fn key(account_id: &str, name: &str) -> String {
        format!("AKIA{account_id}{}", name.to_uppercase())
    }

    /// Ids of the APIs, in the order of their names.
    pub async fn apis(&self) -> Vec<String> {
        let listed = self.0.get_rest_apis().limit(500).send().await.unwrap();
        let mut apis: Vec<_> = listed
            .items()
            .iter()
            .map(|a| (a.name().unwrap().to_owned(), a.id().unwrap().to_owned()))
            .collect();
        apis.sort();
        apis.into_iter().map(|(_, id)| id).collect()
    }

    /// The first method of an API: resource id, verb, path.
    pub async fn first_method(&self, api: &str) -> (String, String, String) {
        let resources = self
            .0
            .get_resources()
            .rest_api_id(api)
            .limit(500)
            .embed("methods")
            .send()
            .await
            .unwrap();
        let mut found: Vec<_> = resources
            .items()
            .iter()
            .flat_map(|r| {
                let verbs = r.resource_methods().into_iter().flat_map(|m| m.keys());
                verbs
                    .map(|v| (r.path().unwrap().to_owned(), v.clone(), r.id().unwrap().to_owned()))
                    .collect::<Vec<_>>()
            })
            .collect();
        found.sort();
        let (path, verb, id) = found.remove(0);
        (id, verb, path)
    }

    /// Points an API's first method somewhere, in the editor.
    pub async fn point_backend(&self, api: &str, uri: &str) {
        let (resource, verb, _) = self.first_method(api).await;
        self.point_integration(api, &resource, &verb, uri).await;
    }

    /// Points a method somewhere, in the editor.
    pub async fn point(&self, api: &str, path: &str, verb: &str, uri: &str) {
        let resources = self.0.get_resources().rest_api_id(api).limit(500).send().await.unwrap();
        let resource = resources.items().iter().find(|r| r.path() == Some(path)).unwrap();
        self.point_integration(api, resource.id().unwrap(), verb, uri).await;
    }

    /// The same without a look at the API.
    pub async fn point_integration(&self, api: &str, resource: &str, verb: &str, uri: &str) {
        let call = self.0.update_integration().rest_api_id(api).resource_id(resource);
        let call = call.http_method(verb).patch_operations(replace("/uri", uri));
        call.send().await.unwrap();
    }

    /// Where an API's first method points, in the editor.
    pub async fn backend(&self, api: &str) -> String {
        let (resource, verb, _) = self.first_method(api).await;
        let found = self
            .0
            .get_integration()
            .rest_api_id(api)
            .resource_id(resource)
            .http_method(verb)
            .send()
            .await
            .unwrap();
        found.uri().unwrap().to_owned()
    }

    /// Deploys the editor to a stage.
    pub async fn deploy(&self, api: &str, stage: &str) -> String {
        let made = self
            .0
            .create_deployment()
            .rest_api_id(api)
            .stage_name(stage)
            .send()
            .await
            .unwrap();
        made.id().unwrap().to_owned()
    }

    /// Patches a stage.
    pub async fn update_stage(&self, api: &str, stage: &str, path: &str, value: &str) {
        let call = self.0.update_stage().rest_api_id(api).stage_name(stage);
        call.patch_operations(replace(path, value)).send().await.unwrap();
    }

    /// The deployment that a stage points at.
    pub async fn deployment(&self, api: &str, stage: &str) -> String {
        let found = self
            .0
            .get_stage()
            .rest_api_id(api)
            .stage_name(stage)
            .send()
            .await
            .unwrap();
        found.deployment_id().unwrap().to_owned()
    }

    /// Tags an API.
    pub async fn tag(&self, api: &str, key: &str, value: &str) {
        let arn = format!("arn:aws:apigateway:{REGION}::/restapis/{api}");
        self.0
            .tag_resource()
            .resource_arn(arn)
            .tags(key, value)
            .send()
            .await
            .unwrap();
    }

    /// Removes something of a stage.
    pub async fn remove(&self, api: &str, stage: &str, path: &str) {
        let call = self.0.update_stage().rest_api_id(api).stage_name(stage);
        let patch = PatchOperation::builder().op(Op::Remove).path(path).build();
        call.patch_operations(patch).send().await.unwrap();
    }

    /// Deploys the editor to a canary of a stage.
    pub async fn canary(&self, api: &str, stage: &str) {
        let canary = aws_sdk_apigateway::types::DeploymentCanarySettings::builder()
            .percent_traffic(10.0)
            .build();
        let call = self.0.create_deployment().rest_api_id(api).stage_name(stage);
        call.canary_settings(canary).send().await.unwrap();
    }

    /// Patches an API.
    pub async fn update_api(&self, api: &str, path: &str, value: &str) {
        self.0
            .update_rest_api()
            .rest_api_id(api)
            .patch_operations(replace(path, value))
            .send()
            .await
            .unwrap();
    }

    /// Adds a resource with a mock method, in the editor.
    pub async fn add_method(&self, api: &str, path_part: &str) {
        let root = self.0.get_resources().rest_api_id(api).limit(500).send().await.unwrap();
        let root = root
            .items()
            .iter()
            .find(|r| r.path() == Some("/"))
            .unwrap()
            .id()
            .unwrap()
            .to_owned();
        let made = self
            .0
            .create_resource()
            .rest_api_id(api)
            .parent_id(root)
            .path_part(path_part)
            .send()
            .await
            .unwrap();
        let id = made.id().unwrap();
        let method = self.0.put_method().rest_api_id(api).resource_id(id).http_method("GET");
        method.authorization_type("NONE").send().await.unwrap();
        let integration = self
            .0
            .put_integration()
            .rest_api_id(api)
            .resource_id(id)
            .http_method("GET");
        integration
            .r#type(aws_sdk_apigateway::types::IntegrationType::Mock)
            .send()
            .await
            .unwrap();
    }
}

/// One `replace`.
pub fn replace(path: &str, value: &str) -> PatchOperation {
    PatchOperation::builder()
        .op(Op::Replace)
        .path(path)
        .value(value)
        .build()
}
