//! API Gateway's operations. Reads answer AWS's own JSON documents: what the SDK's types leave out is kept.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_apigateway::config::retry::RetryConfig;
use aws_sdk_apigateway::config::timeout::TimeoutConfig;
use aws_sdk_apigateway::config::{Region, StalledStreamProtectionConfig};
use aws_sdk_apigateway::types::PatchOperation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SdkConfig;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::aws::budget::Priority;
use crate::aws::gate::{Gate, Ticket};
use crate::aws::{Class, Error};

/// How many things a page holds at most.
const PAGE: i32 = 500;
/// As often is a read attempted.
const READ_ATTEMPTS: u32 = 3;

/// API Gateway of one account and region. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
    priority: Priority,
}

#[derive(Debug)]
struct Inner {
    account_id: String,
    region: String,
    reads: aws_sdk_apigateway::Client,
    writes: aws_sdk_apigateway::Client,
}

/// Sends an operation and gives AWS's answer as it came.
macro_rules! send {
    ($client:expr, $sdk:ident, $operation:literal, |$builder:ident| $built:expr) => {{
        let call = Call::new($operation, $client.priority);
        let $builder = &$client.inner.$sdk;
        let sent = $built.customize().interceptor(call.clone()).send().await;
        call.answer(sent)
    }};
}

impl Client {
    /// With the credentials and endpoints of a configuration, through a gate.
    pub fn new(config: &SdkConfig, gate: Gate, account_id: &str, region: &str) -> Self {
        // The gate has its own timeout of an attempt: the SDK's would count the time that the budget takes.
        let builder = aws_sdk_apigateway::config::Builder::from(config)
            .region(Region::new(region.to_owned()))
            .http_client(gate)
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(std::time::Duration::from_secs(3))
                    .build(),
            )
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let with =
            |retry: RetryConfig| aws_sdk_apigateway::Client::from_conf(builder.clone().retry_config(retry).build());
        Client {
            inner: Arc::new(Inner {
                account_id: account_id.to_owned(),
                region: region.to_owned(),
                reads: with(RetryConfig::standard().with_max_attempts(READ_ATTEMPTS)),
                // A write may have worked although its answer was lost: whoever repeats it looks first.
                writes: with(RetryConfig::disabled()),
            }),
            priority: Priority::default(),
        }
    }

    /// The same with another priority.
    #[must_use]
    pub fn at(&self, priority: Priority) -> Self {
        Client {
            inner: self.inner.clone(),
            priority,
        }
    }

    /// Twelve digits.
    pub fn account_id(&self) -> &str {
        &self.inner.account_id
    }

    /// As in `eu-west-1`.
    pub fn region(&self) -> &str {
        &self.inner.region
    }

    /// Every REST API, with policy, tags and settings.
    pub async fn get_rest_apis(&self) -> Result<Vec<Value>, Error> {
        every_page("GetRestApis", |position| {
            Box::pin(async move {
                send!(self, reads, "GetRestApis", |sdk| sdk
                    .get_rest_apis()
                    .limit(PAGE)
                    .set_position(position))
            })
        })
        .await
    }

    /// Every custom domain name.
    pub async fn get_domain_names(&self) -> Result<Vec<Value>, Error> {
        every_page("GetDomainNames", |position| {
            Box::pin(async move {
                send!(self, reads, "GetDomainNames", |sdk| sdk
                    .get_domain_names()
                    .limit(PAGE)
                    .set_position(position))
            })
        })
        .await
    }

    /// Every stage of an API. AWS has no pages here.
    pub async fn get_stages(&self, api: &str) -> Result<Vec<Value>, Error> {
        let answer = send!(self, reads, "GetStages", |sdk| sdk.get_stages().rest_api_id(api))?;
        items("GetStages", answer).map(|(items, _)| items)
    }

    /// Every resource of an API's editor, with its methods and their integrations.
    pub async fn get_resources(&self, api: &str) -> Result<Vec<Value>, Error> {
        every_page("GetResources", |position| {
            Box::pin(async move {
                send!(self, reads, "GetResources", |sdk| sdk
                    .get_resources()
                    .rest_api_id(api)
                    .limit(PAGE)
                    .embed("methods")
                    .set_position(position))
            })
        })
        .await
    }

    /// The `OpenAPI` document of what a stage's callers meet.
    pub async fn get_export(&self, api: &str, stage: &str) -> Result<Value, Error> {
        send!(self, reads, "GetExport", |sdk| sdk
            .get_export()
            .rest_api_id(api)
            .stage_name(stage)
            .export_type("oas30")
            .parameters("extensions", "apigateway")
            .accepts("application/json"))
    }

    /// One REST API's settings in the editor.
    pub async fn get_rest_api(&self, api: &str) -> Result<Value, Error> {
        send!(self, reads, "GetRestApi", |sdk| sdk.get_rest_api().rest_api_id(api))
    }

    /// One stage.
    pub async fn get_stage(&self, api: &str, stage: &str) -> Result<Value, Error> {
        send!(self, reads, "GetStage", |sdk| sdk
            .get_stage()
            .rest_api_id(api)
            .stage_name(stage))
    }

    /// One method of an API's editor, with its integration.
    pub async fn get_method(&self, api: &str, resource: &str, method: &str) -> Result<Value, Error> {
        send!(self, reads, "GetMethod", |sdk| sdk
            .get_method()
            .rest_api_id(api)
            .resource_id(resource)
            .http_method(method))
    }

    /// One deployment, with the summary of what it holds.
    pub async fn get_deployment(&self, api: &str, deployment: &str) -> Result<Value, Error> {
        send!(self, reads, "GetDeployment", |sdk| sdk
            .get_deployment()
            .rest_api_id(api)
            .deployment_id(deployment)
            .embed("apisummary"))
    }

    /// Every deployment of an API.
    pub async fn get_deployments(&self, api: &str) -> Result<Vec<Value>, Error> {
        every_page("GetDeployments", |position| {
            Box::pin(async move {
                send!(self, reads, "GetDeployments", |sdk| sdk
                    .get_deployments()
                    .rest_api_id(api)
                    .limit(PAGE)
                    .set_position(position))
            })
        })
        .await
    }

    /// Every authorizer of an API's editor.
    pub async fn get_authorizers(&self, api: &str) -> Result<Vec<Value>, Error> {
        every_page("GetAuthorizers", |position| {
            Box::pin(async move {
                send!(self, reads, "GetAuthorizers", |sdk| sdk
                    .get_authorizers()
                    .rest_api_id(api)
                    .limit(PAGE)
                    .set_position(position))
            })
        })
        .await
    }

    /// Every request validator of an API's editor.
    pub async fn get_request_validators(&self, api: &str) -> Result<Vec<Value>, Error> {
        every_page("GetRequestValidators", |position| {
            Box::pin(async move {
                send!(self, reads, "GetRequestValidators", |sdk| sdk
                    .get_request_validators()
                    .rest_api_id(api)
                    .limit(PAGE)
                    .set_position(position))
            })
        })
        .await
    }

    /// Every model of an API's editor.
    pub async fn get_models(&self, api: &str) -> Result<Vec<Value>, Error> {
        every_page("GetModels", |position| {
            Box::pin(async move {
                send!(self, reads, "GetModels", |sdk| sdk
                    .get_models()
                    .rest_api_id(api)
                    .limit(PAGE)
                    .set_position(position))
            })
        })
        .await
    }

    /// Every gateway response of an API's editor, the defaults too.
    pub async fn get_gateway_responses(&self, api: &str) -> Result<Vec<Value>, Error> {
        every_page("GetGatewayResponses", |position| {
            Box::pin(async move {
                send!(self, reads, "GetGatewayResponses", |sdk| sdk
                    .get_gateway_responses()
                    .rest_api_id(api)
                    .limit(PAGE)
                    .set_position(position))
            })
        })
        .await
    }

    /// What holds for the whole account and region.
    pub async fn get_account(&self) -> Result<Value, Error> {
        send!(self, reads, "GetAccount", |sdk| sdk.get_account())
    }

    /// One custom domain name. A private one is found by its id alone.
    pub async fn get_domain_name(&self, domain: &str, domain_id: Option<String>) -> Result<Value, Error> {
        send!(self, reads, "GetDomainName", |sdk| sdk
            .get_domain_name()
            .domain_name(domain)
            .set_domain_name_id(domain_id))
    }

    pub(super) async fn update_rest_api(&self, api: &str, patch: Vec<PatchOperation>) -> Result<Value, Error> {
        send!(self, writes, "UpdateRestApi", |sdk| sdk
            .update_rest_api()
            .rest_api_id(api)
            .set_patch_operations(Some(patch)))
    }

    pub(super) async fn update_stage(
        &self,
        api: &str,
        stage: &str,
        patch: Vec<PatchOperation>,
    ) -> Result<Value, Error> {
        send!(self, writes, "UpdateStage", |sdk| sdk
            .update_stage()
            .rest_api_id(api)
            .stage_name(stage)
            .set_patch_operations(Some(patch)))
    }

    pub(super) async fn update_method(
        &self,
        api: &str,
        resource: &str,
        method: &str,
        patch: Vec<PatchOperation>,
    ) -> Result<Value, Error> {
        send!(self, writes, "UpdateMethod", |sdk| sdk
            .update_method()
            .rest_api_id(api)
            .resource_id(resource)
            .http_method(method)
            .set_patch_operations(Some(patch)))
    }

    pub(super) async fn update_integration(
        &self,
        api: &str,
        resource: &str,
        method: &str,
        patch: Vec<PatchOperation>,
    ) -> Result<Value, Error> {
        send!(self, writes, "UpdateIntegration", |sdk| sdk
            .update_integration()
            .rest_api_id(api)
            .resource_id(resource)
            .http_method(method)
            .set_patch_operations(Some(patch)))
    }

    pub(super) async fn update_domain_name(
        &self,
        domain: &str,
        domain_id: Option<String>,
        patch: Vec<PatchOperation>,
    ) -> Result<Value, Error> {
        send!(self, writes, "UpdateDomainName", |sdk| sdk
            .update_domain_name()
            .domain_name(domain)
            .set_domain_name_id(domain_id)
            .set_patch_operations(Some(patch)))
    }

    pub(super) async fn tag_resource(&self, arn: &str, tags: Vec<(String, String)>) -> Result<Value, Error> {
        send!(self, writes, "TagResource", |sdk| sdk
            .tag_resource()
            .resource_arn(arn)
            .set_tags(Some(tags.into_iter().collect())))
    }

    pub(super) async fn untag_resource(&self, arn: &str, keys: Vec<String>) -> Result<Value, Error> {
        send!(self, writes, "UntagResource", |sdk| sdk
            .untag_resource()
            .resource_arn(arn)
            .set_tag_keys(Some(keys)))
    }

    pub(super) async fn create_deployment(&self, api: &str, description: &str) -> Result<Value, Error> {
        send!(self, writes, "CreateDeployment", |sdk| sdk
            .create_deployment()
            .rest_api_id(api)
            .description(description))
    }
}

/// All pages or none. A position seen before would go round for ever.
async fn every_page<'a>(
    operation: &'static str,
    // Boxed: the compiler cannot yet tell that an async closure which borrows is `Send`.
    page: impl Fn(Option<String>) -> BoxFuture<'a, Result<Value, Error>>,
) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    let mut position = None;
    loop {
        let (items, next) = items(operation, page(position).await?)?;
        all.extend(items);
        let Some(next) = next else { return Ok(all) };
        if !seen.insert(next.clone()) {
            return Err(Error::new(
                Class::Malformed,
                operation,
                "a page points back to one already read",
            ));
        }
        position = Some(next);
    }
}

/// A page's items and the next page's position. A page without the list is no empty page: it says nothing.
fn items(operation: &'static str, mut answer: Value) -> Result<(Vec<Value>, Option<String>), Error> {
    let next = answer
        .get("position")
        .and_then(Value::as_str)
        .filter(|position| !position.is_empty())
        .map(str::to_owned);
    match answer.get_mut("item").map(Value::take) {
        Some(Value::Array(items)) => Ok((items, next)),
        _ => Err(Error::new(
            Class::Malformed,
            operation,
            "the answer holds no list of items",
        )),
    }
}

/// One call: tells the gate what it is, and keeps the body of the answer.
#[derive(Clone, Debug)]
struct Call {
    ticket: Ticket,
    body: Arc<Mutex<Option<Result<Value, String>>>>,
}

impl Call {
    fn new(operation: &'static str, priority: Priority) -> Self {
        Call {
            ticket: Ticket { operation, priority },
            body: Arc::default(),
        }
    }

    fn answer<T, E>(&self, sent: Result<T, SdkError<E, HttpResponse>>) -> Result<Value, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let operation = self.ticket.operation;
        if let Err(error) = sent {
            return Err(Error::from_sdk(operation, &error));
        }
        let body = self.body.lock().unwrap_or_else(PoisonError::into_inner).take();
        match body {
            Some(Ok(document)) if document.is_object() || !operation.starts_with("Get") => Ok(document),
            Some(Err(why)) => Err(Error::new(
                Class::Malformed,
                operation,
                format!("the answer is no JSON: {why}"),
            )),
            _ => Err(Error::new(Class::Malformed, operation, "the answer is no document")),
        }
    }
}

impl Intercept for Call {
    fn name(&self) -> &'static str {
        "Call"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().add_extension(self.ticket);
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        if response.status().is_success() {
            let parsed = match response.body().bytes().unwrap_or_default() {
                [] => Ok(Value::Null), // as TagResource answers, with 204
                bytes => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
            };
            if matches!(parsed, Ok(Value::Object(_))) {
                // Nobody looks at the SDK's own types: it need not read the document a second time.
                *response.body_mut() = SdkBody::from("{}");
            }
            *self.body.lock().unwrap_or_else(PoisonError::into_inner) = Some(parsed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn pages_are_read_to_the_end_or_not_at_all() {
        let pages = |answers: Vec<Value>| async move {
            every_page("GetModels", |position: Option<String>| {
                let at: usize = position.map_or(0, |position| position.parse().unwrap());
                let answer = answers[at].clone();
                Box::pin(async move { Ok(answer) })
            })
            .await
        };
        let read = pages(vec![json!({"item": [1], "position": "1"}), json!({"item": [2]})]).await;
        assert_eq!(read.unwrap(), [json!(1), json!(2)]);
        for (answers, why) in [
            (vec![json!({"item": [1], "position": "0"})], "it goes round"),
            (
                vec![json!({"item": [1], "position": "1"}), json!({})],
                "half a list is no list",
            ),
            (vec![json!(null)], "no answer"),
        ] {
            assert_eq!(pages(answers).await.unwrap_err().class, Class::Malformed, "{why}");
        }
    }
}
