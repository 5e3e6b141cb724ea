//! VPC links, as far as integrations name them.

use crate::error::AwsError;
use crate::ids::Ids;
use crate::paging::Page;
use crate::patch;
use crate::request::{Answered, Request, empty, json};
use crate::store::{Partition, VpcLink};

pub(crate) fn create(partition: &mut Partition, ids: &mut Ids, request: &Request<'_>) -> Answered {
    let link = VpcLink {
        id: ids.short(),
        status: "AVAILABLE".to_owned(),
        seq: partition.next_seq(),
        ..request.json()?
    };
    let answer = json(202, &link);
    partition.vpc_links.push(link);
    answer
}

fn find<'a>(partition: &'a mut Partition, request: &Request<'_>) -> Result<&'a mut VpcLink, AwsError> {
    let id = request.id("vpcLinkId");
    let known = partition.vpc_links.iter_mut().find(|known| known.id == id);
    known.ok_or_else(|| AwsError::not_found("Invalid Vpc Link identifier specified"))
}

pub(crate) fn list(partition: &Partition, request: &Request<'_>) -> Answered {
    json(
        200,
        &Page::asked(request)?.of(partition.vpc_links.iter().map(|known| (known.seq, known))),
    )
}

pub(crate) fn get(partition: &mut Partition, request: &Request<'_>) -> Answered {
    json(200, find(partition, request)?)
}

pub(crate) fn update(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let steps = patch::steps(request)?;
    let link = find(partition, request)?;
    for step in steps {
        if step.path == "/name" {
            link.name = step.optional().unwrap_or_default();
        } else {
            link.description = step.optional();
        }
    }
    json(200, link)
}

pub(crate) fn delete(partition: &mut Partition, request: &Request<'_>) -> Answered {
    let id = find(partition, request)?.id.clone();
    partition.vpc_links.retain(|known| known.id != id);
    empty(202)
}
