//! The property tables: what is known of each property of a REST API, a stage, a method and a custom domain name.
//!
//! Reading, planning and the documentation come from them.

mod domain_name;
mod method;
mod rest_api;
mod stage;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use serde_json::Value;

use crate::api::policy::Target;
use crate::judge::table::{Deploy, Live, Ops, Property, Repair, Risk, Table, by_value};

/// The table of a target.
pub fn table(target: Target) -> &'static Table {
    match target {
        Target::RestApi => &rest_api::TABLE,
        Target::Stage => &stage::TABLE,
        Target::Method => &method::TABLE,
        Target::DomainName => &domain_name::TABLE,
    }
}

/// All tables as Markdown.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Properties\n\nWhat rules can name, how each is read and repaired, when callers meet a change, and what a repair risks. Made from\n\
         the property tables in `src/aws/apigateway/properties/`.\n",
    );
    for target in [Target::RestApi, Target::Stage, Target::Method, Target::DomainName] {
        let _ = write!(
            out,
            "\n## {}\n\n| property | read by | repair | reaches callers | live value | risk |\n|---|---|---|---|---|---|\n",
            target.as_str()
        );
        for p in table(target).properties {
            let _ = writeln!(
                out,
                "| `{}` | {} | {} | {} | {} | {} |",
                p.path.join("."),
                p.read,
                repair(p.repair),
                match p.deploy {
                    Deploy::Immediate => "at once",
                    Deploy::Deployment => "after a deployment",
                },
                match p.live {
                    Live::ReadBack => "read back",
                    Live::Export => "in an export",
                    Live::Hidden => "not shown",
                },
                match p.risk {
                    Risk::Safe => "none".to_owned(),
                    Risk::Disruptive(how) => how.to_owned(),
                    Risk::DisruptiveUnlessRestored(how) =>
                        format!("{how} (none when the last compliant value is restored)"),
                }
            );
        }
    }
    out
}

fn repair(repair: Repair) -> String {
    match repair {
        Repair::Patch { operation, path, ops } => {
            let ops = match ops {
                Ops::Replace => "replace",
                Ops::ReplaceRemove => "replace, remove",
                Ops::AddReplaceRemove => "add, replace, remove",
                Ops::Remove => "remove",
                Ops::ReplaceOrEmpty => "replace (empty: take away)",
            };
            format!("{operation} {ops} `{path}`")
        }
        Repair::Members { operation, path } => format!("{operation} add, remove `{path}`"),
        Repair::Tags => "TagResource, UntagResource".to_owned(),
        Repair::None(words) => format!("by hand: {words}"),
    }
}

/// A property that takes effect at once and that a repair can change without risk; the methods below say what differs.
const fn property(path: &'static [&'static str], read: &'static str, repair: Repair) -> Property {
    Property {
        path,
        read,
        repair,
        deploy: Deploy::Immediate,
        live: Live::ReadBack,
        risk: Risk::Safe,
        same: by_value,
    }
}

/// A patch of one value.
const fn patch(operation: &'static str, path: &'static str, ops: Ops) -> Repair {
    Repair::Patch { operation, path, ops }
}

impl Property {
    /// Callers meet it after a deployment, and an export shows it.
    const fn exported(self) -> Self {
        Property {
            deploy: Deploy::Deployment,
            live: Live::Export,
            ..self
        }
    }

    /// Callers meet it after a deployment, and no export shows it.
    const fn hidden(self) -> Self {
        Property {
            deploy: Deploy::Deployment,
            live: Live::Hidden,
            ..self
        }
    }

    /// A repair can interrupt callers.
    const fn disrupts(self, how: &'static str) -> Self {
        Property {
            risk: Risk::Disruptive(how),
            ..self
        }
    }

    /// A repair can interrupt callers, unless it puts back what they met before.
    const fn disrupts_unless_restored(self, how: &'static str) -> Self {
        Property {
            risk: Risk::DisruptiveUnlessRestored(how),
            ..self
        }
    }

    /// Its values compare in a way of their own.
    const fn compared(self, same: fn(Option<&Value>, Option<&Value>) -> bool) -> Self {
        Property { same, ..self }
    }
}
