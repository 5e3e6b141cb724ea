//! People who decide about drifts, as kubectl would for them.

use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, ResourceExt};
use plumbline::api::Drift;
use serde_json::{Value, json};

use super::{World, until};

/// Somebody with a name that Kubernetes knows.
pub struct Person {
    pub name: String,
    drifts: Api<Drift>,
}

impl World {
    /// Somebody who may approve in the story's namespace.
    pub async fn approver(&self, name: &str) -> Person {
        let role =
            json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "plumbline-approver"});
        self.person(name, role).await
    }

    /// Somebody who may edit drifts there, but not approve.
    pub async fn editor(&self, name: &str) -> Person {
        let role: Role = serde_json::from_value(json!({
            "metadata": {"name": format!("edit-{name}")},
            "rules": [{"apiGroups": ["plumbline.dev"], "resources": ["drifts"], "verbs": ["get", "list", "patch", "update"]}],
        }))
        .unwrap();
        let roles: Api<Role> = Api::namespaced(self.client.clone(), &self.name);
        roles.create(&PostParams::default(), &role).await.unwrap();
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": format!("edit-{name}")});
        self.person(name, role).await
    }

    async fn person(&self, name: &str, role: Value) -> Person {
        let binding: RoleBinding = serde_json::from_value(json!({
            "metadata": {"name": format!("binds-{name}")},
            "roleRef": role,
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}],
        }))
        .unwrap();
        let bindings: Api<RoleBinding> = Api::namespaced(self.client.clone(), &self.name);
        bindings.create(&PostParams::default(), &binding).await.unwrap();
        let file = Kubeconfig::read_from(std::env::var("KUBECONFIG").unwrap()).unwrap();
        let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
            .await
            .unwrap();
        config.auth_info.impersonate = Some(name.to_owned());
        may(&self.client, name, "patch", "drifts", Some(&self.name)).await;
        Person {
            name: name.to_owned(),
            drifts: Api::namespaced(Client::try_from(config).unwrap(), &self.name),
        }
    }
}

/// Waits until the API server lets somebody do something: a watch of its own brings it bindings.
pub async fn may(client: &Client, who: &str, verb: &str, resource: &str, namespace: Option<&str>) {
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let asked = json!({"namespace": namespace, "group": "plumbline.dev", "resource": resource, "verb": verb});
    let asked: SubjectAccessReview =
        serde_json::from_value(json!({"spec": {"user": who, "resourceAttributes": asked}})).unwrap();
    until(&format!("{who} may {verb} {resource}"), || async {
        let answer = reviews.create(&PostParams::default(), &asked).await.unwrap();
        answer.status.is_some_and(|s| s.allowed).then_some(())
    })
    .await;
}

impl Person {
    /// Decides about the plan as the Drift shows it, in their own name.
    pub async fn decide(&self, drift: &Drift, decision: &str) -> Result<Drift, String> {
        let status = drift.status.as_ref().unwrap();
        let digest = match decision {
            "Revert" => &status.inverse_digest,
            _ => &status.plan_digest,
        };
        self.write(drift, decision, digest, &self.name).await
    }

    /// Writes an approval, whatever it says.
    pub async fn write(&self, drift: &Drift, decision: &str, digest: &str, by: &str) -> Result<Drift, String> {
        let approval = json!({"decision": decision, "planDigest": digest, "by": by, "reason": "a story"});
        let patch = json!({"spec": {"approval": approval}});
        self.drifts
            .patch(&drift.name_any(), &PatchParams::default(), &Patch::Merge(patch))
            .await
            .map_err(|error| error.to_string())
    }
}
