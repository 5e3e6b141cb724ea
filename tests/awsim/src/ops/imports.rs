//! ImportRestApi and PutRestApi.

use crate::error::AwsError;
use crate::ids::Ids;
use crate::request::{Answered, Request};
use crate::store::Partition;

pub(crate) fn import(_partition: &mut Partition, _ids: &mut Ids, _request: &Request<'_>) -> Answered {
    Err(AwsError::bad_request("awsim does not import yet"))
}

pub(crate) fn put(_partition: &mut Partition, _ids: &mut Ids, _request: &Request<'_>) -> Answered {
    Err(AwsError::bad_request("awsim does not import yet"))
}
