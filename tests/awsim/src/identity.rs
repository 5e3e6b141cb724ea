//! `userIdentity`: how CloudTrail shows who called.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::calls::Call;

/// What CloudTrail knows of a principal beyond its ARN.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Face {
    /// The type; none means the one of the ARN.
    #[serde(rename = "type")]
    pub kind: Option<Kind>,
    /// ARN of the role or user behind the session; none means the role of the ARN, and for IAM Identity Center's
    /// roles the one at their path.
    pub session_issuer: Option<String>,
    /// The service that called on the principal's behalf, or, of an `AWSService`, for itself.
    pub invoked_by: Option<String>,
    /// The identity provider of a web identity, or behind a role's session.
    pub provider: Option<String>,
    /// The name of a web identity.
    pub user_name: Option<String>,
}

/// The type of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Kind {
    AssumedRole,
    #[serde(rename = "IAMUser")]
    IamUser,
    Root,
    FederatedUser,
    #[serde(rename = "AWSService")]
    AwsService,
    WebIdentityUser,
}

impl Face {
    fn kind(&self, arn: &str) -> Kind {
        let word = resource(arn).split('/').next().unwrap_or_default();
        self.kind.unwrap_or(match word {
            "assumed-role" => Kind::AssumedRole,
            "user" => Kind::IamUser,
            "federated-user" => Kind::FederatedUser,
            _ => Kind::Root,
        })
    }

    /// The same with the issuer that is behind a role of IAM Identity Center.
    pub(crate) fn completed(mut self, account: &str, arn: &str, region: &str) -> Self {
        if let Some(role) = role(arn).filter(|role| role.starts_with("AWSReservedSSO_")) {
            self.session_issuer.get_or_insert_with(|| {
                format!("arn:aws:iam::{account}:role/aws-reserved/sso.amazonaws.com/{region}/{role}")
            });
        }
        self
    }

    /// What LookupEvents calls the caller; a service has no name.
    pub(crate) fn called<'a>(&'a self, arn: &'a str) -> Option<&'a str> {
        match self.kind(arn) {
            Kind::AwsService => None,
            Kind::WebIdentityUser => self.user_name.as_deref(),
            _ => resource(arn).rsplit('/').next(),
        }
    }

    pub(crate) fn identity(&self, call: &Call) -> Value {
        let Call {
            principal: arn,
            account,
            access_key_id,
            ..
        } = call;
        let name = resource(arn).rsplit('/').next().unwrap_or_default();
        let kind = self.kind(arn);
        let mut identity = json!({
            "type": kind,
            "principalId": "",
            "arn": arn,
            "accountId": account,
            "accessKeyId": access_key_id,
        });
        match kind {
            Kind::AssumedRole => {
                let role = role(arn).unwrap_or_default();
                let issuer = self.session_issuer.clone();
                let issuer = issuer.unwrap_or_else(|| format!("arn:aws:iam::{account}:role/{role}"));
                identity["principalId"] = json!(format!("{}:{name}", unique("AROA", role)));
                identity["sessionContext"] = session("Role", "AROA", &issuer, account, call.time);
                if let Some(provider) = &self.provider {
                    identity["sessionContext"]["webIdFederationData"] =
                        json!({"federatedProvider": provider, "attributes": {}});
                }
            }
            Kind::IamUser => {
                identity["principalId"] = json!(unique("AIDA", name));
                identity["userName"] = json!(name);
            }
            Kind::FederatedUser => {
                let issuer = self.session_issuer.clone();
                let issuer = issuer.unwrap_or_else(|| format!("arn:aws:iam::{account}:user/federation"));
                identity["principalId"] = json!(format!("{account}:{name}"));
                identity["sessionContext"] = session("IAMUser", "AIDA", &issuer, account, call.time);
            }
            Kind::Root => identity["principalId"] = json!(account),
            Kind::AwsService => identity = json!({"type": kind}),
            Kind::WebIdentityUser => {
                let (provider, user) = (self.provider.as_deref(), self.user_name.as_deref());
                let (provider, user) = (provider.unwrap_or_default(), user.unwrap_or_default());
                identity = json!({
                    "type": kind,
                    "principalId": format!("{provider}:{user}"),
                    "userName": user,
                    "identityProvider": provider,
                });
            }
        }
        if let Some(service) = &self.invoked_by {
            identity["invokedBy"] = json!(service);
        }
        identity
    }
}

/// What stands in an ARN after its last colon.
fn resource(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

/// The role of a session.
fn role(arn: &str) -> Option<&str> {
    resource(arn).strip_prefix("assumed-role/")?.split('/').next()
}

fn unique(prefix: &str, name: &str) -> String {
    let letters = name
        .to_ascii_uppercase()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "");
    format!("{prefix}{letters:0>17}")
}

fn session(kind: &str, prefix: &str, issuer: &str, account: &str, began: Timestamp) -> Value {
    let name = issuer.rsplit('/').next().unwrap_or_default();
    json!({
        "sessionIssuer": {
            "type": kind,
            "principalId": unique(prefix, name),
            "arn": issuer,
            "accountId": account,
            "userName": name,
        },
        "attributes": {
            "creationDate": began.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "mfaAuthenticated": "false",
        },
    })
}
