//! Behaviours of AWS that are neither documented nor recorded: each can be had either way.

use std::collections::BTreeMap;
use std::fmt;

use crate::store::Definition;

/// A behaviour that can be had in more than one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Switch {
    /// `export.policy = snapshot | editor | absent`: whose resource policy GetExport shows.
    ExportPolicy,
    /// `export.compression = snapshot | editor | absent`: whose minimum compression size.
    ExportCompression,
    /// `export.gateway-responses = snapshot | editor | absent`: whose gateway responses.
    ExportGatewayResponses,
    /// `export.endpoint-configuration = snapshot | editor | absent`: whose endpoint configuration.
    ExportEndpointConfiguration,
    /// `canary-deploy-without-settings = stage | canary`: where a CreateDeployment without
    /// canarySettings to a stage with a canary goes.
    CanaryDeployWithoutSettings,
    /// `disable-execute-api = on-stage-change | on-deployment`: what makes a change of
    /// `disableExecuteApiEndpoint` reach callers.
    DisableExecuteApi,
    /// `policy-arns = expanded | as-written`: whether `execute-api:/...` in a resource policy comes
    /// back as the whole ARN.
    PolicyArns,
    /// `new-method-settings = from-wildcard | defaults`: what the first patch of one method's
    /// settings starts from when the stage has `*/*` settings.
    NewMethodSettings,
    /// `security-policy-change = updating | at-once`: whether a REST API is UPDATING for 15 minutes
    /// after a change of its security policy.
    SecurityPolicyChange,
    /// `trail-masks-values = off | on`: whether CloudTrail's records show `***` for the values of
    /// patches and the URIs of integrations.
    TrailMasksValues,
}

impl Switch {
    /// Every switch.
    pub const ALL: [Self; 10] = [
        Self::ExportPolicy,
        Self::ExportCompression,
        Self::ExportGatewayResponses,
        Self::ExportEndpointConfiguration,
        Self::CanaryDeployWithoutSettings,
        Self::DisableExecuteApi,
        Self::PolicyArns,
        Self::NewMethodSettings,
        Self::SecurityPolicyChange,
        Self::TrailMasksValues,
    ];

    /// Its name on the command line and the control endpoint.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExportPolicy => "export.policy",
            Self::ExportCompression => "export.compression",
            Self::ExportGatewayResponses => "export.gateway-responses",
            Self::ExportEndpointConfiguration => "export.endpoint-configuration",
            Self::CanaryDeployWithoutSettings => "canary-deploy-without-settings",
            Self::DisableExecuteApi => "disable-execute-api",
            Self::PolicyArns => "policy-arns",
            Self::NewMethodSettings => "new-method-settings",
            Self::SecurityPolicyChange => "security-policy-change",
            Self::TrailMasksValues => "trail-masks-values",
        }
    }

    /// The values it takes; the first is the default.
    pub fn values(self) -> &'static [&'static str] {
        match self {
            Self::ExportPolicy
            | Self::ExportCompression
            | Self::ExportGatewayResponses
            | Self::ExportEndpointConfiguration => &["snapshot", "editor", "absent"],
            Self::CanaryDeployWithoutSettings => &["stage", "canary"],
            Self::DisableExecuteApi => &["on-stage-change", "on-deployment"],
            Self::PolicyArns => &["expanded", "as-written"],
            Self::NewMethodSettings => &["from-wildcard", "defaults"],
            Self::SecurityPolicyChange => &["updating", "at-once"],
            Self::TrailMasksValues => &["off", "on"],
        }
    }
}

/// A switch or a value that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSwitch(String);

impl fmt::Display for UnknownSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnknownSwitch {}

/// The position of every switch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switches(BTreeMap<Switch, &'static str>);

impl Switches {
    /// Turns a switch, both named by their words.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), UnknownSwitch> {
        let names = || Switch::ALL.map(Switch::name).join(", ");
        let switch = Switch::ALL
            .into_iter()
            .find(|switch| switch.name() == name)
            .ok_or_else(|| UnknownSwitch(format!("no switch {name:?}; there are: {}", names())))?;
        let word = switch
            .values()
            .iter()
            .find(|word| **word == value)
            .ok_or_else(|| UnknownSwitch(format!("{name} takes {}, not {value:?}", switch.values().join(" | "))))?;
        self.0.insert(switch, word);
        Ok(())
    }

    /// The value of a switch.
    pub fn get(&self, switch: Switch) -> &'static str {
        self.0.get(&switch).copied().unwrap_or(switch.values()[0])
    }

    pub(crate) fn is(&self, switch: Switch, value: &str) -> bool {
        self.get(switch) == value
    }

    /// Which definition an export takes something from.
    pub(crate) fn source<'a>(
        &self,
        switch: Switch,
        snapshot: &'a Definition,
        editor: &'a Definition,
    ) -> Option<&'a Definition> {
        match self.get(switch) {
            "editor" => Some(editor),
            "absent" => None,
            _ => Some(snapshot),
        }
    }
}
