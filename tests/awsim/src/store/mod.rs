//! What an account holds in a region.

mod model;

use std::collections::{BTreeMap, HashMap};

pub(crate) use model::*;

use crate::error::AwsError;
use crate::quotas::Buckets;

/// One account in one region.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    pub(crate) account: String,
    pub(crate) region: String,
    apis: BTreeMap<u64, RestApi>,
    api_seqs: HashMap<String, u64>,
    pub(crate) domain_names: BTreeMap<String, DomainName>,
    pub(crate) certificates: Vec<ClientCertificate>,
    pub(crate) vpc_links: Vec<VpcLink>,
    pub(crate) cloudwatch_role_arn: Option<String>,
    pub(crate) buckets: Buckets,
    last_seq: u64,
}

impl Partition {
    pub(crate) fn new(account: &str, region: &str) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            ..Self::default()
        }
    }

    /// The next number of the order in which things were made.
    pub(crate) fn next_seq(&mut self) -> u64 {
        self.last_seq += 1;
        self.last_seq
    }

    pub(crate) fn insert_api(&mut self, api: RestApi) {
        let seq = self.next_seq();
        self.api_seqs.insert(api.id.clone(), seq);
        self.apis.insert(seq, api);
    }

    pub(crate) fn has_api(&self, id: &str) -> bool {
        self.api_seqs.contains_key(id)
    }

    pub(crate) fn api(&self, id: &str) -> Result<&RestApi, AwsError> {
        self.api_seqs
            .get(id)
            .and_then(|seq| self.apis.get(seq))
            .ok_or_else(|| no_such_api(&self.account, id))
    }

    pub(crate) fn api_mut(&mut self, id: &str) -> Result<&mut RestApi, AwsError> {
        self.api_seqs
            .get(id)
            .and_then(|seq| self.apis.get_mut(seq))
            .ok_or_else(|| no_such_api(&self.account, id))
    }

    pub(crate) fn remove_api(&mut self, id: &str) -> Result<(), AwsError> {
        let seq = self.api_seqs.remove(id).ok_or_else(|| no_such_api(&self.account, id))?;
        self.apis.remove(&seq);
        Ok(())
    }

    /// The APIs made after `seq`, in order.
    pub(crate) fn apis_after(&self, seq: u64) -> impl Iterator<Item = (u64, &RestApi)> {
        self.apis.range(seq.saturating_add(1)..).map(|(seq, api)| (*seq, api))
    }
}

fn no_such_api(account: &str, id: &str) -> AwsError {
    AwsError::not_found(format!("Invalid API identifier specified {account}:{id}"))
}

impl RestApi {
    /// The editor, to change it: what deployments hold stays as it was.
    pub(crate) fn edit(&mut self) -> &mut Definition {
        std::sync::Arc::make_mut(&mut self.editor)
    }

    pub(crate) fn stage(&self, name: &str) -> Result<&Stage, AwsError> {
        self.stages
            .iter()
            .find(|stage| stage.stage_name == name)
            .ok_or_else(no_such_stage)
    }

    pub(crate) fn stage_mut(&mut self, name: &str) -> Result<&mut Stage, AwsError> {
        self.stages
            .iter_mut()
            .find(|stage| stage.stage_name == name)
            .ok_or_else(no_such_stage)
    }

    pub(crate) fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.id == id)
    }
}

fn no_such_stage() -> AwsError {
    AwsError::not_found("Invalid stage identifier specified")
}

impl Definition {
    pub(crate) fn resource(&self, id: &str) -> Result<&std::sync::Arc<Resource>, AwsError> {
        self.resources
            .iter()
            .find(|resource| resource.id == id)
            .ok_or_else(no_such_resource)
    }

    pub(crate) fn resource_mut(&mut self, id: &str) -> Result<&mut Resource, AwsError> {
        self.resources
            .iter_mut()
            .find(|resource| resource.id == id)
            .map(std::sync::Arc::make_mut)
            .ok_or_else(no_such_resource)
    }

    pub(crate) fn method(&self, resource: &str, verb: &str) -> Result<&Method, AwsError> {
        self.resource(resource)?
            .resource_methods
            .get(verb)
            .map(AsRef::as_ref)
            .ok_or_else(no_such_method)
    }

    pub(crate) fn method_mut(&mut self, resource: &str, verb: &str) -> Result<&mut Method, AwsError> {
        self.resource_mut(resource)?
            .resource_methods
            .get_mut(verb)
            .map(AsMut::as_mut)
            .ok_or_else(no_such_method)
    }
}

pub(crate) fn no_such_resource() -> AwsError {
    AwsError::not_found("Invalid Resource identifier specified")
}

pub(crate) fn no_such_method() -> AwsError {
    AwsError::not_found("Invalid Method identifier specified")
}
