//! The objects of endpoints: there as soon as the endpoint is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::runtime::reflector::ObjectRef;

use crate::api::endpoint::AwsEndpointSpec;
use crate::api::{AwsAccount, AwsEndpoint};
use crate::controller::context::Context;
use crate::controller::kubernetes::status;
use crate::judge::snapshot::EndpointId;

/// Creates an endpoint's object, unless it stands.
pub async fn ensure(ctx: &Context, account: &AwsAccount, name: &str, id: &EndpointId) {
    if ctx.stores.endpoints.get(&ObjectRef::new(name)).is_some() {
        return;
    }
    let endpoint = AwsEndpoint {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            owner_references: account.controller_owner_ref(&()).map(|mut owner| {
                // Deleting the account must not wait for its endpoints.
                owner.block_owner_deletion = None;
                vec![owner]
            }),
            ..ObjectMeta::default()
        },
        spec: AwsEndpointSpec {
            account_id: id.account_id.clone(),
            region: id.region.clone(),
            type_: id.type_,
            id: id.id.clone(),
        },
        status: None,
    };
    match status::create(ctx, &endpoint).await {
        Ok(_) | Err(status::Error::Conflict) => {}
        Err(error) => tracing::warn!(%error, endpoint = name, "AwsEndpoint not created"),
    }
}
